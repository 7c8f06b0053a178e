//! Automatic pipelining: requests that are made while others are under way leave together.
//! `batch → queue → delivery → transport`. A pipeline belongs to one Tokio runtime. A delivery of several callers is a
//! task of its own, so a caller that goes away stops waiting and takes nobody else's commands with it. Who is alone
//! polls the delivery, until that has to be a task; of a read, the exchange itself.

#[cfg_attr(target_arch = "wasm32", path = "auto_pipeline/unattended.rs")]
mod attended;
mod queue;
#[cfg(not(target_arch = "wasm32"))]
mod read;
#[cfg(not(target_arch = "wasm32"))]
mod start;

use super::batch::{Batch, Replies};
#[cfg(not(target_arch = "wasm32"))]
use super::boxes::{Boxes, Delivering, to_its_end};
use super::command::Effect;
#[cfg(not(target_arch = "wasm32"))]
use super::deadlines::Deadlines;
use super::delivery::Delivery;
use super::line::Line;
use super::per_runtime::Local;
use super::repeat::Patience;
use super::request_limits::RequestLimits;
#[cfg(target_arch = "wasm32")]
use super::sending::Sending;
use super::transport::{Kind, Outgoing, Transport};
use super::turn::Turn;
use super::waiting::{LONGEST, Request, runtime_gone, unsent, wait};
use crate::error::{Error, ErrorKind};
use crate::few::Few;
use crate::runtime;
use crate::sync;
use attended::Attended;
use queue::{BatchQueue, Departure};
#[cfg(not(target_arch = "wasm32"))]
use read::{Home, Read};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

/// The default of [`RequestLimits::backlog`].
pub(crate) const BACKLOG: usize = 64 * 1024 * 1024;

pub(crate) struct AutoPipeline<T: Transport> {
    transport: Arc<T>,
    limits: RequestLimits,
    patience: Patience,
    state: Mutex<State<T::Command>>,
    /// Of reads.
    #[cfg(not(target_arch = "wasm32"))]
    deadlines: Arc<Deadlines>,
    #[cfg(not(target_arch = "wasm32"))]
    boxes: Arc<Boxes<UnderWay<T>>>,
    #[cfg(not(target_arch = "wasm32"))]
    reads: Arc<Boxes<Read<T, Place<T>>, Replies>>,
}

