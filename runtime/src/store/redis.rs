//! Any Redis, Valkey or Redis Cluster over RESP. A batch is one pipeline; each batch is a task of
//! its own, so a caller that goes away only stops waiting.

mod delivery;
mod link;
mod wire;

use super::command::{Effect, Reply};
use super::per_runtime::PerRuntime;
use super::repeat::{Patience, Tries};
use super::waiting::{LONGEST, Replies, unsent, wait};
use super::{Batch, Store};
use crate::error::{Error, ErrorKind};
use crate::runtime::{self, BoxFuture};
use crate::secret::Secret;
use crate::stats::Meter;
use ::redis::cluster::ClusterClientBuilder;
use ::redis::{Client, IntoConnectionInfo};
use delivery::{Delivery, Turn};
use link::{Dial, Link};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

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
    pub(crate) connect_timeout: Duration,
}

impl RedisConfig {
    pub(crate) fn new(urls: Vec<Secret>, cluster: bool) -> Self {
        Self {
            urls,
            cluster,
            retries: 5,
            backoff: Duration::from_millis(50),
            connect_timeout: Duration::from_secs(3),
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
    #[cfg(any(feature = "tls", feature = "tls-ring"))]
    has_tls: bool,
    host: Arc<str>,
    links: PerRuntime<Link>,
    patience: Patience,
    connect_timeout: Duration,
    meter: Arc<Meter>,
}

impl Redis {
    /// Checks the configuration; it connects at the first command.
    pub(crate) fn new(config: &RedisConfig, meter: Arc<Meter>) -> Result<Self, Error> {
        let (dial, host) = dial(config)?;
        Ok(Self(Arc::new(Inner {
            dial,
            #[cfg(any(feature = "tls", feature = "tls-ring"))]
            has_tls: config.has_tls(),
            host: host.into(),
            links: PerRuntime::default(),
            patience: Patience {
                retries: config.retries,
                backoff: config.backoff,
            },
            connect_timeout: config.connect_timeout,
            meter,
        })))
    }
}

impl Inner {
    async fn send(self: Arc<Self>, batch: Batch) -> Replies {
        // As late as possible: the program may make its own choice while it starts.
        #[cfg(any(feature = "tls", feature = "tls-ring"))]
        if self.has_tls {
            super::tls::provide();
        }
        let effects: Vec<Effect> = batch.commands.iter().map(|it| it.effect).collect();
        let link = self.links.current(|| {
            Ok(Link::new(
                self.dial.clone(),
                Arc::clone(&self.host),
                self.connect_timeout,
            ))
        });
        let link = match link {
            Ok(link) => link,
            Err(error) => return unsent(&effects, &error),
        };
        let within = batch.within.min(LONGEST);
        let turn = Arc::new(Turn::default());
        let (caller, answers) = oneshot::channel();
        let delivery = Delivery {
            link,
            meter: Arc::clone(&self.meter),
            lines: delivery::lines(batch.commands),
            tries: Tries::new(self.patience, Instant::now() + within),
            turn: Arc::clone(&turn),
        };
        runtime::spawn(async move {
            // The caller may have gone away.
            let _ = caller.send(delivery.run().await);
        });
        wait(&effects, answers, within, || turn.withdraw()).await
    }
}

impl Store for Redis {
    fn send(&self, batch: Batch) -> BoxFuture<Vec<Result<Reply, Error>>> {
        Box::pin(Arc::clone(&self.0).send(batch))
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
fn dial(config: &RedisConfig) -> Result<(Dial, String), Error> {
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
    let unusable = |_| wrong("cannot be used by this build (an option in it is unknown)");
    #[cfg(any(feature = "tls", feature = "tls-ring"))]
    let certificates = config.has_tls().then(certificates).transpose()?;
    if config.cluster {
        let nodes = || {
            let nodes = ClusterClientBuilder::new(infos.clone())
                .connection_timeout(config.connect_timeout)
                .response_timeout(LONGEST);
            #[cfg(any(feature = "tls", feature = "tls-ring"))]
            if let Some(certificates) = certificates.clone() {
                return nodes.certs(certificates);
            }
            nodes
        };
        let dial = Dial::Cluster {
            repeating: Box::new(nodes().retries(config.retries).build().map_err(unusable)?),
            once: Box::new(nodes().retries(0).build().map_err(unusable)?),
        };
        return Ok((dial, host));
    }
    if infos.len() > 1 {
        return Err(wrong("is one of several, which only a cluster has"));
    }
    #[cfg(any(feature = "tls", feature = "tls-ring"))]
    if let Some(certificates) = certificates {
        let client = Client::build_with_tls(first.clone(), certificates).map_err(unusable)?;
        return Ok((Dial::Single(Box::new(client)), host));
    }
    let client = Client::open(first.clone()).map_err(unusable)?;
    Ok((Dial::Single(Box::new(client)), host))
}

#[cfg(any(feature = "tls", feature = "tls-ring"))]
fn certificates() -> Result<::redis::TlsCertificates, Error> {
    Ok(::redis::TlsCertificates {
        client_tls: None,
        root_cert: Some(super::tls::pem()?),
    })
}

fn wrong(what: &str) -> Error {
    Error::new(ErrorKind::Config, format!("the Redis URL {what}"))
}

#[cfg(test)]
mod tests;
