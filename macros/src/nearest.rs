//! What a misspelt name was probably meant to be.
use strsim::osa_distance;

/// The known name closest to `name`, if one is close enough to be what was meant.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (name.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (osa_distance(name, candidate), candidate))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_of_neighbours_is_one_edit() {
        assert_eq!(nearest("perfix", ["prefix"]), Some("prefix"));
        assert_eq!(nearest("tlt", ["ttl"]), Some("ttl"));
        assert_eq!(nearest("null_tlt", ["ttl", "null_ttl"]), Some("null_ttl"));
        assert_eq!(nearest("", ["ttl"]), None);
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
}
