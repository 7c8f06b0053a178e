//! What a recorder is told, and when.

use super::labels;
use super::names::{
    ALL, BACKPLANE_TRUSTED, CALLS, CHECKS, CIRCUIT_OPEN, CIRCUIT_OPENED, COMMANDS, FAILURE_KINDS,
    FAILURES, LOAD_TIMES, LOCAL_BYTES, OUTCOMES, PENDING, REQUESTS, RESULTS, STORE_TIMES, Type,
    WAIT_TIMES,
};
use super::source::totals;
use crate::clock::Clock;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often slow events publish at most.
const PAUSE: Duration = Duration::from_secs(1);

/// Tells the recorder of the [`metrics`](super::facade) crate what was counted since the process started. Call it
/// before an exporter renders its page. A recorder that is pushed from needs no call: while functions load and
/// commands are sent, this is done once a second.
///
/// Counters are set, not added to, so it does not matter how often it is called, when the recorder was installed, or
/// whether it is a local one; and a recorder is told the same sums by every thread. Without a recorder nothing
/// happens.
///
/// ```
/// # #[cfg(feature = "metrics")] {
/// // async fn metrics(State(exporter): State<PrometheusHandle>) -> String {
/// millpond::metrics::publish();
/// //     exporter.render()
/// // }
/// # }
/// ```
pub fn publish() {
    describe();
    let totals = totals();
    for (prefix, stats) in &totals.prefixes {
        for (result, count) in RESULTS {
            let labels = [("prefix", prefix.clone()), ("result", result.into())];
            counter!(CALLS, &labels).absolute(count(stats));
        }
        for (kind, count) in FAILURE_KINDS {
            let labels = [("prefix", prefix.clone()), ("kind", kind.into())];
            counter!(FAILURES, &labels).absolute(count(stats));
        }
    }
    for (kind, stats) in &totals.kinds {
        for (outcome, count) in OUTCOMES {
            let labels = [("kind", kind.clone()), ("outcome", outcome.into())];
            counter!(CHECKS, &labels).absolute(count(stats));
        }
    }
    counter!(COMMANDS).absolute(totals.commands);
    counter!(REQUESTS).absolute(totals.requests);
    counter!(CIRCUIT_OPENED).absolute(totals.circuit_opened);
    gauge!(CIRCUIT_OPEN).set(f64::from(u8::from(totals.circuit_open)));
    gauge!(BACKPLANE_TRUSTED).set(f64::from(u8::from(!totals.backplane_untrusted)));
    #[expect(
        clippy::cast_precision_loss,
        reason = "both are of what is in memory, so they are far below 2^53"
    )]
    {
        gauge!(PENDING).set(totals.pending as f64);
        gauge!(LOCAL_BYTES).set(totals.local_bytes as f64);
    }
}

fn describe() {
    for metric in ALL {
        let (name, unit, text) = (metric.name, metric.unit, metric.text);
        match metric.of {
            Type::Counter => describe_counter!(name, unit, text),
            Type::Gauge => describe_gauge!(name, unit, text),
            Type::Histogram => describe_histogram!(name, unit, text),
        }
    }
}

/// The body of a cached function took this time.
pub(crate) fn load_took(prefix: &str, is_declared: bool, time: Duration) {
    histogram!(LOAD_TIMES, "prefix" => labels::prefix(prefix, is_declared)).record(time);
    publish_now_and_then();
}

/// A call waited for another caller's load.
pub(crate) fn waited(time: Duration) {
    histogram!(WAIT_TIMES).record(time);
}

/// The store answered after this time.
pub(crate) fn answered_in(time: Duration) {
    histogram!(STORE_TIMES).record(time);
    publish_now_and_then();
}

fn publish_now_and_then() {
    /// Microseconds by the monotonic clock; the wall clock may jump.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let now = Clock::System.monotonic();
    let next = NEXT.load(Ordering::Relaxed);
    let later = micros(now.saturating_add(PAUSE));
    let is_due = micros(now) >= next
        && NEXT
            .compare_exchange(next, later, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok();
    if is_due {
        publish();
    }
}
