//! Auto-pipelining. A lone batch leaves at once; what comes while requests are under way leaves
//! together. A pipeline belongs to one Tokio runtime; each request is a task of its own, so a caller
//! that goes away only stops waiting.

use super::command::Effect;
use super::per_runtime::Local;
use super::waiting::{LONGEST, Replies, runtime_gone, unsent, wait};
use crate::runtime::{self, BoxFuture};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// What leaves together at most, and how many requests may be under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) commands: usize,
    pub(crate) bytes: usize,
    pub(crate) reads: usize,
    /// One keeps writes in order, which is what makes a read-your-writes token sound.
    pub(crate) writes: usize,
    /// Whether batches of several callers may share a request.
    pub(crate) together: bool,
}

/// A command as it waits for a request.
pub(crate) trait Item: Send + 'static {
    fn effect(&self) -> Effect;
    fn bytes(&self) -> usize;
}

/// Takes batches to the server and answers each through [`QueuedBatch::answer`].
pub(crate) trait Transport: Send + Sync + 'static {
    type Item: Item;
    fn deliver(self: Arc<Self>, kind: Kind, batches: Vec<QueuedBatch<Self::Item>>)
    -> BoxFuture<()>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Reads,
    Writes,
}

/// The commands of one batch, and who waits for the answers.
pub(crate) struct QueuedBatch<I> {
    pub(crate) items: Vec<I>,
    /// When its caller stops waiting.
    pub(crate) until: Instant,
    number: u64,
    caller: oneshot::Sender<Replies>,
}

impl<I> QueuedBatch<I> {
    /// The items, and what takes their answers.
    pub(crate) fn open(self) -> (Vec<I>, oneshot::Sender<Replies>) {
        (self.items, self.caller)
    }
}

pub(crate) struct AutoPipeline<C: Transport> {
    transport: Arc<C>,
    limits: Limits,
    state: Mutex<State<C::Item>>,
}

struct State<I> {
    ended: bool,
    issued: u64,
    reads: BatchQueue<I>,
    writes: BatchQueue<I>,
}

struct BatchQueue<I> {
    waiting: VecDeque<QueuedBatch<I>>,
    under_way: usize,
}

impl<I> Default for BatchQueue<I> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            under_way: 0,
        }
    }
}

impl<C: Transport> AutoPipeline<C> {
    pub(crate) fn new(transport: C, limits: Limits) -> Self {
        Self {
            transport: Arc::new(transport),
            limits,
            state: Mutex::new(State {
                ended: false,
                issued: 0,
                reads: BatchQueue::default(),
                writes: BatchQueue::default(),
            }),
        }
    }

    /// Queues the commands of one batch and waits for the answers, but no longer than `within`.
    pub(crate) async fn send(self: Arc<Self>, items: Vec<C::Item>, within: Duration) -> Replies {
        let effects: Vec<Effect> = items.iter().map(Item::effect).collect();
        let kind = if effects.iter().all(|effect| *effect == Effect::Read) {
            Kind::Reads
        } else {
            Kind::Writes
        };
        let within = within.min(LONGEST);
        let Some((number, answers)) = self.queue(kind, items, within) else {
            return unsent(&effects, &runtime_gone());
        };
        wait(&effects, answers, within, || self.withdraw(kind, number)).await
    }

    fn queue(
        self: &Arc<Self>,
        kind: Kind,
        items: Vec<C::Item>,
        within: Duration,
    ) -> Option<(u64, oneshot::Receiver<Replies>)> {
        let (caller, answers) = oneshot::channel();
        let number = {
            let mut state = self.lock();
            if state.ended {
                return None;
            }
            state.issued += 1;
            let number = state.issued;
            state.queue(kind).waiting.push_back(QueuedBatch {
                items,
                until: Instant::now() + within,
                number,
                caller,
            });
            number
        };
        self.dispatch(kind);
        Some((number, answers))
    }

    /// Takes a batch back that no request has taken yet.
    fn withdraw(&self, kind: Kind, number: u64) -> bool {
        let mut state = self.lock();
        let waiting = &mut state.queue(kind).waiting;
        let found = waiting.iter().position(|batch| batch.number == number);
        found.and_then(|at| waiting.remove(at)).is_some()
    }

    /// Starts as many requests as may be under way.
    fn dispatch(self: &Arc<Self>, kind: Kind) {
        while let Some(batches) = self.next_request(kind) {
            let request = UnderWay {
                pipeline: Arc::clone(self),
                kind,
                finished: false,
            };
            let transport = Arc::clone(&self.transport);
            // Without a lock: on a runtime that shuts down the task is dropped inside `spawn`.
            runtime::spawn(async move {
                transport.deliver(kind, batches).await;
                request.finish();
            });
        }
    }

    fn next_request(&self, kind: Kind) -> Option<Vec<QueuedBatch<C::Item>>> {
        let limits = self.limits;
        let at_once = match kind {
            Kind::Reads => limits.reads,
            Kind::Writes => limits.writes,
        };
        let mut state = self.lock();
        let queue = state.queue(kind);
        if queue.under_way >= at_once {
            return None;
        }
        if kind == Kind::Reads {
            queue.waiting.retain(|batch| !batch.caller.is_closed());
        }
        let (mut commands, mut bytes) = (0, 0);
        let mut fits = |batch: &QueuedBatch<C::Item>| {
            let first = commands == 0;
            commands += batch.items.len();
            bytes += batch.items.iter().map(Item::bytes).sum::<usize>();
            first || (limits.together && commands <= limits.commands && bytes <= limits.bytes)
        };
        let count = queue.waiting.iter().take_while(|it| fits(it)).count();
        if count == 0 {
            return None;
        }
        queue.under_way += 1;
        Some(queue.waiting.drain(..count).collect())
    }

    fn lock(&self) -> MutexGuard<'_, State<C::Item>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Transport> Local for AutoPipeline<C> {
    fn end(&self) {
        let waiting = {
            let mut state = self.lock();
            state.ended = true;
            let reads = std::mem::take(&mut state.reads.waiting);
            let writes = std::mem::take(&mut state.writes.waiting);
            [reads, writes]
        };
        for batch in waiting.into_iter().flatten() {
            let effects: Vec<Effect> = batch.items.iter().map(Item::effect).collect();
            let _ = batch.caller.send(unsent(&effects, &runtime_gone()));
        }
    }

    fn has_ended(&self) -> bool {
        self.lock().ended
    }
}

impl<I> State<I> {
    fn queue(&mut self, kind: Kind) -> &mut BatchQueue<I> {
        match kind {
            Kind::Reads => &mut self.reads,
            Kind::Writes => &mut self.writes,
        }
    }
}

/// A place among the requests under way, given back however the task ends.
struct UnderWay<C: Transport> {
    pipeline: Arc<AutoPipeline<C>>,
    kind: Kind,
    finished: bool,
}

impl<C: Transport> UnderWay<C> {
    fn finish(mut self) {
        self.finished = true;
        self.pipeline.lock().queue(self.kind).under_way -= 1;
        self.pipeline.dispatch(self.kind);
    }
}

impl<C: Transport> Drop for UnderWay<C> {
    fn drop(&mut self) {
        // Dropped half-way: the runtime is gone, and with it whoever could send what waits here.
        if !self.finished {
            self.pipeline.end();
        }
    }
}
