//! Upstash Redis, and whatever speaks its REST protocol, over HTTP.
//! `batch → pipeline → delivery → transport → http → answer`, and back.

mod answer;
mod body;
#[cfg_attr(target_arch = "wasm32", path = "upstash/fetch.rs")]
mod client;
mod config;
mod endpoint;
#[cfg(not(target_arch = "wasm32"))]
mod events;
mod http;
#[cfg(target_arch = "wasm32")]
mod js_url;
#[cfg(not(target_arch = "wasm32"))]
mod listen;
mod transport;

use super::auto_pipeline::AutoPipeline;
#[cfg(not(target_arch = "wasm32"))]
use super::command::Command;
use super::per_runtime::PerRuntime;
use super::repeat::Patience;
use super::{Batch, Replies, Sending, Store};
use crate::error::Error;
use crate::runtime::BoxFuture;
#[cfg(not(target_arch = "wasm32"))]
use crate::runtime::Instant;
use crate::stats::Meter;
use crate::store::request_limits::RequestLimits;
#[cfg(not(target_arch = "wasm32"))]
use crate::store::subscription::Listener;
pub(crate) use config::UpstashConfig;
use http::Endpoint;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use transport::HttpTransport;

/// Most commands that leave together; the number of the official SDK.
const MOST_COMMANDS: usize = 1_000;

/// Most bytes that leave together, unless one batch alone is larger.
const MOST_BYTES: usize = 1024 * 1024;

/// A database behind Upstash's REST protocol.
pub(crate) struct Upstash(Arc<Inner>);

struct Inner {
    endpoint: Arc<Endpoint>,
    pipelines: PerRuntime<AutoPipeline<HttpTransport>>,
    limits: RequestLimits,
    patience: Patience,
}

impl Upstash {
    /// Checks the configuration; nothing is sent before the first command.
    pub(crate) fn new(config: &UpstashConfig, meter: Arc<Meter>) -> Result<Self, Error> {
        let at_once = |bounded, is_bounded| if is_bounded { bounded } else { usize::MAX };
        Ok(Self(Arc::new(Inner {
            endpoint: Arc::new(Endpoint::new(config, meter)?),
            pipelines: PerRuntime::default(),
            limits: RequestLimits {
                commands: MOST_COMMANDS,
                bytes: MOST_BYTES,
                reads: at_once(4, config.pipelining),
                // The token of a write that overtook another would hide the other.
                writes: at_once(1, config.pipelining || config.read_your_writes),
                together: config.pipelining,
                // Each exchange is a request of its own, so the first one leaves at once.
                gather: false,
                backlog: config.backlog,
            },
            patience: Patience {
                retries: config.retries,
                backoff: config.backoff,
            },
        })))
    }
}

impl Inner {
    /// That of the current runtime.
    fn pipeline(&self) -> Result<Arc<AutoPipeline<HttpTransport>>, Error> {
        self.pipelines.current(|| {
            let transport = HttpTransport::new(&self.endpoint)?;
            Ok(AutoPipeline::new(transport, self.limits, self.patience))
        })
    }

    fn start(&self, batch: Batch) -> Sending {
        match self.pipeline() {
            Ok(pipeline) => pipeline.start(batch),
            Err(error) => Sending::failed(&error, batch.commands.len()),
        }
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn start_one(&self, command: Command, asked: Instant, within: Duration) -> Sending {
        match self.pipeline() {
            Ok(pipeline) => pipeline.start_one(command, asked, within),
            Err(error) => Sending::failed(&error, 1),
        }
    }
}

impl Store for Upstash {
    fn send(&self, batch: Batch) -> BoxFuture<Replies> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.start(batch).await })
    }

    fn start(&self, batch: Batch) -> Sending {
        self.0.start(batch)
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn start_one(&self, command: Command, asked: Instant, within: Duration) -> Sending {
        self.0.start_one(command, asked, within)
    }

    fn place(&self) -> String {
        format!("Upstash at {}", self.0.endpoint.host())
    }

    fn silence(&self) -> Duration {
        Duration::from_secs(60)
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn listen(&self, listener: Listener) -> BoxFuture<Error> {
        Box::pin(listen::listen(Arc::clone(&self.0.endpoint), listener))
    }
}

impl fmt::Debug for Upstash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstash")
            .field("host", &self.0.endpoint.host())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
