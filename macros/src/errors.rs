//! Collects the mistakes of one attribute, so that all of them are reported at once.
use std::{fmt::Display, thread};

use proc_macro2::Span;
use quote::ToTokens;

/// The mistakes found so far. Dropping it without `finish` is a bug in this crate.
pub struct Errors {
    found: Option<Vec<syn::Error>>,
}

impl Errors {
    pub fn new() -> Self {
        Self {
            found: Some(Vec::new()),
        }
    }

    /// A mistake whose place is a run of tokens.
    pub fn on(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.add(syn::Error::new_spanned(tokens, message));
    }

    /// A mistake whose place is a span.
    pub fn at(&mut self, span: Span, message: impl Display) {
        self.add(syn::Error::new(span, message));
    }

    pub fn add(&mut self, error: syn::Error) {
        self.found.get_or_insert_default().push(error);
    }

    pub fn count(&self) -> usize {
        self.found.as_ref().map_or(0, Vec::len)
    }

    /// `Err` holds every mistake, in the order in which they were found.
    pub fn finish(mut self) -> syn::Result<()> {
        let all = self.found.take().unwrap_or_default();
        match all.into_iter().reduce(|mut first, next| {
            first.combine(next);
            first
        }) {
            None => Ok(()),
            Some(error) => Err(error),
        }
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        assert!(
            self.found.is_none() || thread::panicking(),
            "errors were collected and never reported"
        );
    }
}

/// The known name closest to `name`, if one is close enough to be what was meant.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (name.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= allowed || is_abbreviation(name, candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn is_abbreviation(name: &str, candidate: &str) -> bool {
    name.len() > 2 && (candidate.starts_with(name) || name.starts_with(candidate))
}

/// What to write instead of `name`: the nearest known name, else the list where it is short.
pub fn instead(name: &str, known: &[&str], quote: char) -> Option<String> {
    if let Some(near) = nearest(name, known.iter().copied()) {
        return Some(format!("write {quote}{near}{quote}"));
    }
    let all: Vec<_> = known
        .iter()
        .map(|known| format!("{quote}{known}{quote}"))
        .collect();
    match all.split_last() {
        Some((last, rest)) if !rest.is_empty() && rest.len() < 6 => {
            Some(format!("write {} or {last}", rest.join(", ")))
        }
        Some((only, [])) => Some(format!("write {only}")),
        _ => None,
    }
}

/// Optimal string alignment: edits, with a swap of neighbours counted as one.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows = vec![(0..=to.len()).collect::<Vec<_>>()];
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let replaced = rows[i][j] + usize::from(a != b);
            let mut best = replaced.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_of_neighbours_is_one_edit() {
        assert_eq!(distance("perfix", "prefix"), 1);
        assert_eq!(distance("", "ttl"), 3);
        assert_eq!(distance("user_id", "user_id"), 0);
    }

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        assert_eq!(nearest("tll", ["prefix", "ttl", "null_ttl"]), Some("ttl"));
        assert_eq!(nearest("banana", ["prefix", "ttl"]), None);
    }

    #[test]
    fn a_short_list_is_shown_in_full() {
        assert_eq!(
            instead("always", &["process", "off"], '"').as_deref(),
            Some("write \"process\" or \"off\"")
        );
    }

    #[test]
    fn every_mistake_is_reported() {
        let mut errors = Errors::new();
        errors.at(Span::call_site(), "one");
        errors.at(Span::call_site(), "two");
        let all: Vec<_> = errors
            .finish()
            .unwrap_err()
            .into_iter()
            .map(|error| error.to_string())
            .collect();
        assert_eq!(all, ["one", "two"]);
    }
}
