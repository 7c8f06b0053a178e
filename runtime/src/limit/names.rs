//! What budgets are called in the store: `<prefix>:<kind>:<id>`, as `@upstash/ratelimit` does.

use super::Limit;
use super::algorithm::{Algorithm, Rule};
use super::script::Budget;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// The prefix that `@upstash/ratelimit` uses unless it is told otherwise.
pub(crate) const DEFAULT_PREFIX: &str = "@upstash/ratelimit";

/// Upstash takes keys of up to 32 KB; an identifier over this is stored as `%~` and its SHA-256.
const LONGEST_ID: usize = 16 * 1024;

/// Where the keys of limits live.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) prefix: String,
    /// On Redis Cluster all keys of one check need the same hash tag.
    pub(crate) cluster: bool,
}

impl Names {
    /// The name of one identifier's budget, without the number of the window.
    pub(crate) fn base(&self, limit: &Limit, id: &str) -> String {
        let id = shorten(id);
        let id = if self.cluster {
            Cow::Owned(tag(&id))
        } else {
            id
        };
        format!("{}:{}:{}", self.prefix, limit.kind(), id)
    }

    /// The keys that hold what was taken of a limit, at this time.
    pub(crate) fn budget(&self, limit: &Limit, id: &str, now: u64) -> Budget {
        let base = self.base(limit, id);
        let rule = limit.rule();
        Budget {
            rule,
            keys: keys(rule, &base, now),
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

fn shorten(id: &str) -> Cow<'_, str> {
    if id.len() <= LONGEST_ID {
        return Cow::Borrowed(id);
    }
    Cow::Owned(format!(
        "%~{}",
        crate::store::command::hex(&Sha256::digest(id))
    ))
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
