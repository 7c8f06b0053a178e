//! One call on its way through the circuit breaker.

use super::circuit::{Circuit, News};
use crate::error::{Error, ErrorKind};
use crate::reply::Reply;
use crate::store::respite;
use std::sync::Arc;
use std::time::Duration;

/// One call on its way through.
pub(crate) struct Passage {
    circuit: Arc<Circuit>,
    /// For a probe, the end of its time, which tells it from the probes after it.
    probe: Option<Duration>,
    left: bool,
}

impl Passage {
    pub(super) fn new(circuit: Arc<Circuit>, probe: Option<Duration>) -> Self {
        Self {
            circuit,
            probe,
            left: false,
        }
    }

    /// It is over with these replies.
    pub(crate) fn leave(mut self, replies: &[Result<Reply, Error>]) {
        if let Some(news) = news(replies) {
            self.left = true;
            self.circuit.hear(&news, self.probe);
        }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        // A probe that nobody waits for any more, or that taught nothing, makes way for the next.
        if let Some(mine) = self.probe.filter(|_| !self.left) {
            self.circuit.pass_on(mine);
        }
    }
}

/// What these replies say about the server; nothing if they do not tell, as those do not that were made
/// here. A server that answers with an error of its own was reached; a proxy that answers 502 or 503 in its
/// place does not count as the server.
fn news(replies: &[Result<Reply, Error>]) -> Option<News<'_>> {
    let told = |reply: &'_ Result<Reply, Error>| match reply.as_ref().map_err(Error::kind) {
        Ok(_)
        | Err(ErrorKind::Server | ErrorKind::WrongType | ErrorKind::Auth | ErrorKind::TooLarge) => {
            Some(true)
        }
        Err(ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::OutcomeUnknown) => Some(false),
        Err(_) => None,
    };
    let errors = || replies.iter().filter_map(|reply| reply.as_ref().err());
    let asked = errors().find_map(|error| Some(News::LeaveAlone(error, respite::of(error)?)));
    if asked.is_some() {
        return asked;
    }
    if replies.iter().filter_map(told).max()? {
        Some(News::Reached)
    } else {
        errors().next().map(News::Failed)
    }
}
