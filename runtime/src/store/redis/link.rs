//! The connection of one Tokio runtime, opened at first use and anew after it broke.

use super::wire::error_text;
use crate::error::{Error, ErrorKind};
use crate::runtime;
use crate::store::repeat::{Failure, Stage};
use crate::store::server_error::{not_run, presentable, server_error};
use crate::store::waiting::runtime_gone;
use crate::sync;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, RedisError, Value};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// After that long without an answer a connection is asked for a sign of life before it is trusted
/// with a command that must not be sent twice. Balancers close idle connections after minutes.
const TRUSTED: Duration = Duration::from_secs(15);

/// How to connect. The clients hold the password; neither is ever printed.
#[derive(Clone)]
pub(crate) enum Dial {
    Single(Box<Client>),
    /// The second one never repeats a command by itself.
    Cluster {
        repeating: Box<ClusterClient>,
        once: Box<ClusterClient>,
    },
}

#[derive(Clone)]
pub(crate) enum Connection {
    Single(MultiplexedConnection),
    Cluster {
        repeating: ClusterConnection,
        once: ClusterConnection,
    },
}

pub(crate) struct Link {
    dial: Dial,
    /// Where it leads, for error texts.
    host: Arc<str>,
    connect_timeout: Duration,
    current: Mutex<Current>,
}

#[derive(Default)]
enum Current {
    #[default]
    None,
    /// A task of its own is at it; whoever waits for it may stop waiting.
    Opening(watch::Receiver<Option<OpenResult>>),
    Open(Arc<Opened>),
}

type OpenResult = Result<Arc<Opened>, Failure>;

pub(crate) struct Opened {
    pub(crate) connection: Connection,
    answered: Mutex<Instant>,
}

impl Opened {
    pub(crate) fn has_answered(&self) {
        if let Ok(mut answered) = self.answered.lock() {
            *answered = Instant::now();
        }
    }

    fn is_trusted(&self) -> bool {
        let answered = self.answered.lock();
        answered.is_ok_and(|answered| answered.elapsed() < TRUSTED)
    }
}

