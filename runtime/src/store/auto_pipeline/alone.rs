//! A read while there is no other: it leaves at once, its caller polls the exchange, and nothing stands around that. Where
//! the exchange does not bring the answer, a delivery goes on from there.

use super::boxes::{Delivering, to_its_end};
use super::{AutoPipeline, Replies};
use crate::error::ErrorKind;
use crate::few::Few;
use crate::runtime::{self, Instant, RuntimeHandle, Since};
use crate::store::Batch;
use crate::store::command::{Call, Effect};
use crate::store::delivery::{Begun, Delivery, clean_reply, not_connected};
use crate::store::line::Line;
use crate::store::transport::{Encoded, Kind, Outgoing, Transport};
use crate::store::until::Until;
use crate::store::waiting::{LONGEST, Request, late, runtime_gone};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;

/// Such a read, as its caller sees it. Dropped, what has left is still listened for: a connection that an answer is due
/// on would be closed.
pub(crate) struct Alone {
    state: State,
    /// Its connections belong to this runtime, wherever the caller is polled.
    runtime: RuntimeHandle,
}

enum State {
    /// A command that cannot be encoded.
    Refused(Replies),
    /// Nothing has left.
    New(Delivering<Replies>),
    Here(Delivering<Replies>),
    /// It is a task, since the caller is polled elsewhere.
    Elsewhere(oneshot::Receiver<Replies>),
    Over,
}

impl Alone {
    fn with(state: State) -> Self {
        Self {
            state,
            runtime: RuntimeHandle::here(),
        }
    }

    fn poll_here(
        &mut self,
        mut exchange: Delivering<Replies>,
        cx: &mut Context<'_>,
    ) -> Poll<Replies> {
        // As in a task: a panic of the client of HTTP or of Redis is not one of the caller's.
        match catch_unwind(AssertUnwindSafe(|| exchange.as_mut().poll(cx))) {
            Ok(Poll::Pending) => {
                self.state = State::Here(exchange);
                Poll::Pending
            }
            Ok(Poll::Ready(replies)) => {
                exchange.give_back();
                Poll::Ready(replies)
            }
            Err(_) => Poll::Ready(gone()),
        }
    }
}

impl Future for Alone {
    type Output = Replies;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Replies> {
        let this = &mut *self;
        let mut replies = match std::mem::replace(&mut this.state, State::Over) {
            State::New(exchange) | State::Here(exchange) => {
                if this.runtime.is_current() {
                    return this.poll_here(exchange, cx);
                }
                let (caller, replies) = oneshot::channel();
                this.runtime.spawn_there(async move {
                    // The caller may have gone away.
                    let _ = caller.send(to_its_end(exchange).await);
                });
                replies
            }
            State::Elsewhere(replies) => replies,
            State::Refused(replies) => return Poll::Ready(replies),
            State::Over => return Poll::Ready(gone()),
        };
        match Pin::new(&mut replies).poll(cx) {
            Poll::Pending => {
                this.state = State::Elsewhere(replies);
                Poll::Pending
            }
            Poll::Ready(replies) => Poll::Ready(replies.unwrap_or_else(|_| gone())),
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Here(exchange) => self.runtime.spawn_there(async move {
                drop(to_its_end(exchange).await);
            }),
            // There, too: others may have waited for this to be over, and what carries them is a task.
            State::New(exchange) => self.runtime.spawn_there(async move { drop(exchange) }),
            State::Refused(_) | State::Elsewhere(_) | State::Over => {}
        }
    }
}

fn gone() -> Replies {
    vec![Err(runtime_gone())]
}

/// What leaves.
pub(super) struct Read<T: Transport> {
    place: Place<T>,
    command: T::Command,
    asked: Since,
    within: Duration,
}

/// A place among what is under way, given back however it ends.
struct Place<T: Transport>(Arc<AutoPipeline<T>>);

impl<T: Transport> Drop for Place<T> {
    fn drop(&mut self) {
        let others_wait = self.0.lock().reads.alone_is_over();
        if others_wait {
            self.0.dispatch(Kind::Reads);
        }
    }
}

impl<T: Transport> AutoPipeline<T> {
    /// The exchange of this batch, if it is one read that may leave by itself.
    pub(super) fn alone(self: &Arc<Self>, mut batch: Batch) -> Result<Alone, Batch> {
        let [command] = &batch.commands[..] else {
            return Err(batch);
        };
        if command.effect != Effect::Read || !matches!(command.call, Call::Plain(_)) {
            return Err(batch);
        }
        {
            let mut state = self.lock();
            if state.ended || !state.proven || !state.reads.go_alone() {
                return Err(batch);
            }
        }
        let place = Place(Arc::clone(self));
        let command = batch.commands.pop().map(T::Command::new);
        Ok(match command.transpose() {
            Err(error) => Alone::with(State::Refused(vec![Err(error)])),
            Ok(None) => Alone::with(State::Refused(Vec::new())),
            Ok(Some(command)) => {
                let read = Read {
                    place,
                    command,
                    asked: Since::now(),
                    within: batch.within.min(LONGEST),
                };
                Alone::with(State::New(self.reads.start(read, Read::run)))
            }
        })
    }
}

impl<T: Transport> Read<T> {
    fn run(self) -> impl Future<Output = Replies> + use<T> {
        runtime::unconstrained(async move {
            let transport = &self.place.0.transport;
            let until = Until::new(self.asked.instant + self.within, None);
            let connected = until.clone().wait_for(transport.connect(false)).await;
            let begun = match connected {
                Some(Ok(connection)) => {
                    let Encoded { bytes, body } = transport.encode(&[&[&self.command]]);
                    let mut result = transport
                        .exchange(&connection, Kind::Reads, body, until)
                        .await;
                    if let Ok(answers) = &mut result
                        && let Some(reply) =
                            clean_reply(&**transport, &self.command, bytes, answers)
                    {
                        return vec![Ok(reply)];
                    }
                    Begun::Exchanged {
                        connection,
                        bytes,
                        result,
                    }
                }
                Some(Err(failure)) => Begun::NotConnected(failure),
                None => Begun::NotConnected(not_connected()),
            };
            Box::pin(self.deliver(begun)).await
        })
    }

    /// Goes on where the exchange did not bring the answer.
    async fn deliver(self, begun: Begun<T>) -> Replies {
        let Self {
            place,
            command,
            asked,
            within,
        } = self;
        let pipeline = &*place.0;
        let request = Request::asked(Few::from([Line::new(command)]), asked, within);
        let turn = Arc::clone(request.turn());
        let mut delivery = Delivery::new(
            Arc::clone(&pipeline.transport),
            pipeline.limits,
            pipeline.patience,
            Kind::Reads,
            Few::from([request]),
        );
        if let Some(respite) = delivery.run_on(begun).await {
            pipeline.refuse_waiting(&respite);
        }
        drop(delivery);
        let mut replies = turn.take_answers().unwrap_or_else(gone);
        if let [Err(error)] = &mut replies[..]
            && error.kind() == ErrorKind::Timeout
            && Instant::now() >= asked.instant + within
        {
            *error = late(within);
        }
        replies
    }
}
