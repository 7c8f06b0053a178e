//! What budgets are called in the store: `<prefix>:<kind>:<id>`, as `@upstash/ratelimit` does.

use super::Limit;
use super::algorithm::{Algorithm, Rule};
use super::budgets::BudgetKey;
use super::script::Budget;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// The prefix that `@upstash/ratelimit` uses unless it is told otherwise.
pub(crate) const DEFAULT_PREFIX: &str = "@upstash/ratelimit";

/// An identifier over this many bytes is stored as `%~` and its SHA-256, as a long part of a key is: a
/// caller who chooses it must not choose how much memory it takes.
const LONGEST_ID: usize = 256;

/// Where the keys of limits live.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) prefix: String,
    /// On Redis Cluster all keys of one check need the same hash tag.
    pub(crate) cluster: bool,
}

/// One identifier at one limit.
#[derive(Clone, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) limit: &'a Limit,
    pub(crate) key: BudgetKey,
    base: String,
}

impl Names {
    /// Where this identifier's budget of the limit is.
    pub(crate) fn subject<'a>(&self, limit: &'a Limit, id: &str) -> Subject<'a> {
        let id = shorten(id);
        let id = if self.cluster {
            Cow::Owned(tag(&id))
        } else {
            id
        };
        let base = format!("{}:{}:{}", self.prefix, limit.kind(), id);
        let key = BudgetKey::new(&base, limit.rule());
        Subject { limit, key, base }
    }
}

impl Subject<'_> {
    /// The keys that hold what was taken, at this time.
    pub(crate) fn budget(&self, now: u64) -> Budget {
        let rule = self.limit.rule();
        Budget {
            rule,
            keys: keys(rule, &self.base, now),
        }
    }
}

fn keys(rule: Rule, base: &str, now: u64) -> Vec<Bytes> {
    let index = i128::from(rule.index(now));
    let counter = |index: i128| Bytes::from(format!("{base}:{index}"));
    match rule.algorithm {
        Algorithm::TokenBucket => vec![Bytes::from(base.to_owned())],
        Algorithm::FixedWindow => vec![counter(index)],
        Algorithm::SlidingWindow => vec![counter(index), counter(index - 1)],
    }
}

/// What stands for an identifier in keys and events.
pub(crate) fn shorten(id: &str) -> Cow<'_, str> {
    if id.len() <= LONGEST_ID {
        return Cow::Borrowed(id);
    }
    Cow::Owned(format!("%~{}", crate::hex::hex(&Sha256::digest(id))))
}

/// A hash tag that no other identifier has. `{}` would not be one, so nobody's is `{%}`.
fn tag(id: &str) -> String {
    let id = id
        .replace('%', "%25")
        .replace('{', "%7B")
        .replace('}', "%7D");
    if id.is_empty() {
        "{%}".to_owned()
    } else {
        format!("{{{id}}}")
    }
}

#[cfg(test)]
mod tests {
    use super::Names;
    use crate::limit;

    fn keys(cluster: bool, id: &str) -> Vec<String> {
        let prefix = "p".to_owned();
        let subject = Names { prefix, cluster };
        let budget = subject.subject(&limit::API, id).budget(120_000);
        let text = |key: &bytes::Bytes| String::from_utf8_lossy(key).into_owned();
        budget.keys.iter().map(text).collect()
    }

    #[test]
    fn keys_are_those_of_npm() {
        assert_eq!(keys(false, "a:{b}"), ["p:API:a:{b}:2", "p:API:a:{b}:1"]);
    }

    #[test]
    fn an_identifier_of_more_than_256_bytes_is_stored_as_its_hash() {
        let longest = "é".repeat(128);
        assert_eq!(keys(false, &longest)[0], format!("p:API:{longest}:2"));
        let hashed = &keys(false, &format!("{longest}a"))[0];
        assert!(hashed.starts_with("p:API:%~"), "{hashed}");
        assert_eq!(hashed.len(), "p:API:%~:2".len() + 64);
    }

    #[test]
    fn on_a_cluster_all_keys_of_an_identifier_have_its_tag_and_no_other() {
        assert_eq!(keys(true, "u"), ["p:API:{u}:2", "p:API:{u}:1"]);
        assert_eq!(keys(true, "{a}")[0], "p:API:{%7Ba%7D}:2");
        assert_eq!(keys(true, "%7Ba%7D")[0], "p:API:{%257Ba%257D}:2");
        assert_eq!(keys(true, "")[0], "p:API:{%}:2");
    }
}
