//! Upstash Redis, and whatever speaks its REST protocol, over HTTP.
//! `batch → pipeline (auto_pipeline.rs) → delivery → http → wire`, and back.

mod config;
mod delivery;
mod endpoint;
mod http;
mod wire;

use super::auto_pipeline::{AutoPipeline, Limits};
use super::command::Reply;
use super::per_runtime::PerRuntime;
use super::repeat::Patience;
use super::{Batch, Store};
use crate::error::Error;
use crate::runtime::BoxFuture;
use crate::stats::Meter;
pub(crate) use config::UpstashConfig;
use delivery::HttpTransport;
use http::Endpoint;
use std::fmt;
use std::sync::{Arc, Mutex};
use wire::Encoded;

/// Most commands that leave together; the number of the official SDK.
const MOST_COMMANDS: usize = 1_000;

/// Most bytes that leave together, unless one batch alone is larger.
const MOST_BYTES: usize = 1024 * 1024;

/// A database behind Upstash's REST protocol.
pub(crate) struct Upstash(Arc<Inner>);

struct Inner {
    endpoint: Arc<Endpoint>,
    pipelines: PerRuntime<AutoPipeline<HttpTransport>>,
    limits: Limits,
    patience: Patience,
}

impl Upstash {
    /// Checks the configuration; nothing is sent before the first command.
    pub(crate) fn new(config: &UpstashConfig, meter: Arc<Meter>) -> Result<Self, Error> {
        let at_once = |bounded, is_bounded| if is_bounded { bounded } else { usize::MAX };
        Ok(Self(Arc::new(Inner {
            endpoint: Arc::new(Endpoint::new(config, meter)?),
            pipelines: PerRuntime::default(),
            limits: Limits {
                commands: MOST_COMMANDS,
                bytes: MOST_BYTES,
                reads: at_once(4, config.pipelining),
                // The token of a write that overtook another would hide the other.
                writes: at_once(1, config.pipelining || config.read_your_writes),
                together: config.pipelining,
            },
            patience: Patience {
                retries: config.retries,
                backoff: config.backoff,
            },
        })))
    }
}

impl Inner {
    fn pipeline(&self) -> Result<Arc<AutoPipeline<HttpTransport>>, Error> {
        self.pipelines.current(|| {
            let transport = HttpTransport {
                endpoint: Arc::clone(&self.endpoint),
                client: self.endpoint.client()?,
                patience: self.patience,
                most_commands: self.limits.commands,
                most_bytes: self.limits.bytes,
                answered: Mutex::default(),
            };
            Ok(AutoPipeline::new(transport, self.limits))
        })
    }

    /// What cannot be sent fails alone; the rest goes, and the answers fall into their places.
    async fn send(&self, batch: Batch) -> Vec<Result<Reply, Error>> {
        let mut items = Vec::with_capacity(batch.commands.len());
        let mut replies: Vec<Option<Error>> = Vec::with_capacity(batch.commands.len());
        for command in &batch.commands {
            match Encoded::new(command) {
                Ok(encoded) => {
                    items.push(encoded);
                    replies.push(None);
                }
                Err(error) => replies.push(Some(error)),
            }
        }
        if items.is_empty() {
            return replies.into_iter().flatten().map(Err).collect();
        }
        let mut answers = match self.pipeline() {
            Ok(pipeline) => pipeline.send(items, batch.within).await,
            Err(error) => items.iter().map(|_| Err(error.clone())).collect(),
        }
        .into_iter();
        replies
            .into_iter()
            .filter_map(|unsendable| match unsendable {
                Some(error) => Some(Err(error)),
                None => answers.next(),
            })
            .collect()
    }
}

impl Store for Upstash {
    fn send(&self, batch: Batch) -> BoxFuture<Vec<Result<Reply, Error>>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.send(batch).await })
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