struct State<C> {
    ended: bool,
    /// Whether a delivery came to its end as a task: what is polled by a caller must not panic, as it would on a runtime
    /// without timers.
    #[cfg(not(target_arch = "wasm32"))]
    proven: bool,
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
                #[cfg(not(target_arch = "wasm32"))]
                proven: false,
                reads: BatchQueue::new(Kind::Reads, limits),
                writes: BatchQueue::new(Kind::Writes, limits),
            }),
            #[cfg(not(target_arch = "wasm32"))]
            deadlines: Arc::default(),
            #[cfg(not(target_arch = "wasm32"))]
            boxes: Arc::new(Boxes::new()),
            #[cfg(not(target_arch = "wasm32"))]
            reads: Arc::new(Boxes::new()),
        }
    }

    #[cfg(target_arch = "wasm32")]
    pub(crate) fn start(self: Arc<Self>, batch: Batch) -> Sending {
        Sending::boxed(Box::pin(self.send(batch)))
    }

    /// Sends a batch. A command that cannot be encoded fails alone; the others leave, and each answer
    /// takes its command's place.
    async fn send(self: Arc<Self>, batch: Batch) -> Replies {
        let mut lines = Few::with_capacity(batch.commands.len());
        let mut refused = Vec::new();
        for (at, command) in batch.commands.into_iter().enumerate() {
            match T::Command::new(command) {
                Ok(command) => lines.push(Line::new(command)),
                Err(error) => refused.push((at, error)),
            }
        }
        let mut replies = if lines.is_empty() {
            Replies::new()
        } else {
            let request = Request::new(lines, batch.within.min(LONGEST));
            self.request(request).await
        };
        // In rising order, so each lands where its command stood.
        for (at, error) in refused {
            replies.insert(at.min(replies.len()), Err(error));
        }
        replies
    }

    /// Makes this request, and then waits for the answers.
    fn request(self: Arc<Self>, request: Request<T::Command>) -> impl Future<Output = Replies> {
        let within = request.within;
        let effects: Few<Effect> = request.lines.iter().map(Line::effect).collect();
        let kind = if effects.iter().all(|effect| *effect == Effect::Read) {
            Kind::Reads
        } else {
            Kind::Writes
        };
        let turn = Arc::clone(request.turn());
        let answers = self.enqueue(kind, request).map(|attended| Answers {
            attended,
            turn: Arc::clone(&turn),
        });
        async move {
            let answers = match answers {
                Err(error) => return unsent(&effects, &error),
                Ok(answers) => answers,
            };
            let answered = wait(&effects, answers, within, || {
                let stays = turn.withdraw();
                if stays {
                    self.lock().queue(kind).remove(&turn);
                }
                stays
            });
            runtime::unconstrained(answered).await
        }
    }

    /// Whether the caller is to poll the delivery.
    fn enqueue(
        self: &Arc<Self>,
        kind: Kind,
        request: Request<T::Command>,
    ) -> Result<Option<Arc<Attended>>, Error> {
        {
            let mut state = self.lock();
            if state.ended {
                return Err(runtime_gone());
            }
            self.check_room(&mut state, &request)?;
            state.queue(kind).push(request);
            #[cfg(not(target_arch = "wasm32"))]
            if let Some(attended) = self.attend(&mut state, kind) {
                return Ok(Some(attended));
            }
        }
        self.dispatch(kind);
        Ok(None)
    }

    /// Whether this may wait, too.
    fn check_room(
        &self,
        state: &mut State<T::Command>,
        request: &Request<T::Command>,
    ) -> Result<(), Error> {
        // A request alone may be larger: the limit of a value has measured it.
        let is_full =
            |bytes: usize| bytes > 0 && bytes.saturating_add(request.bytes()) > self.limits.backlog;
        #[cfg(not(target_arch = "wasm32"))]
        if is_full(state.bytes()) && self.deadlines.has_answered() {
            state.reads.remove_unawaited();
        }
        let bytes = state.bytes();
        if is_full(bytes) {
            return Err(overloaded(&self.transport.host(), bytes));
        }
        Ok(())
    }

    /// The delivery of the only request, if its caller may poll it.
    #[cfg(not(target_arch = "wasm32"))]
    fn attend(
        self: &Arc<Self>,
        state: &mut State<T::Command>,
        kind: Kind,
    ) -> Option<Arc<Attended>> {
        if !state.proven {
            return None;
        }
        let requests = state.queue(kind).depart_alone()?;
        let turn = Arc::clone(requests.first()?.turn());
        let mut under_way = self.under_way(kind, Some(Arc::clone(&turn)));
        under_way.take(requests);
        let attended = Arc::new(Attended::new(under_way.start(), turn));
        state.queue(kind).attend(Arc::clone(&attended));
        Some(attended)
    }

    fn under_way(self: &Arc<Self>, kind: Kind, attended: Option<Arc<Turn>>) -> UnderWay<T> {
        UnderWay {
            pipeline: Arc::clone(self),
            kind,
            attended,
            boards: false,
            bytes: 0,
            delivery: None,
            finished: false,
        }
    }

    /// Starts as many deliveries as may be under way.
    fn dispatch(self: &Arc<Self>, kind: Kind) {
        loop {
            let mut state = self.lock();
            let queue = state.queue(kind);
            let Some(departure) = queue.depart() else {
                let held_up_by = queue.held_up_by();
                drop(state);
                for attended in &held_up_by {
                    attended.claim();
                }
                return;
            };
            // Without the lock while spawning: on a runtime that shuts down, `spawn` drops the task, and
            // with it `UnderWay`, which locks.
            drop(state);
            let mut under_way = self.under_way(kind, None);
            match departure {
                Departure::Now(requests) => under_way.take(requests),
                Departure::WhenRun => under_way.boards = true,
            }
            under_way.spawn();
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

    /// How many deliveries callers poll, of reads and of writes.
    #[cfg(test)]
    pub(crate) fn attended(&self) -> (usize, usize) {
        let state = self.lock();
        (state.reads.attended(), state.writes.attended())
    }

    /// What waits or is under way.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes()
    }

    fn lock(&self) -> MutexGuard<'_, State<T::Command>> {
        sync::lock(&self.state)
    }
}

impl<T: Transport> Local for AutoPipeline<T> {
    fn end(&self) {
        let attended = {
            let mut state = self.lock();
            state.ended = true;
            [state.reads.all_attended(), state.writes.all_attended()]
        };
        for attended in attended.iter().flatten() {
            attended.end();
        }
        self.refuse_waiting(&runtime_gone());
    }

    fn has_ended(&self) -> bool {
        self.lock().ended
    }
}

/// The answers to a request, for which the caller may have to do something.
struct Answers {
    attended: Option<Arc<Attended>>,
    turn: Arc<Turn>,
}

