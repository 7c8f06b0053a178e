//! Automatic pipelining: requests that are made while others are under way leave together.
//! `batch → queue → delivery task → transport`. A pipeline belongs to one Tokio runtime. Each delivery is
//! a task of its own, so a caller that goes away stops waiting and takes nobody else's commands with it.

mod queue;

use super::Batch;
use super::command::Effect;
use super::delivery::Delivery;
use super::per_runtime::Local;
use super::repeat::Patience;
use super::request_limits::RequestLimits;
use super::transport::{Kind, Outgoing, Transport};
use super::waiting::{LONGEST, Replies, Request, runtime_gone, unsent, wait};
use crate::error::{Error, ErrorKind};
use crate::runtime;
use crate::sync;
use queue::{BatchQueue, Departure};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// The default of [`RequestLimits::backlog`].
pub(crate) const BACKLOG: usize = 64 * 1024 * 1024;

pub(crate) struct AutoPipeline<T: Transport> {
    transport: Arc<T>,
    limits: RequestLimits,
    patience: Patience,
    state: Mutex<State<T::Command>>,
}

struct State<C> {
    ended: bool,
    reads: BatchQueue<C>,
    writes: BatchQueue<C>,
}

impl<C: Outgoing> State<C> {
    fn bytes(&self) -> usize {
        self.reads.bytes().saturating_add(self.writes.bytes())
    }

    fn queue(&mut self, kind: Kind) -> &mut BatchQueue<C> {
        match kind {
            Kind::Reads => &mut self.reads,
            Kind::Writes => &mut self.writes,
        }
    }
}

impl<T: Transport> AutoPipeline<T> {
    pub(crate) fn new(transport: T, limits: RequestLimits, patience: Patience) -> Self {
        Self {
            transport: Arc::new(transport),
            limits,
            patience,
            state: Mutex::new(State {
                ended: false,
                reads: BatchQueue::new(Kind::Reads, limits),
                writes: BatchQueue::new(Kind::Writes, limits),
            }),
        }
    }

    /// Sends a batch. A command that cannot be encoded fails alone; the others leave, and each answer
    /// takes its command's place.
    pub(crate) async fn send(self: Arc<Self>, batch: Batch) -> Replies {
        let mut commands = Vec::with_capacity(batch.commands.len());
        let mut refused = Vec::new();
        for (at, command) in batch.commands.into_iter().enumerate() {
            match T::Command::new(command) {
                Ok(command) => commands.push(command),
                Err(error) => refused.push((at, error)),
            }
        }
        let mut replies = if commands.is_empty() {
            Vec::new()
        } else {
            self.request(commands, batch.within.min(LONGEST)).await
        };
        // In rising order, so each lands where its command stood.
        for (at, error) in refused {
            replies.insert(at.min(replies.len()), Err(error));
        }
        replies
    }

    async fn request(self: Arc<Self>, commands: Vec<T::Command>, within: Duration) -> Replies {
        let effects: Vec<Effect> = commands.iter().map(Outgoing::effect).collect();
        let kind = if effects.iter().all(|effect| *effect == Effect::Read) {
            Kind::Reads
        } else {
            Kind::Writes
        };
        let (request, answers) = Request::new(commands, within);
        let turn = Arc::clone(request.turn());
        if let Err(error) = self.enqueue(kind, request) {
            return unsent(&effects, &error);
        }
        wait(&effects, answers, within, || {
            let stays = turn.withdraw();
            if stays {
                self.lock().queue(kind).remove(&turn);
            }
            stays
        })
        .await
    }

    fn enqueue(self: &Arc<Self>, kind: Kind, request: Request<T::Command>) -> Result<(), Error> {
        {
            let mut state = self.lock();
            if state.ended {
                return Err(runtime_gone());
            }
            let bytes = state.bytes();
            // A request alone may be larger: the limit of a value has measured it.
            if bytes > 0 && bytes.saturating_add(request.bytes()) > self.limits.backlog {
                return Err(overloaded(&self.transport.host(), bytes));
            }
            state.queue(kind).push(request);
        }
        self.dispatch(kind);
        Ok(())
    }

    /// Starts as many deliveries as may be under way.
    fn dispatch(self: &Arc<Self>, kind: Kind) {
        loop {
            // Without the lock while spawning: on a runtime that shuts down, `spawn` drops the task, and
            // with it `UnderWay`, which locks.
            let departure = self.lock().queue(kind).depart();
            let Some(departure) = departure else { return };
            let under_way = UnderWay {
                pipeline: Arc::clone(self),
                kind,
                finished: false,
            };
            runtime::spawn(under_way.run(departure));
        }
    }

    /// Nothing that waits is sent any more; what is made from now on is.
    fn refuse_waiting(&self, error: &Error) {
        let waiting = {
            let mut state = self.lock();
            [state.reads.clear(), state.writes.clear()]
        };
        for request in waiting.into_iter().flatten() {
            request.refuse(error);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T::Command>> {
        sync::lock(&self.state)
    }
}

impl<T: Transport> Local for AutoPipeline<T> {
    fn end(&self) {
        self.lock().ended = true;
        self.refuse_waiting(&runtime_gone());
    }

    fn has_ended(&self) -> bool {
        self.lock().ended
    }
}

/// A place among the deliveries under way, given back however the task ends.
struct UnderWay<T: Transport> {
    pipeline: Arc<AutoPipeline<T>>,
    kind: Kind,
    finished: bool,
}

impl<T: Transport> UnderWay<T> {
    async fn run(mut self, departure: Departure<T::Command>) {
        let pipeline = Arc::clone(&self.pipeline);
        let requests = match departure {
            Departure::Now(requests) => requests,
            Departure::WhenRun => {
                let requests = pipeline.lock().queue(self.kind).board();
                // What did not fit leaves with the next one.
                pipeline.dispatch(self.kind);
                requests
            }
        };
        let bytes = requests.iter().map(Request::bytes).sum();
        if !requests.is_empty() {
            let transport = Arc::clone(&pipeline.transport);
            let (limits, patience) = (pipeline.limits, pipeline.patience);
            let delivery = Delivery::new(transport, limits, patience, self.kind, requests);
            if let Some(respite) = delivery.run().await {
                pipeline.refuse_waiting(&respite);
            }
        }
        self.finished = true;
        pipeline.lock().queue(self.kind).arrive(bytes);
        pipeline.dispatch(self.kind);
    }
}

impl<T: Transport> Drop for UnderWay<T> {
    fn drop(&mut self) {
        // Dropped half-way: the runtime is gone, and with it whoever could send what waits here.
        if !self.finished {
            self.pipeline.end();
        }
    }
}

fn overloaded(host: &str, bytes: usize) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!(
            "{bytes} bytes of commands already wait for {host}, which answers too slowly; nothing more \
             is queued"
        ),
    )
}
