//! What budgets are called in the store: `<prefix>:<kind>:<id>`, as `@upstash/ratelimit` does.

use super::Limit;
use super::algorithm::{Algorithm, Rule};
use super::budgets::BudgetKey;
use super::known::{Known, KnownLimit, KnownLimits};
use crate::error::{Error, ErrorKind};
use crate::sync;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// The prefix that `@upstash/ratelimit` uses unless it is told otherwise.
pub(crate) const DEFAULT_PREFIX: &str = "@upstash/ratelimit";

/// An identifier over this many bytes is stored as `%~` and its SHA-256, as a long part of a key is: a
/// caller who chooses it must not choose how much memory it takes.
const LONGEST_ID: usize = 256;

/// So many prefixes are kept in mind; a program has one for each kind.
const MOST_PREFIXES: usize = 1_024;

/// Where the keys of limits live.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) namespace: Option<String>,
    /// What the prefixes of kinds begin with, the last colon included.
    front: String,
    /// On Redis Cluster all keys of one identifier need the same hash tag.
    pub(crate) cluster: bool,
    limits: KnownLimits,
    prefixes: RwLock<Vec<Prefix>>,
    /// Whether one of them is below another, so that an identifier could lead from that one into this.
    are_nested: AtomicBool,
}

/// A prefix of keys that limits of this process are on.
#[derive(Debug)]
struct Prefix {
    text: String,
    /// `None` until something was counted there.
    is_bucket: Option<bool>,
}

impl Names {
    pub(crate) fn new(namespace: Option<&str>, prefix: &str, cluster: bool) -> Self {
        Self {
            namespace: namespace.map(str::to_owned),
            front: namespace.map_or_else(String::new, |namespace| format!("{namespace}:"))
                + prefix
                + ":",
            cluster,
            limits: KnownLimits::default(),
            prefixes: RwLock::default(),
            are_nested: AtomicBool::new(false),
        }
    }

    /// Keeps the prefix of this limit out of reach of other identifiers.
    pub(crate) fn reserve(&self, limit: &Limit) {
        let text = self.prefix_of(limit);
        let mut prefixes = sync::write(&self.prefixes);
        if !prefixes.iter().any(|other| other.text == text) {
            self.add(&mut prefixes, text, None);
        }
    }

    fn add(&self, prefixes: &mut Vec<Prefix>, text: String, is_bucket: Option<bool>) {
        let is_nested = |other: &Prefix| {
            below(&other.text, &text).is_some() || below(&text, &other.text).is_some()
        };
        if prefixes.iter().any(is_nested) {
            self.are_nested.store(true, Ordering::Release);
        }
        prefixes.push(Prefix { text, is_bucket });
    }

    /// The prefix that a limiter of `@upstash/ratelimit` on the same budgets has.
    pub(crate) fn prefix_of(&self, limit: &Limit) -> String {
        let mut prefix = String::new();
        self.write_prefix(limit, &mut prefix);
        prefix
    }

    fn write_prefix(&self, limit: &Limit, out: &mut String) {
        let Some(prefix) = limit.whole_prefix() else {
            out.push_str(&self.front);
            out.push_str(&limit.kind());
            return;
        };
        if let Some(namespace) = &self.namespace {
            out.push_str(namespace);
            out.push(':');
        }
        out.push_str(prefix);
    }

    /// What is known of a limit, from its first check on.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) for a bucket where windows are, or the
    /// other way round.
    pub(super) fn known(&self, limit: &Limit) -> Result<Known<'_>, Error> {
        match self.limits.find(limit) {
            Some(known) => Ok(Known::Kept(known)),
            None => self.learn(limit),
        }
    }

    #[cold]
    fn learn(&self, limit: &Limit) -> Result<Known<'_>, Error> {
        let mut prefix = self.prefix_of(limit);
        let is_bucket = limit.algorithm() == Algorithm::TokenBucket;
        if self.first_on(&prefix, is_bucket) != is_bucket {
            return Err(mixed(&prefix));
        }
        prefix.push(':');
        let make = || KnownLimit::new(limit, &prefix);
        Ok(self.limits.add(limit, MOST_PREFIXES, make))
    }

    /// Writes where this identifier's budget of the limit is.
    pub(super) fn budget(
        &self,
        limit: &Limit,
        known: &KnownLimit,
        id: &str,
        base: &mut String,
    ) -> BudgetKey {
        base.push_str(&known.front);
        let is_bucket = limit.algorithm() == Algorithm::TokenBucket;
        let id = if self.reaches_another(&known.front, id) || names_something_else(id, is_bucket) {
            Cow::Owned(hashed(id))
        } else {
            shorten(id)
        };
        if self.cluster {
            let tag = tag(&id);
            base.push_str(&tag);
            known.hasher.key(&tag)
        } else {
            base.push_str(&id);
            known.hasher.key(&id)
        }
    }

    /// Whether the identifier would lead from keys that begin so into another prefix.
    fn reaches_another(&self, front: &str, id: &str) -> bool {
        if !self.are_nested.load(Ordering::Acquire) {
            return false;
        }
        sync::read(&self.prefixes).iter().any(|other| {
            let below = other.text.strip_prefix(front);
            below.is_some_and(|below| id == below || self::below(id, below).is_some())
        })
    }

    /// Whether buckets are on this prefix, by whoever was there first.
    fn first_on(&self, prefix: &str, is_bucket: bool) -> bool {
        let mut prefixes = sync::write(&self.prefixes);
        if let Some(own) = prefixes.iter_mut().find(|other| other.text == prefix) {
            return *own.is_bucket.get_or_insert(is_bucket);
        }
        if prefixes.len() < MOST_PREFIXES {
            self.add(&mut prefixes, prefix.to_owned(), Some(is_bucket));
        }
        is_bucket
    }
}

