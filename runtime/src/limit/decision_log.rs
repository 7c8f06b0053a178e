//! The decisions that were made on the way through a task, for whoever reports them.

use super::decision::Decision;
use crate::sync;
use std::future::Future;
use std::sync::{Arc, Mutex};

tokio::task_local! {
    static LOG: DecisionLog;
}

/// The strictest decision so far.
#[derive(Clone, Debug, Default)]
pub(super) struct DecisionLog(Arc<Mutex<Option<Decision>>>);

impl DecisionLog {
    /// Runs a future whose decisions are noted here.
    pub(super) fn watch<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        LOG.scope(self.clone(), future)
    }

    /// The strictest decision, once.
    pub(super) fn take(&self) -> Option<Decision> {
        sync::lock(&self.0).take()
    }
}

/// Notes a decision, if anyone watches.
pub(super) fn note(decision: &Decision) {
    // Nobody watching is the ordinary case.
    let _ = LOG.try_with(|log| {
        let mut strictest = sync::lock(&log.0);
        let decision = decision.clone();
        *strictest = Some(match strictest.take() {
            Some(earlier) => earlier.stricter(decision),
            None => decision,
        });
    });
}
