//! Auto-pipelining. A lone batch leaves at once; what comes while requests are under way leaves
//! together. A lane belongs to one Tokio runtime; each request is a task of its own, so a caller
//! that goes away only stops waiting.

use super::command::Effect;
use super::per_runtime::Local;
use super::waiting::{LONGEST, Replies, runtime_gone, unsent, wait};
use crate::rt::{self, BoxFuture};
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

/// Takes parcels to the server and answers each through [`Parcel::answer`].
pub(crate) trait Carrier: Send + Sync + 'static {
    type Item: Item;
    fn carry(self: Arc<Self>, kind: Kind, parcels: Vec<Parcel<Self::Item>>) -> BoxFuture<()>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Reads,
    Writes,
}

/// The commands of one batch, and who waits for the answers.
pub(crate) struct Parcel<I> {
    pub(crate) items: Vec<I>,
    /// When its caller stops waiting.
    pub(crate) until: Instant,
    number: u64,
    caller: oneshot::Sender<Replies>,
}

impl<I> Parcel<I> {
    /// The items, and what takes their answers.
    pub(crate) fn open(self) -> (Vec<I>, oneshot::Sender<Replies>) {
        (self.items, self.caller)
    }
}

pub(crate) struct Lane<C: Carrier> {
    carrier: Arc<C>,
    limits: Limits,
    state: Mutex<State<C::Item>>,
}

struct State<I> {
    ended: bool,
    issued: u64,
    reads: Queue<I>,
    writes: Queue<I>,
}

struct Queue<I> {
    waiting: VecDeque<Parcel<I>>,
    under_way: usize,
}

impl<I> Default for Queue<I> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            under_way: 0,
        }
    }
}

impl<C: Carrier> Lane<C> {
    pub(crate) fn new(carrier: C, limits: Limits) -> Self {
        Self {
            carrier: Arc::new(carrier),
            limits,
            state: Mutex::new(State {
                ended: false,
                issued: 0,
                reads: Queue::default(),
                writes: Queue::default(),
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
            state.queue(kind).waiting.push_back(Parcel {
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

    /// Takes a parcel back that no request has taken yet.
    fn withdraw(&self, kind: Kind, number: u64) -> bool {
        let mut state = self.lock();
        let waiting = &mut state.queue(kind).waiting;
        let found = waiting.iter().position(|parcel| parcel.number == number);
        found.and_then(|at| waiting.remove(at)).is_some()
    }

    /// Starts as many requests as may be under way.
    fn dispatch(self: &Arc<Self>, kind: Kind) {
        while let Some(parcels) = self.next_request(kind) {
            let request = UnderWay {
                lane: Arc::clone(self),
                kind,
                finished: false,
            };
            let carrier = Arc::clone(&self.carrier);
            // Without a lock: on a runtime that shuts down the task is dropped inside `spawn`.
            rt::spawn(async move {
                carrier.carry(kind, parcels).await;
                request.finish();
            });
        }
    }

    fn next_request(&self, kind: Kind) -> Option<Vec<Parcel<C::Item>>> {
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
            queue.waiting.retain(|parcel| !parcel.caller.is_closed());
        }
        let (mut commands, mut bytes) = (0, 0);
        let mut fits = |parcel: &Parcel<C::Item>| {
            let first = commands == 0;
            commands += parcel.items.len();
            bytes += parcel.items.iter().map(Item::bytes).sum::<usize>();
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

impl<C: Carrier> Local for Lane<C> {
    fn end(&self) {
        let waiting = {
            let mut state = self.lock();
            state.ended = true;
            let reads = std::mem::take(&mut state.reads.waiting);
            let writes = std::mem::take(&mut state.writes.waiting);
            [reads, writes]
        };
        for parcel in waiting.into_iter().flatten() {
            let effects: Vec<Effect> = parcel.items.iter().map(Item::effect).collect();
            let _ = parcel.caller.send(unsent(&effects, &runtime_gone()));
        }
    }

    fn has_ended(&self) -> bool {
        self.lock().ended
    }
}

impl<I> State<I> {
    fn queue(&mut self, kind: Kind) -> &mut Queue<I> {
        match kind {
            Kind::Reads => &mut self.reads,
            Kind::Writes => &mut self.writes,
        }
    }
}

/// A place among the requests under way, given back however the task ends.
struct UnderWay<C: Carrier> {
    lane: Arc<Lane<C>>,
    kind: Kind,
    finished: bool,
}

impl<C: Carrier> UnderWay<C> {
    fn finish(mut self) {
        self.finished = true;
        self.lane.lock().queue(self.kind).under_way -= 1;
        self.lane.dispatch(self.kind);
    }
}

impl<C: Carrier> Drop for UnderWay<C> {
    fn drop(&mut self) {
        // Dropped half-way: the runtime is gone, and with it whoever could send what waits here.
        if !self.finished {
            self.lane.end();
        }
    }
}
