//! The requests that wait for a delivery, and how many deliveries are under way.

use super::attended::Attended;
use crate::few::Few;
use crate::store::request_limits::RequestLimits;
use crate::store::transport::{Kind, Outgoing};
use crate::store::turn::Turn;
use crate::store::waiting::Request;
use std::collections::VecDeque;
use std::sync::Arc;

pub(super) struct BatchQueue<C> {
    kind: Kind,
    limits: RequestLimits,
    under_way: usize,
    /// Of the requests that wait and of those that are under way.
    bytes: usize,
    /// Whether a delivery was spawned that has not taken its requests yet.
    boarding: bool,
    /// Whether the requests of one turn of the scheduler are to leave together: see [`RequestLimits::gather`]. Where the
    /// last delivery that could take several took one, the next caller counts as alone until another comes.
    gathers: bool,
    waiting: VecDeque<Request<C>>,
    /// Memory for those that wait next: it goes with those that leave, and comes back.
    spare: Vec<Request<C>>,
    /// Deliveries under way that their callers poll.
    attended: Vec<Arc<Attended>>,
    /// Reads under way that left by themselves. Nobody waits for more of them than half of what may be under way.
    alone: usize,
}

/// Most deliveries that callers poll. Beyond it, and beyond half of what may be under way, they are tasks.
#[cfg(not(target_arch = "wasm32"))]
const MOST_ATTENDED: usize = 16;

/// Memory for more requests than that is not kept.
#[cfg(not(target_arch = "wasm32"))]
const MOST_SPARE: usize = 2_048;

/// What a delivery task is to carry.
pub(super) enum Departure<C> {
    Now(Few<Request<C>>),
    /// Whatever waits when the task first runs; see [`RequestLimits::gather`].
    WhenRun,
}

impl<C: Outgoing> BatchQueue<C> {
    pub(super) fn new(kind: Kind, limits: RequestLimits) -> Self {
        Self {
            kind,
            limits,
            under_way: 0,
            bytes: 0,
            boarding: false,
            gathers: limits.gather,
            waiting: VecDeque::new(),
            spare: Vec::new(),
            attended: Vec::new(),
            alone: 0,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn push(&mut self, request: Request<C>) {
        self.bytes += request.bytes();
        self.waiting.push_back(request);
    }

    /// The next delivery, if one may leave now.
    pub(super) fn depart(&mut self) -> Option<Departure<C>> {
        if self.is_full() || self.boarding || self.waiting.is_empty() {
            return None;
        }
        if self.limits.gather {
            self.boarding = true;
            self.under_way += 1;
            return Some(Departure::WhenRun);
        }
        let requests = self.take();
        if requests.is_empty() {
            return None;
        }
        self.under_way += 1;
        Some(Departure::Now(requests))
    }

    /// Whether a task is about to take what waits.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn is_boarding(&self) -> bool {
        self.boarding
    }

    fn at_once(&self) -> usize {
        match self.kind {
            Kind::Reads => self.limits.reads,
            Kind::Writes => self.limits.writes,
        }
    }

    fn is_full(&self) -> bool {
        self.under_way + self.alone >= self.at_once()
    }

    /// Whether a caller may poll its own delivery, as the only one that waits.
    #[cfg(not(target_arch = "wasm32"))]
    fn admits_caller(&self) -> bool {
        let most = (self.at_once() / 2).clamp(1, MOST_ATTENDED);
        let under_way = self.under_way + self.alone;
        let may_be_joined = self.gathers || (self.limits.gather && under_way > 0);
        !may_be_joined && self.attended.len() + self.alone < most && !self.is_full()
    }

    /// Takes a place for a read by itself, if there is one.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn go_alone(&mut self) -> bool {
        // Never all of what may be under way: nobody can take such a place from its caller.
        let goes = self.at_once() > 1 && self.waiting.is_empty() && self.admits_caller();
        self.alone += usize::from(goes);
        goes
    }

