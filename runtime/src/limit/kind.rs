//! What a limit is called.

use super::algorithm::Rule;
use std::borrow::Cow;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum LimitName {
    Kind(&'static str),
    /// Of a limit without a kind: where it stands.
    Place {
        module: &'static str,
        function: &'static str,
    },
}

impl LimitName {
    /// As it is in keys. A place has no colon, as a kind has none, and says the numbers too, so that
    /// two attributes on one function have budgets of their own.
    #[inline]
    pub(super) fn text(&self, rule: &Rule) -> Cow<'static, str> {
        match self {
            Self::Kind(kind) => Cow::Borrowed(kind),
            Self::Place { module, function } => Cow::Owned(of_place(module, function, rule)),
        }
    }

    pub(super) const fn short(self) -> &'static str {
        match self {
            Self::Kind(kind) => kind,
            Self::Place { function, .. } => function,
        }
    }
}

fn of_place(module: &str, function: &str, rule: &Rule) -> String {
    let place = module.replace("::", ".");
    let Rule {
        algorithm,
        units,
        window,
        ..
    } = rule;
    format!("{place}.{function}.{algorithm:?}.{units}.{window}")
}

/// Why a kind cannot be one: it would share keys with another kind, or with what
/// `@upstash/ratelimit` keeps beside the budgets.
pub(super) const fn mistake(kind: &str) -> Option<&'static str> {
    let bytes = kind.as_bytes();
    if bytes.is_empty() {
        return Some("the kind of a limit is empty; write a name such as \"EXPORT\"");
    }
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b':' => return Some("the kind of a limit must not hold a `:`"),
            b'{' | b'}' => return Some("the kind of a limit must not hold a brace"),
            0..=b' ' | 0x7f => return Some("the kind of a limit must not hold white space"),
            _ => at += 1,
        }
    }
    if equal(bytes, b"events")
        || equal(bytes, b"dynamic")
        || equal(bytes, b"denyList")
        || equal(bytes, b"ipDenyListStatus")
    {
        return Some("this kind is a reserved word of @upstash/ratelimit; choose another name");
    }
    None
}

const fn equal(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::mistake;

    #[test]
    fn kinds_that_would_share_keys_with_something_else_are_refused() {
        for kind in [
            "",
            "A:B",
            "{A}",
            "A B",
            "A\n",
            "events",
            "dynamic",
            "denyList",
            "ipDenyListStatus",
        ] {
            assert!(mistake(kind).is_some(), "{kind:?}");
        }
        for kind in ["A", "GENERATION", "events2", "my-crate.v1", "Zürich"] {
            assert_eq!(mistake(kind), None, "{kind:?}");
        }
    }
}
