//! Any Redis, Valkey or Redis Cluster over RESP.
//! `batch → pipeline → delivery → transport → link → wire`, and back.

mod command;
mod connection;
mod failure;
mod frames;
mod link;
mod listen;
mod socket;
mod transport;
mod watched;
mod wire;

use super::auto_pipeline::{AutoPipeline, BACKLOG};
use super::command::Command;
use super::merging::Merging;
use super::per_runtime::PerRuntime;
use super::repeat::Patience;
use super::waiting::LONGEST;
use super::{Batch, Replies, Sending, Store};
use crate::error::{Error, ErrorKind};
use crate::runtime::{BoxFuture, Instant};
use crate::secret::Secret;
use crate::stats::Meter;
use crate::store::request_limits::RequestLimits;
use crate::store::subscription::Listener;
use crate::store::this_machine::is_this_machine;
use ::redis::cluster::ClusterClientBuilder;
use ::redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};
use connection::Dial;
use link::Link;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use transport::RespTransport;
use watched::LARGEST_REPLY;

/// Most commands that leave together.
const MOST_COMMANDS: usize = 1_000;

/// Most bytes that leave together, unless one batch alone is larger.
const MOST_BYTES: usize = 1024 * 1024;

/// Exchanges under way, of reads and of writes. They share a connection, so a further one costs little;
/// past this number a slow server gets fewer and larger ones.
const AT_ONCE: usize = 64;

/// How to reach a server, or some nodes of a cluster.
#[derive(Clone, Debug)]
pub(crate) struct RedisConfig {
    /// `redis://[user:password@]host[:port][/db]`, `rediss://` for TLS, `redis+unix:///path`.
    pub(crate) urls: Vec<Secret>,
    pub(crate) cluster: bool,
    /// Repeats after a failure, within the time budget of the caller.
    pub(crate) retries: u32,
    /// The pause before the first repeat; each one after that is twice as long.
    pub(crate) backoff: Duration,
    /// Whether calls that are made at the same time leave together.
    pub(crate) pipelining: bool,
    pub(crate) connect_timeout: Duration,
    /// Bytes of commands that may wait or be under way.
    pub(crate) backlog: usize,
    /// The largest reply that is read, in bytes. On a cluster it is [`LARGEST_REPLY`].
    pub(crate) largest_reply: usize,
}

impl RedisConfig {
    pub(crate) fn new(urls: Vec<Secret>, cluster: bool) -> Self {
        Self {
            urls,
            cluster,
            retries: 5,
            backoff: Duration::from_millis(50),
            pipelining: true,
            connect_timeout: Duration::from_secs(3),
            backlog: BACKLOG,
            largest_reply: LARGEST_REPLY,
        }
    }

    /// Whether an address asks for TLS.
    fn has_tls(&self) -> bool {
        self.urls.iter().any(|url| {
            let scheme = url.reveal().split(':').next().unwrap_or_default();
            ["rediss", "valkeys"]
                .iter()
                .any(|it| scheme.eq_ignore_ascii_case(it))
        })
    }
}

pub(crate) struct Redis(Arc<Inner>);

struct Inner {
    dial: Dial,
    /// Where a subscription may be made: any node of a cluster hears what is published at any.
    addresses: Vec<ConnectionInfo>,
    /// How many subscriptions were begun: each at another node.
    subscriptions: AtomicUsize,
    host: Arc<str>,
    pipelines: PerRuntime<AutoPipeline<RespTransport>>,
    limits: RequestLimits,
    patience: Patience,
    connect_timeout: Duration,
    largest_reply: usize,
    meter: Arc<Meter>,
}

impl Redis {
    /// Checks the configuration; it connects at the first command.
    pub(crate) fn new(config: &RedisConfig, meter: Arc<Meter>) -> Result<Self, Error> {
        let (dial, addresses, host) = dial(config)?;
        Ok(Self(Arc::new(Inner {
            dial,
            addresses,
            subscriptions: AtomicUsize::new(0),
            host: host.into(),
            pipelines: PerRuntime::default(),
            limits: limits(config),
            patience: Patience {
                retries: config.retries,
                backoff: config.backoff,
            },
            connect_timeout: config.connect_timeout,
            largest_reply: config.largest_reply,
            meter,
        })))
    }
}

/// On a cluster a command goes to the node of its slot, and a pipeline of several callers would seldom be
/// for one node.
fn limits(config: &RedisConfig) -> RequestLimits {
    let together = config.pipelining && !config.cluster;
    let at_once = if together { AT_ONCE } else { usize::MAX };
    RequestLimits {
        commands: MOST_COMMANDS,
        bytes: MOST_BYTES,
        reads: at_once,
        writes: at_once,
        together,
        gather: together,
        backlog: config.backlog,
    }
}

