//! One trait, three engines. An engine takes a batch of commands and gives a reply for each;
//! everything above it is written once.

// Where one engine is left out, what only it needs is unused.
#![cfg_attr(not(all(feature = "upstash", feature = "redis")), allow(dead_code))]

#[cfg(any(feature = "upstash", feature = "redis"))]
mod auto_pipeline;
#[cfg(any(feature = "upstash", feature = "redis"))]
mod breaker;
pub(crate) mod command;
#[cfg(any(feature = "upstash", feature = "redis"))]
mod delivery;
pub(crate) mod glob;
pub(crate) mod memory;
#[cfg(any(feature = "upstash", feature = "redis"))]
mod per_runtime;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "upstash", feature = "redis"))]
mod repeat;
#[cfg(any(feature = "upstash", feature = "redis"))]
mod sequence;
mod server_error;
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    any(feature = "tls", feature = "tls-ring")
))]
mod tls;
#[cfg(any(feature = "upstash", feature = "redis"))]
mod transport;
#[cfg(feature = "upstash")]
mod upstash;
#[cfg(any(feature = "upstash", feature = "redis"))]
mod waiting;

use crate::error::Error;
use crate::runtime::BoxFuture;
use crate::settings::{Engine, Settings};
use crate::stats::Meter;
use bytes::Bytes;
use command::{Command, Reply};
use std::sync::Arc;
use std::time::Duration;

/// Commands that leave together, in order; `within` is how long the caller will wait.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) commands: Vec<Command>,
    pub(crate) within: Duration,
}

/// Sends batches. A reply for each command, in order: one that failed never fails its neighbours.
pub(crate) trait Store: Send + Sync + 'static {
    /// The commands of one batch stay together and in order. Dropping the future stops the waiting,
    /// never a request that others share.
    fn send(&self, batch: Batch) -> BoxFuture<Vec<Result<Reply, Error>>>;

    /// What an engine in this process can say at once of a value that is there. It counts as a
    /// command only then.
    fn peek(&self, _key: &[u8]) -> Option<Bytes> {
        None
    }
}

/// The engine that the configuration asks for. Nothing is connected yet.
pub(crate) fn open(
    engine: &Engine,
    settings: &Settings,
    meter: &Arc<Meter>,
) -> Result<Box<dyn Store>, Error> {
    let clock = settings.clock.clone();
    let meter = Arc::clone(meter);
    match engine {
        Engine::Memory => Ok(Box::new(memory::Memory::new(clock, settings.memory, meter))),
        #[cfg(feature = "upstash")]
        Engine::Upstash { url, token } => {
            let config = upstash::UpstashConfig {
                retries: settings.retries,
                backoff: settings.backoff,
                read_your_writes: settings.read_your_writes,
                pipelining: settings.pipelining,
                ..upstash::UpstashConfig::new(url.clone(), token.clone())
            };
            let store = upstash::Upstash::new(&config, meter)?;
            Ok(Box::new(breaker::Breaker::new(store, clock)))
        }
        #[cfg(not(feature = "upstash"))]
        Engine::Upstash { .. } => Err(missing("upstash")),
        #[cfg(feature = "redis")]
        Engine::Redis { urls, cluster } => {
            let config = redis::RedisConfig {
                retries: settings.retries,
                backoff: settings.backoff,
                pipelining: settings.pipelining,
                ..redis::RedisConfig::new(urls.clone(), *cluster)
            };
            let store = redis::Redis::new(&config, meter)?;
            Ok(Box::new(breaker::Breaker::new(store, clock)))
        }
        #[cfg(not(feature = "redis"))]
        Engine::Redis { .. } => Err(missing("redis")),
    }
}

/// For an address that this build cannot speak to.
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(any(feature = "tls", feature = "tls-ring"))
))]
fn missing_tls(scheme: &str) -> Error {
    Error::new(
        crate::error::ErrorKind::Config,
        format!(
            "this build of millpond lacks TLS, which {scheme} asks for; add the feature `tls` in \
             Cargo.toml (or `tls-ring`, where the program's rustls has ring alone)"
        ),
    )
}

#[cfg(not(all(feature = "upstash", feature = "redis")))]
fn missing(feature: &str) -> Error {
    Error::new(
        crate::error::ErrorKind::Config,
        format!("this build of millpond lacks the feature `{feature}`; add it in Cargo.toml"),
    )
}
