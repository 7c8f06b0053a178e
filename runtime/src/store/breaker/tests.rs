//! When the circuit opens, for how long, and who closes it.

use super::*;
use crate::clock::ManualClock;
use crate::error::ErrorKind;
use crate::store::command::{Command, Effect, Reply};
use crate::store::respite;
use std::collections::VecDeque;
use std::sync::Mutex;
use tokio::sync::oneshot;

type Answer = oneshot::Sender<Result<Reply, Error>>;

/// A store that answers when the test says so.
#[derive(Clone, Default)]
struct Scripted(Arc<Mutex<VecDeque<Answer>>>);

impl Store for Scripted {
    fn send(&self, _: Batch) -> BoxFuture<Replies> {
        let (sender, receiver) = oneshot::channel();
        self.0.lock().unwrap().push_back(sender);
        Box::pin(async move { Replies::from([receiver.await.unwrap()]) })
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
            breaker: Breaker::new(store.clone(), Clock::Manual(clock.clone()), Arc::default()),
            store,
            clock,
        }
    }

    fn call(&self) -> BoxFuture<Replies> {
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

#[tokio::test]
async fn a_server_that_asks_to_be_left_alone_is_whatever_earlier_calls_bring() {
    let bench = Bench::new();
    let sender = || bench.store.0.lock().unwrap().pop_front().unwrap();
    let (earlier, asking) = (bench.call(), bench.call());
    let (late, asked) = (sender(), sender());
    let respite = respite::asked_for("slow down".into(), Duration::from_secs(30));
    asked.send(Err(respite)).unwrap();
    asking.await;
    late.send(Ok(Reply::Nil)).unwrap();
    earlier.await;
    bench.clock.advance(Duration::from_millis(29_999));
    let error = bench.call().await.remove(0).unwrap_err();
    assert!(error.to_string().contains("slow down"), "{error}");
    assert_eq!(bench.breaker.outage(), Some(error));
    bench.clock.advance(Duration::from_millis(1));
    bench.outcome(Ok(Reply::Nil)).await;
    assert!(!bench.is_open().await);
    assert_eq!(bench.breaker.outage(), None);
}