    /// Whether a read that comes now will be a task's to deliver.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn is_joined(&self) -> bool {
        self.limits.together && !(self.waiting.is_empty() && self.admits_caller())
    }

    /// A read by itself is over; whether others wait.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn alone_is_over(&mut self) -> bool {
        self.alone -= 1;
        !self.waiting.is_empty()
    }

    /// The only request, if its caller may deliver it.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn depart_alone(&mut self) -> Option<Few<Request<C>>> {
        if self.waiting.len() != 1 || !self.admits_caller() {
            return None;
        }
        self.under_way += 1;
        self.waiting.pop_front().map(|request| Few::from([request]))
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn attend(&mut self, attended: Arc<Attended>) {
        self.attended.push(attended);
    }

    /// The deliveries that callers poll, where others wait for one of them to end.
    pub(super) fn held_up_by(&mut self) -> Vec<Arc<Attended>> {
        if self.waiting.is_empty() || !self.is_full() {
            return Vec::new();
        }
        self.all_attended()
    }

    #[cfg(test)]
    pub(super) fn attended(&self) -> usize {
        self.attended.len() + self.alone
    }

    pub(super) fn all_attended(&mut self) -> Vec<Arc<Attended>> {
        std::mem::take(&mut self.attended)
    }

    /// What the delivery that was announced takes along; may be nothing, if all callers went away.
    pub(super) fn board(&mut self) -> Few<Request<C>> {
        self.boarding = false;
        let requests = self.take();
        self.gathers = requests.len() > 1;
        requests
    }

    /// A delivery of this many bytes is over, which the caller of this turn has polled.
    pub(super) fn arrive(&mut self, bytes: usize, attended: Option<&Arc<Turn>>) {
        self.under_way -= 1;
        self.bytes -= bytes;
        if let Some(turn) = attended {
            self.attended.retain(|attended| !attended.is_of(turn));
        }
    }

    /// Keeps the memory of requests that are over.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn keep(&mut self, memory: Vec<Request<C>>) {
        let capacity = memory.capacity();
        if capacity > self.spare.capacity() && capacity <= MOST_SPARE {
            self.spare = memory;
        }
    }

    /// Takes a withdrawn request out, if it still waits.
    pub(super) fn remove(&mut self, turn: &Arc<Turn>) {
        let found = self
            .waiting
            .iter()
            .position(|request| Arc::ptr_eq(request.turn(), turn));
        if let Some(request) = found.and_then(|at| self.waiting.remove(at)) {
            self.bytes -= request.bytes();
        }
    }

    /// Takes out what nobody waits for any more.
    pub(super) fn remove_unawaited(&mut self) {
        self.waiting.retain(|request| {
            let kept = !request.turn().is_given_up();
            if !kept {
                self.bytes -= request.bytes();
            }
            kept
        });
    }

    pub(super) fn clear(&mut self) -> VecDeque<Request<C>> {
        let waiting = std::mem::take(&mut self.waiting);
        self.bytes -= waiting.iter().map(Request::bytes).sum::<usize>();
        waiting
    }

    /// As many requests as fit into one exchange, at least one.
    fn take(&mut self) -> Few<Request<C>> {
        // A read that nobody waits for is of no use; a write still is, to whoever reads later.
        if self.kind == Kind::Reads {
            self.remove_unawaited();
        }
        let limits = self.limits;
        let (mut commands, mut bytes) = (0, 0);
        let fits = |request: &&Request<C>| {
            let first = commands == 0;
            commands += request.len();
            bytes += request.bytes();
            first || (limits.together && commands <= limits.commands && bytes <= limits.bytes)
        };
        let count = self.waiting.iter().take_while(fits).count();
        if count > 1 && count == self.waiting.len() {
            let spare = std::mem::take(&mut self.spare);
            let all = std::mem::replace(&mut self.waiting, spare.into());
            return Vec::from(all).into();
        }
        self.waiting.drain(..count).collect()
    }
}