impl Future for Answers {
    type Output = Option<Replies>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(attended) = &self.attended {
            if !attended.poll(cx) {
                return Poll::Pending;
            }
            self.attended = None;
        }
        self.turn.poll_answers(cx)
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        // Nobody waits any more; what has left is still listened for.
        if let Some(attended) = &self.attended {
            drop(attended.leave());
        }
        self.turn.abandon();
    }
}

/// A place among the deliveries under way, given back however the delivery ends.
struct UnderWay<T: Transport> {
    pipeline: Arc<AutoPipeline<T>>,
    kind: Kind,
    /// Of the caller who polls it, at least at first.
    attended: Option<Arc<Turn>>,
    /// Whether it is to take what waits when it first runs.
    boards: bool,
    bytes: usize,
    /// Nothing if all callers went away.
    delivery: Option<Delivery<T>>,
    finished: bool,
}

impl<T: Transport> UnderWay<T> {
    /// Takes these along.
    fn take(&mut self, requests: Few<Request<T::Command>>) {
        self.bytes = requests.iter().map(Request::bytes).sum();
        if requests.is_empty() {
            return;
        }
        let AutoPipeline {
            transport,
            limits,
            patience,
            ..
        } = &*self.pipeline;
        let transport = Arc::clone(transport);
        let delivery = Delivery::new(transport, *limits, *patience, self.kind, requests);
        #[cfg(not(target_arch = "wasm32"))]
        let delivery = match self.kind {
            Kind::Reads => delivery.among(&self.pipeline.deadlines),
            Kind::Writes => delivery,
        };
        self.delivery = Some(delivery);
    }

    #[cfg(target_arch = "wasm32")]
    fn spawn(self) {
        runtime::spawn(self.run());
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn spawn(self) {
        runtime::spawn(to_its_end(self.start()));
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn start(self) -> Delivering {
        let boxes = Arc::clone(&self.pipeline.boxes);
        boxes.start(self, Self::run)
    }

    #[expect(
        clippy::manual_async_fn,
        reason = "such a function would have room for all of this twice"
    )]
    fn run(mut self) -> impl Future<Output = ()> + use<T> {
        async move {
            let pipeline = Arc::clone(&self.pipeline);
            if self.boards {
                let requests = pipeline.lock().queue(self.kind).board();
                // What did not fit leaves with the next one.
                pipeline.dispatch(self.kind);
                self.take(requests);
            }
            if let Some(delivery) = &mut self.delivery
                && let Some(respite) = delivery.run().await
            {
                pipeline.refuse_waiting(&respite);
            }
            let delivery = self.delivery.take();
            // Without the lock: what is dropped may wake callers.
            #[cfg(not(target_arch = "wasm32"))]
            let memory = delivery.and_then(Delivery::end);
            #[cfg(target_arch = "wasm32")]
            drop(delivery);
            self.finished = true;
            {
                let mut state = pipeline.lock();
                #[cfg(not(target_arch = "wasm32"))]
                if self.attended.is_none() {
                    state.proven = true;
                }
                let queue = state.queue(self.kind);
                queue.arrive(self.bytes, self.attended.as_ref());
                #[cfg(not(target_arch = "wasm32"))]
                if let Some(memory) = memory {
                    queue.keep(memory);
                }
            }
            pipeline.dispatch(self.kind);
        }
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

/// A place among the reads that leave by themselves, given back however the read ends.
#[cfg(not(target_arch = "wasm32"))]
struct Place<T: Transport> {
    pipeline: Arc<AutoPipeline<T>>,
    is_half_way: bool,
}

#[cfg(not(target_arch = "wasm32"))]
impl<T: Transport> Home<T> for Place<T> {
    fn transport(&self) -> &Arc<T> {
        &self.pipeline.transport
    }

    fn limits(&self) -> RequestLimits {
        self.pipeline.limits
    }

    fn patience(&self) -> Patience {
        self.pipeline.patience
    }

    fn deadlines(&self) -> &Arc<Deadlines> {
        &self.pipeline.deadlines
    }

    fn refuse_waiting(&self, error: &Error) {
        self.pipeline.refuse_waiting(error);
    }

    fn is_half_way(&mut self, yes: bool) {
        self.is_half_way = yes;
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl<T: Transport> Drop for Place<T> {
    fn drop(&mut self) {
        let others_wait = self.pipeline.lock().reads.alone_is_over();
        if self.is_half_way {
            // It panicked, or the runtime is gone, and with it whoever could send what waits here.
            self.pipeline.end();
        } else if others_wait {
            self.pipeline.dispatch(Kind::Reads);
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