impl Inner {
    /// That of the current runtime.
    fn pipeline(&self) -> Result<Arc<AutoPipeline<RespTransport>>, Error> {
        self.pipelines.current(|| {
            let (dial, host) = (self.dial.clone(), Arc::clone(&self.host));
            let transport = RespTransport {
                is_cluster: matches!(dial, Dial::Cluster { .. }),
                link: Arc::new(Link::new(
                    dial,
                    host,
                    self.connect_timeout,
                    self.largest_reply,
                )),
                meter: Arc::clone(&self.meter),
                merging: Merging::default(),
            };
            Ok(AutoPipeline::new(transport, self.limits, self.patience))
        })
    }

    fn start(&self, batch: Batch) -> Sending {
        match self.pipeline() {
            Ok(pipeline) => pipeline.start(batch),
            Err(error) => Sending::failed(&error, batch.commands.len()),
        }
    }

    fn start_one(&self, command: Command, asked: Instant, within: Duration) -> Sending {
        match self.pipeline() {
            Ok(pipeline) => pipeline.start_one(command, asked, within),
            Err(error) => Sending::failed(&error, 1),
        }
    }
}

impl Store for Redis {
    fn send(&self, batch: Batch) -> BoxFuture<Replies> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.start(batch).await })
    }

    fn start(&self, batch: Batch) -> Sending {
        self.0.start(batch)
    }

    fn start_one(&self, command: Command, asked: Instant, within: Duration) -> Sending {
        self.0.start_one(command, asked, within)
    }

    fn place(&self) -> String {
        format!("Redis at {}", self.0.host)
    }

    fn channel_suffix(&self) -> String {
        let first = self.0.addresses.first();
        match first.map_or(0, |address| address.redis_settings().db()) {
            0 => String::new(),
            number => format!("@{number}"),
        }
    }

    fn listen(&self, listener: Listener) -> BoxFuture<Error> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let turn = inner.subscriptions.fetch_add(1, Ordering::Relaxed);
            let next = turn % inner.addresses.len().max(1);
            let Some(address) = inner.addresses.get(next) else {
                return wrong("is missing");
            };
            listen::listen(
                address.clone(),
                &inner.host,
                inner.connect_timeout,
                listener,
            )
            .await
        })
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("host", &self.0.host)
            .finish_non_exhaustive()
    }
}

/// The clients for these URLs, and the address of the first for error texts.
fn dial(config: &RedisConfig) -> Result<(Dial, Vec<ConnectionInfo>, String), Error> {
    #[cfg(not(any(feature = "tls", feature = "tls-ring")))]
    if config.has_tls() {
        return Err(super::missing_tls("rediss"));
    }
    let infos = config
        .urls
        .iter()
        .map(|url| {
            let text = url.reveal();
            if text.trim() != text {
                return Err(wrong("begins or ends with white space; remove it"));
            }
            // The crate's own error could quote the URL, and with it the password.
            text.into_connection_info().map_err(|_| {
                wrong("is not one; it looks like redis://[:password@]host[:port][/db]")
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let Some(first) = infos.first() else {
        return Err(wrong("is missing"));
    };
    let host = first.addr().to_string();
    if infos.iter().any(shows_password) {
        tracing::warn!(
            host,
            "the password and the values travel to another machine in plain text; write rediss:// if the \
             server has TLS"
        );
    }
    let unusable = |_| wrong("cannot be used by this build (an option in it is unknown)");
    let is_insecure =
        |address: &ConnectionAddr| matches!(address, ConnectionAddr::TcpTls { insecure: true, .. });
    if infos.iter().any(|info| is_insecure(info.addr())) {
        return Err(wrong(
            "asks for TLS that trusts anybody (`#insecure`), which is not supported",
        ));
    }
    #[cfg(any(feature = "tls", feature = "tls-ring"))]
    if config.has_tls() {
        super::tls::shared()?;
    }
    if config.cluster {
        let nodes = || {
            ClusterClientBuilder::new(infos.clone())
                .connection_timeout(config.connect_timeout)
                .response_timeout(LONGEST)
        };
        let dial = Dial::Cluster {
            repeating: Box::new(nodes().retries(config.retries).build().map_err(unusable)?),
            once: Box::new(nodes().retries(0).build().map_err(unusable)?),
        };
        return Ok((dial, infos, host));
    }
    if infos.len() > 1 {
        return Err(wrong("is one of several, which only a cluster has"));
    }
    Ok((Dial::Single(Box::new(first.clone())), infos, host))
}

/// Whether a password goes to another machine in plain text.
fn shows_password(info: &ConnectionInfo) -> bool {
    let is_exposed = match info.addr() {
        ConnectionAddr::Tcp(host, _) => !is_this_machine(host),
        _ => false,
    };
    is_exposed && info.redis_settings().password().is_some()
}

fn wrong(what: &str) -> Error {
    Error::new(ErrorKind::Config, format!("the Redis URL {what}"))
}

#[cfg(test)]
mod tests;
