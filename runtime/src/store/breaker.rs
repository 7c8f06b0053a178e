//! The circuit breaker in front of a remote engine. While the server cannot be reached, or asks to be left
//! alone, calls end at once instead of each waiting out its time budget.

mod circuit;
pub(crate) mod passage;

#[cfg(not(target_arch = "wasm32"))]
use super::command::Command;
#[cfg(not(target_arch = "wasm32"))]
use super::subscription::Listener;
use super::{Batch, Replies, Sending, Store};
use crate::clock::Clock;
use crate::error::Error;
use crate::runtime::BoxFuture;
#[cfg(not(target_arch = "wasm32"))]
use crate::runtime::Instant;
use crate::stats::Meter;
use circuit::Circuit;
use passage::Passage;
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

    fn through(
        &self,
        commands: usize,
        within: Duration,
        start: impl FnOnce() -> Sending,
    ) -> Sending {
        match self.circuit.enter(commands, within) {
            Ok(probe) => start().through(Passage::new(Arc::clone(&self.circuit), probe)),
            Err(error) => Sending::failed(&error, commands),
        }
    }
}

impl<S: Store> Store for Breaker<S> {
    fn place(&self) -> String {
        self.store.place()
    }

    fn send(&self, batch: Batch) -> BoxFuture<Replies> {
        Box::pin(self.start(batch))
    }

    fn start(&self, batch: Batch) -> Sending {
        let (count, within) = (batch.commands.len(), batch.within);
        self.through(count, within, || self.store.start(batch))
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn start_one(&self, command: Command, asked: Instant, within: Duration) -> Sending {
        self.through(1, within, || self.store.start_one(command, asked, within))
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

#[cfg(test)]
mod tests;
