//! A bound in real time on every wait of a test, so that a mistake ends as a message and not as a
//! hang. The gateway's own thread keeps the time: a test's clock may be paused.

use std::time::Duration;
use tokio::runtime::Handle;

const BOUND: Duration = Duration::from_secs(30);

/// What a wait that took too long panics with.
pub(crate) const EXHAUSTED: &str = "what the test waits for did not happen within 30 s";

/// Waits, but not for ever.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    pub(crate) runtime: Handle,
}

impl Patience {
    /// The result, or `None` after the bound.
    pub(crate) async fn bound<T>(&self, wait: impl Future<Output = T>) -> Option<T> {
        let bound = self.runtime.spawn(tokio::time::sleep(BOUND));
        let stop = bound.abort_handle();
        let result = tokio::select! {
            biased;
            value = wait => Some(value),
            _ = bound => None,
        };
        stop.abort();
        result
    }
}
