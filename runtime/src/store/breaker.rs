//! The circuit breaker in front of a remote engine. While the server cannot be reached, calls end
//! at once instead of each waiting out its time budget.

use super::command::Reply;
use super::{Batch, Store};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::runtime::BoxFuture;
use crate::sync;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Failures in a row that open the circuit.
const THRESHOLD: u32 = 5;

/// How long the circuit stays open at first; each failed probe doubles it.
const COOL_DOWN: Duration = Duration::from_secs(1);
const LONGEST_COOL_DOWN: Duration = Duration::from_secs(5);

pub(crate) struct Breaker<S> {
    store: S,
    circuit: Arc<Circuit>,
}

struct Circuit {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Clone, Copy)]
struct State {
    phase: Phase,
    failures: u32,
    cool_down: Duration,
}

/// Times are readings of [`Clock::monotonic`].
#[derive(Clone, Copy)]
enum Phase {
    Closed,
    Open {
        until: Duration,
    },
    /// One call goes through, and its outcome decides. Its future may be kept and never polled, so
    /// after this time the next call takes its place.
    Probing {
        until: Duration,
    },
}

const CLOSED: State = State {
    phase: Phase::Closed,
    failures: 0,
    cool_down: COOL_DOWN,
};

impl<S: Store> Breaker<S> {
    pub(crate) fn new(store: S, clock: Clock) -> Self {
        Self {
            store,
            circuit: Arc::new(Circuit {
                clock,
                state: Mutex::new(CLOSED),
            }),
        }
    }
}

impl<S: Store> Store for Breaker<S> {
    fn send(&self, batch: Batch) -> BoxFuture<Vec<Result<Reply, Error>>> {
        let passage = match self.circuit.enter(batch.within) {
            Ok(passage) => passage,
            Err(error) => {
                let refused = batch.commands.iter().map(|_| Err(error.clone())).collect();
                return Box::pin(std::future::ready(refused));
            }
        };
        let sent = self.store.send(batch);
        Box::pin(async move {
            let replies = sent.await;
            passage.leave(&replies);
            replies
        })
    }
}

