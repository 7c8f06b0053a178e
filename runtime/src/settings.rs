// The page docs/settings.md is the documentation of this module; a test holds its tables.

use crate::clock::Clock;
use crate::keyring::Keyring;
use crate::secret::Secret;
use std::time::Duration;

/// What the credentials of Upstash are called where they were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CredentialNames {
    pub(crate) url: &'static str,
    pub(crate) token: &'static str,
}

/// Where the values live.
#[derive(Clone, Debug)]
pub(crate) enum Engine {
    Memory,
    #[cfg_attr(
        not(feature = "upstash"),
        allow(dead_code, reason = "only its engine reads it")
    )]
    Upstash {
        url: Secret,
        token: Secret,
        /// Nothing where they were given in code.
        names: Option<CredentialNames>,
    },
    #[cfg_attr(
        not(feature = "redis"),
        allow(dead_code, reason = "only its engine reads it")
    )]
    Redis {
        urls: Vec<Secret>,
        cluster: bool,
    },
}

/// What can be tuned.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) namespace: Option<String>,
    pub(crate) clock: Clock,
    pub(crate) budget: Duration,
    pub(crate) guard_life: Duration,
    /// Up to which fraction of a lifetime is taken off, where a function says nothing else.
    pub(crate) ttl_jitter: f64,
    pub(crate) flight_wait: Duration,
    pub(crate) max_value: usize,
    pub(crate) retries: u32,
    pub(crate) backoff: Duration,
    pub(crate) pipelining: bool,
    pub(crate) read_your_writes: bool,
    /// Whether the token of Upstash may go over plain http to another machine.
    pub(crate) plain_http: bool,
    pub(crate) memory: usize,
    /// How much the local tier holds.
    pub(crate) local: u64,
    /// Whether invalidations are told to other processes; nothing where the functions say.
    pub(crate) backplane: Option<bool>,
    /// For how long a proof of the subscription counts; nothing where the engine says.
    pub(crate) backplane_silence: Option<Duration>,
    /// Up to which age a local value is used while the subscription is not proved.
    pub(crate) local_unverified: Duration,
    pub(crate) keys: Keyring,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            namespace: None,
            clock: Clock::System,
            budget: Duration::from_millis(500),
            guard_life: Duration::from_secs(5 * 60),
            ttl_jitter: 0.05,
            flight_wait: Duration::from_secs(60),
            max_value: 4 << 20,
            retries: 5,
            backoff: Duration::from_millis(50),
            pipelining: true,
            read_your_writes: true,
            plain_http: false,
            memory: 64 << 20,
            local: 64 << 20,
            backplane: None,
            backplane_silence: None,
            local_unverified: Duration::from_secs(1),
            keys: Keyring::default(),
        }
    }
}

impl Engine {
    /// Whether the keys of one command must be in one slot.
    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self, Self::Redis { cluster: true, .. })
    }
}

#[cfg(test)]
mod tests;