fn mixed(prefix: &str) -> Error {
    let text = format!(
        "the limit {prefix} is a token bucket in one place and a window in another, where their keys could meet; \
         give one of them another kind"
    );
    Error::new(ErrorKind::InvalidValue, text)
}

/// What stands behind a prefix and its colon.
fn below<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    text.strip_prefix(prefix)?.strip_prefix(':')
}

/// The counters of a window at this time, or the bucket.
pub(crate) fn keys(rule: Rule, base: &str, now: u64) -> Vec<Bytes> {
    let index = index(rule, now);
    match rule.algorithm {
        Algorithm::TokenBucket => vec![Bytes::from(base.to_owned())],
        Algorithm::FixedWindow => vec![counter(base, index)],
        Algorithm::SlidingWindow => vec![counter(base, index), counter(base, index - 1)],
    }
}

/// The number of the window that this time is in; of the one before the first, -1.
pub(crate) fn index(rule: Rule, now: u64) -> i64 {
    i64::try_from(rule.index(now)).unwrap_or(i64::MAX)
}

pub(crate) fn counter(base: &str, index: i64) -> Bytes {
    let mut key = base.to_owned();
    write_index(index, &mut key);
    Bytes::from(key)
}

/// Writes what follows the name of a budget in the key of a counter.
pub(crate) fn write_index(index: i64, key: &mut String) {
    let mut digits = itoa::Buffer::new();
    key.push(':');
    key.push_str(digits.format(index));
}

/// Whether `@upstash/ratelimit` keeps something else under this name beside the budgets, or a bucket of this
/// name would be where another identifier has a window.
fn names_something_else(id: &str, is_bucket: bool) -> bool {
    let is_reserved = || {
        let first = id.split(':').next().unwrap_or_default();
        id.starts_with("%~")
            || matches!(first, "events" | "denyList" | "ipDenyListStatus")
            || id == "dynamic"
            || below(id, "dynamic")
                .is_some_and(|rest| rest == "global" || rest.starts_with("global:"))
    };
    let ends_in_a_number = || {
        let last = id.rsplit_once(':').map(|(_, last)| last);
        last.is_some_and(|last| !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()))
            && id.parse::<std::net::IpAddr>().is_err()
    };
    // No reserved word begins otherwise.
    let may_be_reserved = matches!(id.as_bytes().first(), Some(b'%' | b'd' | b'e' | b'i'));
    (may_be_reserved && is_reserved()) || (is_bucket && ends_in_a_number())
}

/// What stands for an identifier in keys and events.
pub(crate) fn shorten(id: &str) -> Cow<'_, str> {
    if id.len() <= LONGEST_ID && id != super::event_names::OTHERS {
        return Cow::Borrowed(id);
    }
    Cow::Owned(hashed(id))
}

/// No other identifier has this name, since one that begins so is hashed too.
pub(super) fn hashed(id: &str) -> String {
    format!("%~{}", crate::hex::hex(&Sha256::digest(id)))
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
        let names = Names::new(None, "p", cluster);
        let mut base = String::new();
        let known = names.known(&limit::API).unwrap();
        names.budget(&limit::API, &known, id, &mut base);
        let text = |key: &bytes::Bytes| String::from_utf8_lossy(key).into_owned();
        super::keys(limit::API.rule(), &base, 120_000)
            .iter()
            .map(text)
            .collect()
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
