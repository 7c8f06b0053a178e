//! The circuit breaker in front of a remote engine. While the server cannot be reached, or asks to be left
//! alone, calls end at once instead of each waiting out its time budget.

mod circuit;

use super::command::Reply;
use super::respite;
#[cfg(not(target_arch = "wasm32"))]
use super::subscription::Listener;
use super::{Batch, Sending, Store};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::runtime::BoxFuture;
use crate::stats::Meter;
use circuit::{Circuit, News};
use std::sync::Arc;
use std::time::Duration;

pub(crate) struct Breaker<S> {
    store: S,
    circuit: Arc<Circuit>,
}

impl<S: Store> Breaker<S> {
    pub(crate) fn new(store: S, clock: Clock, meter: Arc<Meter>) -> Self {
        Self {
            store,
            circuit: Arc::new(Circuit::new(clock, meter)),
        }
    }
}

impl<S: Store> Store for Breaker<S> {
    fn place(&self) -> String {
        self.store.place()
    }

    fn send(&self, batch: Batch) -> BoxFuture<Vec<Result<Reply, Error>>> {
        Box::pin(self.start(batch))
    }

    fn start(&self, batch: Batch) -> Sending {
        match self.circuit.enter(&batch) {
            Ok(probe) => self.store.start(batch).through(Passage {
                circuit: Arc::clone(&self.circuit),
                probe,
                left: false,
            }),
            Err(error) => {
                let refused = batch.commands.iter().map(|_| Err(error.clone())).collect();
                Sending::boxed(Box::pin(std::future::ready(refused)))
            }
        }
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn listen(&self, listener: Listener) -> BoxFuture<Error> {
        self.store.listen(listener)
    }

    fn channel_suffix(&self) -> String {
        self.store.channel_suffix()
    }

    fn silence(&self) -> Duration {
        self.store.silence()
    }

    fn outage(&self) -> Option<Error> {
        self.circuit.outage()
    }
}

/// One call on its way through.
pub(crate) struct Passage {
    circuit: Arc<Circuit>,
    /// For a probe, the end of its time, which tells it from the probes after it.
    probe: Option<Duration>,
    left: bool,
}

impl Passage {
    pub(super) fn leave(mut self, replies: &[Result<Reply, Error>]) {
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

#[cfg(test)]
mod tests;