impl Link {
    pub(crate) fn new(dial: Dial, host: Arc<str>, connect_timeout: Duration) -> Self {
        Self {
            dial,
            host,
            connect_timeout,
            current: Mutex::default(),
        }
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The open connection, or a new one. `sure`: one that has just shown that it is alive.
    ///
    /// Opening goes on when this wait is given up, so a handshake that is slower than one budget
    /// serves the callers after it.
    pub(crate) async fn open(self: &Arc<Self>, sure: bool) -> OpenResult {
        let mut outcome = match self.look(sure) {
            Current::Open(opened) => return Ok(opened),
            Current::Opening(outcome) => outcome,
            Current::None => return Err(not_driven()),
        };
        let found = outcome.wait_for(Option::is_some).await;
        found
            .ok()
            .and_then(|outcome| outcome.clone())
            .unwrap_or_else(|| Err(not_driven()))
    }

    fn look(self: &Arc<Self>, sure: bool) -> Current {
        let (sender, outcome, doubted) = {
            let mut current = self.lock();
            let doubted = match &*current {
                Current::Open(opened) if !sure || opened.is_trusted() => {
                    return Current::Open(Arc::clone(opened));
                }
                Current::Opening(outcome) if outcome.has_changed().is_ok() => {
                    return Current::Opening(outcome.clone());
                }
                Current::Open(opened) => Some(Arc::clone(opened)),
                Current::Opening(_) | Current::None => None,
            };
            let (sender, outcome) = watch::channel(None);
            *current = Current::Opening(outcome.clone());
            (sender, outcome, doubted)
        };
        let link = Arc::clone(self);
        runtime::spawn(async move {
            let outcome = link.renew(doubted).await;
            *link.lock() = match &outcome {
                Ok(opened) => Current::Open(Arc::clone(opened)),
                Err(_) => Current::None,
            };
            sender.send_replace(Some(outcome));
        });
        Current::Opening(outcome)
    }

    /// The connection in doubt if it shows that it is alive, else a new one.
    async fn renew(&self, doubted: Option<Arc<Opened>>) -> OpenResult {
        if let Some(opened) = doubted
            && let Ok(true) = timeout(self.connect_timeout, is_alive(&opened)).await
        {
            return Ok(opened);
        }
        let connection = timeout(self.longest_connect(), self.connect())
            .await
            .map_err(|_| self.too_slow())?
            .map_err(|error| self.unreached(&error))?;
        Ok(Arc::new(Opened {
            connection,
            answered: Mutex::new(Instant::now()),
        }))
    }

    /// Forgets a connection that broke, unless it was replaced already.
    pub(crate) fn discard(&self, broken: &Arc<Opened>) {
        let mut current = self.lock();
        if matches!(&*current, Current::Open(opened) if Arc::ptr_eq(opened, broken)) {
            *current = Current::None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        sync::lock(&self.current)
    }

    fn longest_connect(&self) -> Duration {
        match self.dial {
            Dial::Single(_) => self.connect_timeout,
            // Two clients, one after the other.
            Dial::Cluster { .. } => self.connect_timeout.saturating_mul(2),
        }
    }

    fn too_slow(&self) -> Failure {
        let (host, limit) = (&self.host, self.connect_timeout);
        Failure {
            stage: Stage::NotSent,
            error: Error::new(
                ErrorKind::Unavailable,
                format!("could not connect to {host} within {limit:?}; check the network"),
            ),
        }
    }

    async fn connect(&self) -> Result<Connection, RedisError> {
        // Waiting for an answer is bounded by the caller's budget, not per connection.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(None);
        Ok(match &self.dial {
            Dial::Single(client) => Connection::Single(
                client
                    .get_multiplexed_async_connection_with_config(&config)
                    .await?,
            ),
            Dial::Cluster { repeating, once } => Connection::Cluster {
                repeating: repeating.get_async_connection().await?,
                once: once.get_async_connection().await?,
            },
        })
    }

    fn unreached(&self, error: &RedisError) -> Failure {
        let host = &self.host;
        let detail = error.detail().map(presentable).unwrap_or_default();
        let code = error.code().unwrap_or_default();
        let refused = error.kind() == redis::ErrorKind::AuthenticationFailed
            || matches!(code, "NOAUTH" | "WRONGPASS" | "NOPERM");
        if refused {
            return Failure::lasting(Error::new(
                ErrorKind::Auth,
                format!("{host} refused the user name or password of the Redis URL ({detail})"),
            ));
        }
        if error.kind() == redis::ErrorKind::InvalidClientConfig {
            return Failure::lasting(Error::new(
                ErrorKind::Config,
                format!("the Redis URL does not fit {host} ({detail})"),
            ));
        }
        Failure {
            stage: Stage::NotSent,
            error: Error::with_source(
                ErrorKind::Unavailable,
                format!("could not connect to {host}; check the Redis URL and the network"),
                error.clone(),
            ),
        }
    }

    /// What it means that a connection gave an error instead of replies.
    pub(crate) fn broken(&self, error: &RedisError) -> Failure {
        let host = &self.host;
        if matches!(error.kind(), redis::ErrorKind::Server(_)) {
            let text = error_text(error);
            return Failure {
                stage: match not_run(&text) {
                    Some(_) => Stage::NotSent,
                    None => Stage::Lasting,
                },
                error: server_error(&text),
            };
        }
        match error.kind() {
            redis::ErrorKind::ClusterConnectionNotFound => Failure {
                stage: Stage::NotSent,
                error: Error::with_source(
                    ErrorKind::Unavailable,
                    format!("no node of the cluster at {host} can be reached"),
                    error.clone(),
                ),
            },
            redis::ErrorKind::Parse => Failure {
                stage: Stage::Lost,
                error: Error::new(
                    ErrorKind::Protocol,
                    format!("the answer of {host} is not RESP: this does not look like a Redis"),
                ),
            },
            redis::ErrorKind::Io => Failure {
                stage: Stage::Lost,
                error: Error::with_source(
                    ErrorKind::Unavailable,
                    format!("the connection to {host} broke before the answer came"),
                    error.clone(),
                ),
            },
            _ => Failure::lasting(Error::new(
                ErrorKind::Protocol,
                format!("the client refused the command: {}", error.category()),
            )),
        }
    }
}

impl Connection {
    pub(crate) async fn run(&self, pipeline: &Pipeline) -> Result<Vec<Value>, RedisError> {
        match self.clone() {
            Self::Single(mut connection) => {
                connection
                    .req_packed_commands(pipeline, 0, pipeline.len())
                    .await
            }
            Self::Cluster { mut repeating, .. } => {
                repeating
                    .req_packed_commands(pipeline, 0, pipeline.len())
                    .await
            }
        }
    }

    /// A pipeline between `MULTI` and `EXEC`: the reply to the latter.
    pub(crate) async fn run_transaction(&self, pipeline: &Pipeline) -> Result<Value, RedisError> {
        let last = pipeline.len() + 1;
        let mut values = match self.clone() {
            Self::Single(mut connection) => {
                connection.req_packed_commands(pipeline, last, 1).await?
            }
            // The client that repeats nothing by itself.
            Self::Cluster { mut once, .. } => once.req_packed_commands(pipeline, last, 1).await?,
        };
        Ok(values.pop().unwrap_or(Value::Nil))
    }

    /// One command alone; on a cluster it finds its own way.
    pub(crate) async fn run_one(&self, cmd: &Cmd, may_repeat: bool) -> Result<Value, RedisError> {
        match self.clone() {
            Self::Single(mut connection) => connection.req_packed_command(cmd).await,
            Self::Cluster { mut repeating, .. } if may_repeat => {
                repeating.req_packed_command(cmd).await
            }
            Self::Cluster { mut once, .. } => once.req_packed_command(cmd).await,
        }
    }
}

/// The runtime that would have opened the connection is gone.
fn not_driven() -> Failure {
    Failure {
        stage: Stage::NotSent,
        error: runtime_gone(),
    }
}

async fn is_alive(opened: &Opened) -> bool {
    let Connection::Single(connection) = &opened.connection else {
        return true;
    };
    let alive = connection
        .clone()
        .req_packed_command(&redis::cmd("PING"))
        .await;
    opened.has_answered();
    alive.is_ok()
}
