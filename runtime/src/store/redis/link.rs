//! The connection of one Tokio runtime, opened at first use and anew after it broke.

use super::connection::{Connection, Dial};
use super::failure;
use crate::clock::Since;
use crate::runtime;
use crate::store::repeat::{Failure, Stage};
use crate::store::waiting::runtime_gone;
use crate::sync;
use redis::aio::ConnectionLike;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// After that long without an answer a connection is asked for a sign of life before it is trusted
/// with a command that must not be sent twice. Balancers close idle connections after minutes.
const TRUSTED: Duration = Duration::from_secs(15);

pub(crate) struct Link {
    dial: Dial,
    /// Where it leads, for error texts.
    host: Arc<str>,
    connect_timeout: Duration,
    largest_reply: usize,
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
    answered: Mutex<Since>,
}

impl Opened {
    pub(crate) fn has_answered(&self) {
        *sync::lock(&self.answered) = Since::now();
    }

    fn is_trusted(&self) -> bool {
        sync::lock(&self.answered).elapsed() < TRUSTED
    }
}

impl Link {
    pub(crate) fn new(
        dial: Dial,
        host: Arc<str>,
        connect_timeout: Duration,
        largest_reply: usize,
    ) -> Self {
        Self {
            dial,
            host,
            connect_timeout,
            largest_reply,
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
                Current::Open(opened) if opened.connection.has_ended() => None,
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
        let within = self.connect_timeout;
        let connected = self.dial.connect(within, self.largest_reply);
        let connection = timeout(self.longest_connect(), connected)
            .await
            .map_err(|_| failure::too_slow(&self.host, within))?
            .map_err(|error| failure::unreached(&self.host, &error))?;
        Ok(Arc::new(Opened {
            connection,
            answered: Mutex::new(Since::now()),
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
