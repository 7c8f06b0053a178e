//! Those who lead a flight, and the clock that runs while all of them are at the cache.

use super::departure::Departure;
use super::phase::{CacheClock, Phase};
use crate::cache::liveness::Liveness;
use crate::few::Few;
use crate::runtime::Instant;
use std::sync::Arc;

pub(super) struct Leaders {
    leading: Few<Leading>,
    clock: CacheClock,
}

struct Leading {
    liveness: Arc<Liveness>,
    phase: Phase,
}

impl Leaders {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            leading: Few::new(),
            clock: CacheClock::start(now),
        }
    }

    pub(super) fn add(&mut self, liveness: Arc<Liveness>, phase: Phase) {
        self.leading.push(Leading { liveness, phase });
        self.run_clock();
    }

    /// Takes a leader out; the phase that it was in.
    pub(super) fn remove(&mut self, leader: &Arc<Liveness>) -> Option<Phase> {
        let index = self.find(leader)?;
        let removed = self.leading.swap_remove(index);
        self.run_clock();
        Some(removed.phase)
    }

    /// Those who led do so for themselves from now on.
    pub(super) fn clear(&mut self) {
        self.leading.clear();
        self.run_clock();
    }

    /// The next phase of a leader, worked out from the one that it is in.
    pub(super) fn step(&mut self, leader: &Arc<Liveness>, next: impl FnOnce(Phase) -> Phase) {
        if let Some(index) = self.find(leader) {
            let phase = &mut self.leading[index].phase;
            *phase = next(*phase);
            self.run_clock();
        }
    }

    pub(super) fn has(&self, leader: &Arc<Liveness>) -> bool {
        self.find(leader).is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.leading.is_empty()
    }

    pub(super) fn all(&self) -> Vec<Arc<Liveness>> {
        let leading = self.leading.iter();
        leading.map(|it| Arc::clone(&it.liveness)).collect()
    }

    /// The leader, if there is one only, which was called and has not begun.
    pub(super) fn only_called(&self) -> Option<&Arc<Liveness>> {
        match &*self.leading {
            [only] if matches!(only.phase, Phase::Called) => Some(&only.liveness),
            _ => None,
        }
    }

    /// Whether nobody has begun.
    pub(super) fn are_all_called(&self) -> bool {
        let mut leading = self.leading.iter();
        leading.all(|it| matches!(it.phase, Phase::Called))
    }

    /// Who joined before this departure can count on one of them.
    pub(super) fn serve(&self) -> Departure {
        let served = self.leading.iter().map(|it| it.phase.serves());
        served.max().unwrap_or_default()
    }

    /// The clock of the time for which waiters have waited for the cache.
    pub(super) fn clock(&self) -> CacheClock {
        self.clock
    }

    pub(super) fn set_clock(&mut self, clock: CacheClock) {
        self.clock = clock;
    }

    /// Waiters wait for the cache unless somebody runs a body.
    fn run_clock(&mut self) {
        let is_cache = self.leading.iter().all(|it| it.phase.is_cache());
        self.clock.run(is_cache);
    }

    fn find(&self, leader: &Arc<Liveness>) -> Option<usize> {
        let mut leading = self.leading.iter();
        leading.position(|it| Arc::ptr_eq(&it.liveness, leader))
    }
}
