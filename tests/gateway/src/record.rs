//! What arrived, for tests to look at.

use crate::patience::{self, Patience};
use bytes::Bytes;
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;

/// A request that reached the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `POST`
    pub method: String,
    /// Path and query, as sent.
    pub path: String,
    /// Names in lower case, values lossy where they are no text.
    pub headers: Vec<(String, String)>,
    /// Each command's name and arguments, lossy where they are no UTF-8; none if the request could
    /// not be read or its token was wrong.
    pub commands: Vec<Vec<String>>,
}

impl Request {
    /// A command that came over RESP.
    pub(crate) fn of_command(command: &[Bytes]) -> Self {
        let words = command.iter().map(|word| String::from_utf8_lossy(word));
        Self {
            method: String::new(),
            path: String::new(),
            headers: Vec::new(),
            commands: vec![words.map(Into::into).collect()],
        }
    }

    /// The value of a header; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether a command of this name is among those of the request, whatever its case.
    pub fn has_command(&self, name: &str) -> bool {
        self.commands
            .iter()
            .filter_map(|command| command.first())
            .any(|first| first.eq_ignore_ascii_case(name))
    }
}

/// All requests since the start, or since they were cleared.
#[derive(Debug, Default)]
pub(crate) struct Log {
    requests: Mutex<Vec<Request>>,
    pub(crate) arrivals: watch::Sender<u64>,
    pub(crate) under_way: watch::Sender<usize>,
    dripped: watch::Sender<u64>,
}

impl Log {
    pub(crate) fn add(&self, request: Request) {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(request);
        self.arrivals.send_modify(|count| *count += 1);
    }

    pub(crate) fn all(&self) -> Vec<Request> {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn clear(&self) {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// A byte of an answer that never ends has been sent.
    pub(crate) fn drip(&self) {
        self.dripped.send_modify(|bytes| *bytes += 1);
    }

    pub(crate) async fn drips(&self, patience: &Patience, bytes: u64) {
        let mut dripped = self.dripped.subscribe();
        let wanted = *dripped.borrow() + bytes;
        let seen = dripped.wait_for(|dripped| *dripped >= wanted);
        let in_time = patience.bound(seen).await.is_some();
        assert!(in_time, "bytes of an answer: {}", patience::EXHAUSTED);
    }

    /// Counts a request as under way until the guard is dropped.
    pub(crate) fn begin(&self) -> UnderWay {
        self.under_way.send_modify(|count| *count += 1);
        UnderWay {
            count: self.under_way.clone(),
        }
    }

    pub(crate) async fn wait_for(&self, patience: &Patience, wanted: impl Fn(&[Request]) -> bool) {
        let mut arrivals = self.arrivals.subscribe();
        let seen = async {
            // The sender lives as long as the log.
            while !wanted(&self.all()) && arrivals.changed().await.is_ok() {}
        };
        let in_time = patience.bound(seen).await.is_some();
        assert!(
            in_time,
            "{}; what did arrive: {:#?}",
            patience::EXHAUSTED,
            self.all()
        );
    }
}

/// One request under way.
#[derive(Debug)]
pub(crate) struct UnderWay {
    count: watch::Sender<usize>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.count.send_modify(|count| *count -= 1);
    }
}
