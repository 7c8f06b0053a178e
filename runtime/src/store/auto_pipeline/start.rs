//! How commands come in: a read leaves by itself, or waits to leave with others; anything else is a request with a future of
//! its own.

use super::read::Read;
use super::{AutoPipeline, Place};
use crate::clock::Since;
use crate::few::Few;
use crate::runtime::{self, Instant};
use crate::store::alone::Alone;
use crate::store::batch::Batch;
use crate::store::command::{Call, Command, Effect};
use crate::store::line::Line;
use crate::store::queued::Queued;
use crate::store::sending::Sending;
use crate::store::transport::{Kind, Outgoing, Transport};
use crate::store::waiting::{LONGEST, Request};
use std::sync::Arc;
use std::time::Duration;

impl<T: Transport> AutoPipeline<T> {
    /// Sends a batch, without a box of its own if it is a read that may leave without others.
    pub(crate) fn start(self: Arc<Self>, mut batch: Batch) -> Sending {
        match batch.commands.pop() {
            Some(command) if batch.commands.is_empty() => {
                self.start_one(command, runtime::now(), batch.within)
            }
            last => {
                batch.commands.extend(last);
                Sending::boxed(Box::pin(self.send(batch)))
            }
        }
    }

    /// The same of one command, whose caller began to wait just now.
    pub(crate) fn start_one(
        self: Arc<Self>,
        command: Command,
        asked: Instant,
        within: Duration,
    ) -> Sending {
        let asked = Since::at(asked);
        let is_plain = matches!(command.call, Call::Plain(_) | Call::Pair(_));
        let is_read = command.effect == Effect::Read && is_plain;
        let within = within.min(LONGEST);
        let command = match T::Command::new(command) {
            Ok(command) => command,
            Err(error) => return Sending::failed(&error, 1),
        };
        if !is_read {
            let request = Request::asked(Few::from([Line::new(command)]), asked, within);
            return self.start_apart(request);
        }
        let mut state = self.lock();
        let may_begin = !state.ended && state.proven && self.transport.is_connected();
        if may_begin && state.reads.go_alone() {
            drop(state);
            let place = Place {
                pipeline: Arc::clone(&self),
                is_half_way: false,
            };
            let read = Read::new(place, command, asked, within);
            return Sending::alone(Alone::new(self.reads.start(read, Read::run)));
        }
        let request = Request::asked(Few::from([Line::new(command)]), asked, within);
        let turn = Arc::clone(request.turn());
        let is_joined = !state.ended && state.reads.is_joined();
        let (deadlines, now) = (&self.deadlines, asked.instant);
        if !is_joined || !deadlines.answer_after(now, within, &turn) {
            drop(state);
            return self.start_apart(request);
        }
        if let Err(error) = self.check_room(&mut state, &request) {
            return Sending::failed(&error, 1);
        }
        state.reads.push(request);
        let is_awaited = state.reads.is_boarding();
        drop(state);
        if !is_awaited {
            self.dispatch(Kind::Reads);
        }
        Sending::queued(Queued::new(turn))
    }

    /// By a request with a future of its own.
    fn start_apart(self: Arc<Self>, request: Request<T::Command>) -> Sending {
        Sending::boxed(Box::pin(async move { self.request(request).await }))
    }
}