impl Circuit {
    fn enter(self: &Arc<Self>, within: Duration) -> Result<Passage, Error> {
        let mut state = self.lock();
        let now = self.clock.monotonic();
        let probe = match state.phase {
            Phase::Closed => None,
            Phase::Open { until } | Phase::Probing { until } if now >= until => {
                let until = now.saturating_add(within.max(COOL_DOWN));
                state.phase = Phase::Probing { until };
                Some(until)
            }
            Phase::Open { until } => return Err(open(state.failures, until.saturating_sub(now))),
            Phase::Probing { .. } => return Err(open(state.failures, Duration::ZERO)),
        };
        Ok(Passage {
            circuit: Arc::clone(self),
            probe,
            left: false,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        sync::lock(&self.state)
    }
}

/// One call on its way through.
struct Passage {
    circuit: Arc<Circuit>,
    /// For a probe, the end of its time, which tells it from the probes after it.
    probe: Option<Duration>,
    left: bool,
}

impl Passage {
    fn leave(mut self, replies: &[Result<Reply, Error>]) {
        let Some(reached) = reached(replies) else {
            // Nothing was learned; a probe makes way as if nobody had waited for it.
            return;
        };
        self.left = true;
        let mut state = self.circuit.lock();
        if reached {
            // A late answer to an earlier call says that the server is there again, too.
            *state = CLOSED;
            return;
        }
        state.failures = state.failures.saturating_add(1);
        let now = self.circuit.clock.monotonic();
        match state.phase {
            Phase::Closed if state.failures >= THRESHOLD => {}
            Phase::Probing { until } if self.probe == Some(until) => {
                state.cool_down = state.cool_down.saturating_mul(2).min(LONGEST_COOL_DOWN);
            }
            Phase::Closed | Phase::Open { .. } | Phase::Probing { .. } => return,
        }
        state.phase = Phase::Open {
            until: now + state.cool_down,
        };
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        let Some(mine) = self.probe.filter(|_| !self.left) else {
            return;
        };
        // A probe that nobody waits for any more decides nothing; the next call is the probe.
        let mut state = self.circuit.lock();
        if matches!(state.phase, Phase::Probing { until } if until == mine) {
            state.phase = Phase::Open {
                until: self.circuit.clock.monotonic(),
            };
        }
    }
}

/// Whether the server was reached, even if it answered with an error; nothing if these replies do
/// not tell, as those do not that were made here. A proxy that answers 502 or 503 in the place of
/// the server does not count as the server.
fn reached(replies: &[Result<Reply, Error>]) -> Option<bool> {
    let told = |reply: &Result<Reply, Error>| match reply.as_ref().map_err(Error::kind) {
        Ok(_)
        | Err(ErrorKind::Server | ErrorKind::WrongType | ErrorKind::Auth | ErrorKind::TooLarge) => {
            Some(true)
        }
        Err(ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::OutcomeUnknown) => Some(false),
        Err(_) => None,
    };
    replies.iter().filter_map(told).max()
}

fn open(failures: u32, wait: Duration) -> Error {
    let next = if wait.is_zero() {
        String::from("a probe is under way")
    } else {
        format!("next try in {} ms", wait.as_millis())
    };
    Error::new(
        ErrorKind::Unavailable,
        format!("circuit breaker open after {failures} failures in a row; {next}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::store::command::{Command, Effect};
    use std::collections::VecDeque;
    use tokio::sync::oneshot;

    type Answer = oneshot::Sender<Result<Reply, Error>>;

    /// A store that answers when the test says so.
    #[derive(Clone, Default)]
    struct Scripted(Arc<Mutex<VecDeque<Answer>>>);

    impl Store for Scripted {
        fn send(&self, _: Batch) -> BoxFuture<Vec<Result<Reply, Error>>> {
            let (sender, receiver) = oneshot::channel();
            self.0.lock().unwrap().push_back(sender);
            Box::pin(async move { vec![receiver.await.unwrap()] })
        }
    }

    struct Bench {
        breaker: Breaker<Scripted>,
        store: Scripted,
        clock: ManualClock,
    }

    impl Bench {
        fn new() -> Self {
            let (store, clock) = (Scripted::default(), ManualClock::new());
            Self {
                breaker: Breaker::new(store.clone(), Clock::Manual(clock.clone())),
                store,
                clock,
            }
        }

        fn call(&self) -> BoxFuture<Vec<Result<Reply, Error>>> {
            self.breaker.send(Batch {
                commands: vec![Command::new(Effect::Read, ["PING"])],
                within: Duration::from_secs(1),
            })
        }

        fn answer(&self, answer: Result<Reply, ErrorKind>) {
            let sender = self.store.0.lock().unwrap().pop_front().unwrap();
            let _ = sender.send(answer.map_err(|kind| Error::new(kind, "as told")));
        }

        async fn outcome(&self, answer: Result<Reply, ErrorKind>) {
            let call = self.call();
            self.answer(answer);
            call.await;
        }

        async fn is_open(&self) -> bool {
            let before = self.store.0.lock().unwrap().len();
            let call = self.call();
            if self.store.0.lock().unwrap().len() > before {
                return false;
            }
            let error = call.await.remove(0).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            error.to_string().contains("circuit breaker open after")
        }
    }

    const DOWN: Result<Reply, ErrorKind> = Err(ErrorKind::Unavailable);

    #[tokio::test]
    async fn it_opens_after_failures_in_a_row_and_tries_again_after_a_while() {
        let bench = Bench::new();
        for kind in [
            ErrorKind::Unavailable,
            ErrorKind::Timeout,
            ErrorKind::OutcomeUnknown,
            ErrorKind::Timeout,
        ] {
            bench.outcome(Err(kind)).await;
        }
        bench.outcome(Ok(Reply::Nil)).await;
        for _ in 0..5 {
            bench.outcome(DOWN).await;
        }
        assert!(bench.is_open().await);
        bench.clock.advance(Duration::from_millis(999));
        assert!(bench.is_open().await);
        bench.clock.advance(Duration::from_millis(1));
        bench.outcome(Ok(Reply::Nil)).await;
        bench.outcome(DOWN).await;
        assert!(!bench.is_open().await);
    }

    #[tokio::test]
    async fn errors_of_the_server_itself_do_not_open_it() {
        let bench = Bench::new();
        for _ in 0..20 {
            bench.outcome(Err(ErrorKind::Server)).await;
            bench.outcome(Err(ErrorKind::WrongType)).await;
        }
        assert!(!bench.is_open().await);
    }

    #[tokio::test]
    async fn one_probe_goes_through_and_each_failed_one_doubles_the_wait() {
        let bench = Bench::new();
        for _ in 0..5 {
            bench.outcome(DOWN).await;
        }
        for wait in [1_000, 2_000, 4_000, 5_000, 5_000] {
            bench.clock.advance(Duration::from_millis(wait - 1));
            assert!(bench.is_open().await, "before {wait} ms");
            bench.clock.advance(Duration::from_millis(1));
            let probe = bench.call();
            assert!(bench.is_open().await, "while the probe is under way");
            bench.answer(DOWN);
            probe.await;
        }
    }

    #[tokio::test]
    async fn a_probe_whose_caller_goes_away_makes_way_for_the_next() {
        let bench = Bench::new();
        for _ in 0..5 {
            bench.outcome(DOWN).await;
        }
        bench.clock.advance(Duration::from_secs(1));
        drop(bench.call());
        bench.store.0.lock().unwrap().clear();
        bench.outcome(Ok(Reply::Nil)).await;
        assert!(!bench.is_open().await);
    }

    #[tokio::test]
    async fn a_probe_that_is_never_polled_makes_way_when_its_time_is_over() {
        let bench = Bench::new();
        for _ in 0..5 {
            bench.outcome(DOWN).await;
        }
        bench.clock.advance(Duration::from_secs(1));
        let kept = bench.call();
        let unheard = bench.store.0.lock().unwrap().pop_front();
        bench.clock.advance(Duration::from_millis(999));
        assert!(bench.is_open().await);
        bench.clock.advance(Duration::from_millis(1));
        let probe = bench.call();
        drop((kept, unheard));
        assert!(bench.is_open().await, "the kept one decides nothing more");
        bench.answer(Ok(Reply::Nil));
        probe.await;
        assert!(!bench.is_open().await);
    }

    #[tokio::test]
    async fn errors_made_on_this_side_leave_it_as_it_is() {
        let local = [
            ErrorKind::InvalidValue,
            ErrorKind::Config,
            ErrorKind::Unsupported,
            ErrorKind::Protocol,
        ];
        let bench = Bench::new();
        for kind in local {
            bench.outcome(DOWN).await;
            bench.outcome(Err(kind)).await;
        }
        assert!(!bench.is_open().await, "four failures are too few");
        bench.store.0.lock().unwrap().clear();
        bench.outcome(DOWN).await;
        assert!(bench.is_open().await, "they did not break the row");
        bench.clock.advance(Duration::from_secs(1));
        for kind in local {
            bench.outcome(Err(kind)).await;
        }
        bench.outcome(DOWN).await;
        assert!(bench.is_open().await);
    }
}
