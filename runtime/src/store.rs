//! One trait, three engines. An engine takes a batch of commands and gives a reply for each;
//! everything above it is written once.

// Where one engine is left out, what only it needs is unused.
#![cfg_attr(not(all(feature = "upstash", feature = "redis")), allow(dead_code))]

#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
mod alone;
#[cfg(any(feature = "upstash", feature = "redis"))]
mod auto_pipeline;
mod batch;
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
mod boxes;
#[cfg(any(feature = "upstash", feature = "redis"))]
mod breaker;
pub(crate) mod command;
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
mod deadlines;
#[cfg(any(feature = "upstash", feature = "redis"))]
mod delivery;
mod engine;
pub(crate) mod glob;
#[cfg(any(feature = "upstash", feature = "redis"))]
mod line;
mod lua;
pub(crate) mod memory;
#[cfg(any(feature = "upstash", feature = "redis"))]
mod merging;
#[cfg(any(feature = "upstash", feature = "redis"))]
mod per_runtime;
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
mod queued;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "upstash", feature = "redis"))]
mod repeat;
#[cfg(any(feature = "upstash", feature = "redis"))]
mod request_limits;
#[cfg(any(feature = "upstash", feature = "redis"))]
mod respite;
mod sending;
#[cfg(any(feature = "upstash", feature = "redis"))]
mod sequence;
mod server_error;
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
pub(crate) mod subscription;
#[cfg(any(feature = "upstash", feature = "redis"))]
mod this_machine;
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    any(feature = "tls", feature = "tls-ring"),
    not(target_arch = "wasm32")
))]
mod tls;
#[cfg(any(feature = "upstash", feature = "redis"))]
mod transport;
#[cfg(any(feature = "upstash", feature = "redis"))]
mod turn;
#[cfg(any(feature = "upstash", feature = "redis"))]
mod until;
#[cfg(feature = "upstash")]
mod upstash;
#[cfg(any(feature = "upstash", feature = "redis"))]
mod waiting;
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(any(feature = "tls", feature = "tls-ring", target_arch = "wasm32"))
))]
mod without_tls;

use crate::error::{Error, ErrorKind};
use crate::settings::{Engine, Settings};
use crate::stats::Meter;
pub(crate) use batch::{Batch, Replies, all_failed};
pub(crate) use engine::Store;
pub(crate) use sending::Sending;
use std::sync::Arc;
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(any(feature = "tls", feature = "tls-ring", target_arch = "wasm32"))
))]
pub(crate) use without_tls::missing_tls;

/// How a builder opens its engine.
pub(crate) type Open = fn(&Engine, &Settings, &Arc<Meter>) -> Result<Box<dyn Store>, Error>;

/// The engine that the configuration asks for. Nothing is connected yet.
pub(crate) fn open(
    engine: &Engine,
    settings: &Settings,
    meter: &Arc<Meter>,
) -> Result<Box<dyn Store>, Error> {
    if !matches!(engine, Engine::Memory) {
        return open_remote(engine, settings, meter);
    }
    let clock = settings.clock.clone();
    let meter = Arc::clone(meter);
    Ok(Box::new(memory::Memory::new(clock, settings.memory, meter)))
}

/// The same, but for the embedded engine: a program that has no other way to open one does not contain it.
#[cfg_attr(
    not(any(feature = "upstash", feature = "redis")),
    allow(unused_variables, reason = "there is no remote engine")
)]
pub(crate) fn open_remote(
    engine: &Engine,
    settings: &Settings,
    meter: &Arc<Meter>,
) -> Result<Box<dyn Store>, Error> {
    let clock = settings.clock.clone();
    let meter = Arc::clone(meter);
    match engine {
        Engine::Memory => Err(Error::new(
            ErrorKind::Config,
            "the embedded engine was not asked for",
        )),
        #[cfg(feature = "upstash")]
        Engine::Upstash { url, token, names } => {
            let config = upstash::UpstashConfig {
                retries: settings.retries,
                backoff: settings.backoff,
                read_your_writes: settings.read_your_writes,
                plain_http: settings.plain_http,
                names: *names,
                pipelining: settings.pipelining,
                ..upstash::UpstashConfig::new(url.clone(), token.clone())
            };
            let store = upstash::Upstash::new(&config, Arc::clone(&meter))?;
            Ok(Box::new(breaker::Breaker::new(store, clock, meter)))
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
            let store = redis::Redis::new(&config, Arc::clone(&meter))?;
            Ok(Box::new(breaker::Breaker::new(store, clock, meter)))
        }
        #[cfg(not(feature = "redis"))]
        Engine::Redis { .. } => Err(missing("redis")),
    }
}

/// For an address that this build cannot speak to.
#[cfg(not(all(feature = "upstash", feature = "redis")))]
fn missing(feature: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("this build of millpond lacks the feature `{feature}`; enable it in Cargo.toml"),
    )
}
