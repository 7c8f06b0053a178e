//! The Upstash REST protocol in front of a real Redis, for tests.
//!
//! ```text
//! client -> HTTP -> call (one, pipeline, transaction, stream) -> rules -> script -> RESP -> redis-server
//!        <- answer (JSON, base64, resp2) <- reply
//! ```
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! use millpond_gateway::{Fault, Gateway, RedisServer};
//!
//! let Some(redis) = RedisServer::shared() else { return Ok(()) };
//! let gateway = Gateway::start(&redis.database()).await?;
//! gateway.inject("MGET", Fault::ResetAfter);
//! let (url, token) = (gateway.url(), gateway.token());
//! # let _ = (url, token);
//! # std::io::Result::Ok(()) })?;
//! # std::io::Result::Ok(())
//! ```

mod answer;
mod call;
mod events;
mod fault;
mod gateway;
mod listener;
mod patience;
pub mod ports;
pub mod program;
mod record;
mod relay;
mod resp;
mod rules;
mod script;
mod server;
mod service;
mod stall;
mod text;
mod wire;

pub use fault::{Fault, Hold, Matcher};
pub use gateway::{Gateway, Options};
pub use record::Request;
pub use relay::Relay;
pub use resp::{Command, Connection, Reply};
pub use server::{Argument, Database, RedisServer};
pub use stall::{Stall, StallingProxy};

/// The shared [`RedisServer`] of this test binary; where `redis-server` is missing, the test returns.
/// The tests that use it are counted by name, for the line that says what was left out.
///
/// ```no_run
/// # fn main() {
/// let redis = millpond_gateway::needs_redis!();
/// let database = redis.database();
/// # drop(database);
/// # }
/// ```
#[macro_export]
macro_rules! needs_redis {
    () => {
        match $crate::RedisServer::shared() {
            Some(redis) => redis,
            None => return,
        }
    };
}
