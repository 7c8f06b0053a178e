//! What a test can make go wrong, and the answers it can withhold.

use crate::patience::{self, Patience};
use crate::record::Request;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// What happens to a request instead of an honest answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The connection is reset; nothing runs.
    ResetBefore,
    /// Everything runs, then the connection is reset: the answer is lost.
    ResetAfter,
    /// Everything runs; the headers and half of the body arrive, then the connection closes.
    Truncated,
    /// Everything runs; the answer comes this much later.
    Slow(Duration),
    /// Everything runs; the answer comes byte by byte, a thousand a second, and never ends.
    Drip,
    /// Nothing runs; this comes back.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The `Content-Type`.
        content_type: &'static str,
        /// The body.
        body: String,
    },
    /// Nothing runs; a bare status comes back, with this `Retry-After`.
    TryLater {
        /// The HTTP status.
        status: u16,
        /// The value of the header.
        after: String,
    },
}

impl Fault {
    /// Nothing runs; a page of HTML comes back with status 200, as from a captive portal.
    pub fn html() -> Self {
        let body = "<!DOCTYPE html><html><body><h1>Sign in</h1></body></html>".to_owned();
        Self::Answer {
            status: 200,
            content_type: "text/html",
            body,
        }
    }

    /// Nothing runs; this JSON comes back with status 200.
    pub fn json(body: impl Into<String>) -> Self {
        Self::Answer {
            status: 200,
            content_type: "application/json",
            body: body.into(),
        }
    }

    /// Nothing runs; these bytes come back from a [`Relay`](crate::Relay).
    pub fn resp(bytes: impl Into<String>) -> Self {
        Self::Answer {
            status: 200,
            content_type: "",
            body: bytes.into(),
        }
    }

    /// Nothing runs; `{"error": text}` comes back with this status.
    pub fn error(status: u16, text: &str) -> Self {
        let body = serde_json::json!({ "error": text }).to_string();
        Self::Answer {
            status,
            content_type: "application/json",
            body,
        }
    }

    /// Nothing runs; the status comes back with `Retry-After`, as from a provider under load.
    pub fn try_later(status: u16, after: impl Into<String>) -> Self {
        Self::TryLater {
            status,
            after: after.into(),
        }
    }

    /// Nothing runs; a bare status comes back, with a line of text, as from a proxy.
    pub fn status(status: u16) -> Self {
        Self::Answer {
            status,
            content_type: "text/plain",
            body: format!("status {status}\n"),
        }
    }
}

/// Which requests a fault or a hold is for: by default the next one that fits.
pub struct Matcher {
    fits: Box<dyn Fn(&Request) -> bool + Send>,
    skip: usize,
    times: usize,
}

impl Matcher {
    /// Every request.
    pub fn any() -> Self {
        Self::when(|_| true)
    }

    /// Requests with a command of this name, whatever its case.
    pub fn command(name: &str) -> Self {
        let name = name.to_owned();
        Self::when(move |request| request.has_command(&name))
    }

    /// Requests with this text among the arguments of a command, for example a key.
    pub fn argument(text: &str) -> Self {
        let text = text.to_owned();
        Self::when(move |request| {
            request
                .commands
                .iter()
                .flatten()
                .skip(1)
                .any(|argument| *argument == text)
        })
    }

    /// Requests for which this is true.
    pub fn when(fits: impl Fn(&Request) -> bool + Send + 'static) -> Self {
        Self {
            fits: Box::new(fits),
            skip: 0,
            times: 1,
        }
    }

    /// Lets the first `skip` requests that fit pass.
    #[must_use]
    pub fn after(mut self, skip: usize) -> Self {
        self.skip = skip;
        self
    }

    /// Acts on this many requests.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Acts on every request that fits.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }
}

impl From<&str> for Matcher {
    fn from(command: &str) -> Self {
        Self::command(command)
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matcher")
            .field("skip", &self.skip)
            .field("times", &self.times)
            .finish_non_exhaustive()
    }
}

/// What is done with a request that a [`Matcher`] fits.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Fail(Fault),
    HoldBefore(Arc<Gate>),
    HoldAfter(Arc<Gate>),
}

/// The faults and holds that wait for their requests; the oldest that fits acts.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    rules: Mutex<Vec<(Matcher, Action)>>,
}

impl Plan {
    pub(crate) fn add(&self, matcher: Matcher, action: Action) {
        self.rules
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((matcher, action));
    }

    pub(crate) fn clear(&self) {
        self.rules
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    pub(crate) fn take(&self, request: &Request) -> Option<Action> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        for (matcher, action) in rules.iter_mut().filter(|(matcher, _)| matcher.times > 0) {
            if !(matcher.fits)(request) {
                continue;
            }
            if matcher.skip > 0 {
                matcher.skip -= 1;
                continue;
            }
            matcher.times -= 1;
            return Some(action.clone());
        }
        None
    }
}

/// Where held requests wait.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    arrived: watch::Sender<usize>,
    verdict: watch::Sender<Option<Verdict>>,
}

#[derive(Clone, Debug)]
enum Verdict {
    GoOn,
    Fail(Fault),
}

impl Gate {
    /// Waits for the test; the fault is what it wants instead of the answer.
    pub(crate) async fn pass(&self) -> Option<Fault> {
        let mut verdict = self.verdict.subscribe();
        self.arrived.send_modify(|count| *count += 1);
        // An error would mean that the gate is gone, and it is borrowed here.
        match verdict
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|verdict| verdict.clone())
        {
            Some(Verdict::Fail(fault)) => Some(fault),
            Some(Verdict::GoOn) | None => None,
        }
    }
}

/// Requests that are being withheld. Dropping it lets them go.
#[derive(Debug)]
#[must_use = "dropping it releases what it holds"]
pub struct Hold {
    pub(crate) gate: Arc<Gate>,
    pub(crate) patience: Patience,
}

impl Hold {
    /// Waits until a request is held. For a hold after the run: the commands have run by then.
    ///
    /// # Panics
    ///
    /// When none came within 30 seconds.
    pub async fn arrived(&self) {
        self.arrivals(1).await;
    }

    /// Waits until this many requests are held.
    ///
    /// # Panics
    ///
    /// When they did not come within 30 seconds.
    pub async fn arrivals(&self, wanted: usize) {
        let mut arrived = self.gate.arrived.subscribe();
        let enough = self
            .patience
            .bound(arrived.wait_for(|count| *count >= wanted))
            .await
            .is_some();
        assert!(enough, "a held request: {}", patience::EXHAUSTED);
    }

    /// Lets the held requests go on, and those that would have been held.
    pub fn release(self) {
        drop(self);
    }

    /// Lets the held requests fail in this way.
    pub fn fail(self, fault: Fault) {
        self.gate.verdict.send_replace(Some(Verdict::Fail(fault)));
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.gate.verdict.send_if_modified(|verdict| {
            let open = verdict.is_none();
            verdict.get_or_insert(Verdict::GoOn);
            open
        });
    }
}
