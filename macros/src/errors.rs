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

#[cfg(test)]
mod tests {
    use super::*;

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
