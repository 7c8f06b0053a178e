//! What a gateway sees of many calls: which of them leave together, in which order, and who is
//! harmed when something goes wrong.

#![cfg(feature = "upstash")]

mod support;

use futures_util::future::join_all;
use millpond::{ErrorKind, Millpond, Reply};
use millpond_gateway::{Fault, Gateway, Hold, Matcher, needs_redis};
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::{gateway, pond};
use tokio::task::JoinHandle;

const MINUTE: Duration = Duration::from_secs(60);

type Call = JoinHandle<Result<Reply, millpond::Error>>;

/// Starts a call in a task of its own.
fn spawn(pond: &Millpond, line: &str) -> Call {
    let (pond, line) = (pond.clone(), line.to_owned());
    tokio::spawn(async move { pond.command(line.split(' ').map(str::to_owned)).await })
}

/// How many commands each request held.
fn sizes(gateway: &Gateway) -> Vec<usize> {
    let requests = gateway.requests();
    requests.iter().map(|it| it.commands.len()).collect()
}

/// A write whose answer is held back, so that what comes after it has to wait.
async fn first_write(gateway: &Gateway, pond: &Millpond) -> (Call, Hold) {
    let hold = gateway.hold(Matcher::argument("first"));
    let call = spawn(pond, "SET first 1");
    hold.arrived().await;
    (call, hold)
}

#[tokio::test]
async fn a_lone_command_leaves_at_once_and_alone() {
    let gateway = gateway(needs_redis!()).await;
    let pond = pond(&gateway);
    for _ in 0..3 {
        pond.command(["INCR", "n"]).await.unwrap();
    }
    assert_eq!(sizes(&gateway), [1, 1, 1]);
    assert!(gateway.requests().iter().all(|it| it.path == "/pipeline"));
}

#[tokio::test]
async fn a_thousand_writes_at_once_need_two_requests() {
    let gateway = gateway(needs_redis!()).await;
    let pond = pond(&gateway);
    let calls = (0..1_000).map(|n| pond.command(["SET".to_owned(), n.to_string(), "1".to_owned()]));
    for reply in join_all(calls).await {
        reply.unwrap();
    }
    assert_eq!(sizes(&gateway), [1, 999]);
    assert_eq!(pond.stats().requests, 2);
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn calls_made_at_the_same_time_leave_together_and_in_order_over_resp() {
    let database = needs_redis!().database();
    let pond = Millpond::builder().redis(database.url());
    let pond = pond.budget(support::LONG).build().unwrap();
    pond.get::<u32>("connected").await.unwrap();
    let before = pond.stats().requests;
    let calls = (0..100).map(|_| pond.command(["INCR", "n"]));
    let numbers: Vec<_> = join_all(calls)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(numbers, (1..=100).map(Reply::Int).collect::<Vec<_>>());
    assert_eq!(pond.stats().requests - before, 1);
    let pond = Millpond::builder()
        .redis(database.url())
        .auto_pipelining(false);
    let pond = pond.budget(support::LONG).build().unwrap();
    for reply in join_all((0..100).map(|_| pond.command(["INCR", "n"]))).await {
        reply.unwrap();
    }
    assert_eq!(pond.stats().requests, 100);
}

#[tokio::test]
async fn a_hundred_reads_at_once_need_five_requests() {
    let gateway = gateway(needs_redis!()).await;
    let pond = pond(&gateway);
    let hold = gateway.hold(Matcher::any().always());
    let reads = (0..100).map(|n| {
        let pond = pond.clone();
        tokio::spawn(async move { pond.get::<u32>(format!("k{n}").as_str()).await })
    });
    let reads: Vec<_> = reads.collect();
    hold.arrivals(4).await;
    hold.release();
    for read in join_all(reads).await {
        assert_eq!(read.unwrap().unwrap(), None);
    }
    assert_eq!(sizes(&gateway)[..4], [1, 1, 1, 1]);
    assert_eq!(gateway.commands().len(), 100);
    assert!(gateway.requests().len() <= 8, "{:?}", sizes(&gateway));
}

/// Counts how often the future is polled.
fn counted<F: Future>(future: F, polls: &AtomicUsize) -> impl Future<Output = F::Output> {
    let mut future = Box::pin(future);
    std::future::poll_fn(move |cx| {
        polls.fetch_add(1, Ordering::Relaxed);
        future.as_mut().poll(cx)
    })
}

/// Tokio lets a task look at 128 answers in one poll. Calls that took part in that would be polled five times each.
#[tokio::test]
async fn a_thousand_calls_of_one_task_are_not_polled_again_and_again() {
    let gateway = gateway(needs_redis!()).await;
    let pond = pond(&gateway);
    let polls = AtomicUsize::new(0);
    let keys: Vec<String> = (0..1_000).map(|n| format!("k{n}")).collect();
    let reads = keys
        .iter()
        .map(|key| counted(pond.get::<u32>(key.as_str()), &polls));
    for read in join_all(reads).await {
        assert_eq!(read.unwrap(), None);
    }
    let polls = polls.into_inner();
    assert!(polls <= 3_000, "{polls} polls of 1,000 calls");
}

#[tokio::test]
async fn writes_arrive_in_the_order_in_which_they_were_made() {
    let gateway = gateway(needs_redis!()).await;
    let pond = pond(&gateway);
    let (first, hold) = first_write(&gateway, &pond).await;
    let appends =
        (0..50).map(|n| pond.command(["APPEND".to_owned(), "log".to_owned(), format!("{n},")]));
    let (appended, ()) = tokio::join!(join_all(appends), async { hold.release() });
    assert!(appended.into_iter().all(|reply| reply.is_ok()));
    first.await.unwrap().unwrap();
    let wanted: String = (0..50).map(|n| n.to_string() + ",").collect();
    assert_eq!(
        pond.command(["GET", "log"]).await.unwrap(),
        Reply::Bulk(wanted.into())
    );
    assert_eq!(sizes(&gateway), [1, 50, 1]);
}

#[tokio::test]
async fn a_read_does_not_wait_behind_a_slow_write() {
    let gateway = gateway(needs_redis!()).await;
    let pond = pond(&gateway);
    let (first, hold) = first_write(&gateway, &pond).await;
    assert_eq!(pond.get::<u32>("elsewhere").await.unwrap(), None);
    hold.release();
    first.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_pipeline_is_never_divided_among_requests() {
    let gateway = gateway(needs_redis!()).await;
    let pond = pond(&gateway);
    let (first, hold) = first_write(&gateway, &pond).await;
    let pipelines: Vec<_> = (0..3)
        .map(|_| {
            let sets = (0..400).fold(pond.pipeline(), |all, n| {
                all.command(["SET".to_owned(), format!("k{n}"), "1".to_owned()])
            });
            tokio::spawn(sets.send())
        })
        .collect();
    // A task that was spawned later has queued its pipeline later; all have once this one answers.
    pond.get::<u32>("elsewhere").await.unwrap();
    hold.release();
    first.await.unwrap().unwrap();
    for replies in join_all(pipelines).await {
        assert!(replies.unwrap().into_iter().all(|reply| reply.is_ok()));
    }
    let writes: Vec<usize> = sizes(&gateway)
        .into_iter()
        .filter(|size| *size > 1)
        .collect();
    assert!(writes.iter().all(|size| size % 400 == 0), "{writes:?}");
    assert_eq!(writes.iter().sum::<usize>(), 1_200);
}

#[tokio::test]
async fn a_lost_answer_harms_only_what_must_not_run_twice() {
    let gateway = gateway(needs_redis!()).await;
    let pond = pond(&gateway);
    // Reading a sliding session gives it its life anew, which may be done twice.
    let sessions = pond.sessions::<u32>(MINUTE).sliding();
    let id = sessions.create(&1).await.unwrap();
    let (first, hold) = first_write(&gateway, &pond).await;
    gateway.inject(Matcher::command("INCR"), Fault::ResetAfter);
    let session = {
        let (sessions, id) = (sessions.clone(), id.clone());
        tokio::spawn(async move { sessions.get(&id).await })
    };
    let incr = spawn(&pond, "INCR n");
    pond.get::<u32>("elsewhere").await.unwrap();
    hold.release();
    first.await.unwrap().unwrap();
    assert_eq!(session.await.unwrap().unwrap(), Some(1));
    assert_eq!(
        incr.await.unwrap().unwrap_err().kind(),
        ErrorKind::OutcomeUnknown
    );
    assert_eq!(
        pond.command(["GET", "n"]).await.unwrap(),
        Reply::Bulk("1".into())
    );
    assert_eq!(sessions.get(&id).await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_refused_command_harms_none_that_left_with_it() {
    let gateway = gateway(needs_redis!()).await;
    let pond = pond(&gateway);
    let (first, hold) = first_write(&gateway, &pond).await;
    let large = "v".repeat(11 * 1024 * 1024);
    let calls = [
        spawn(&pond, "SET a 1"),
        spawn(&pond, &format!("SET b {large}")),
        spawn(&pond, "HGET first f"),
        spawn(&pond, "SET c 1"),
    ];
    pond.get::<u32>("elsewhere").await.unwrap();
    hold.release();
    first.await.unwrap().unwrap();
    let mut kinds = Vec::new();
    for call in calls {
        kinds.push(call.await.unwrap().map_err(|error| error.kind()).err());
    }
    assert_eq!(
        kinds,
        [
            None,
            Some(ErrorKind::TooLarge),
            Some(ErrorKind::WrongType),
            None
        ]
    );
}

#[tokio::test]
async fn a_server_that_comes_back_is_used_again() {
    let gateway = gateway(needs_redis!()).await;
    let pond = pond(&gateway);
    pond.set("k", &1, MINUTE).await.unwrap();
    gateway.refuse().await;
    let extender = pond.clone();
    let expire = tokio::spawn(async move { extender.expire("k", MINUTE * 2).await });
    let tried = async {
        while pond.stats().retries == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(MINUTE, tried).await.expect("a retry");
    gateway.accept().await;
    assert!(expire.await.unwrap().unwrap());
    assert_eq!(pond.get("k").await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_server_that_stops_answering_opens_the_circuit() {
    let gateway = gateway(needs_redis!()).await;
    let pond = Millpond::builder()
        .upstash(gateway.url(), gateway.token())
        .budget(Duration::from_millis(20))
        .build()
        .unwrap();
    let hold = gateway.hold(Matcher::any().always());
    let error = pond.command(["INCR", "n"]).await.unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::OutcomeUnknown,
        "it had left: {error}"
    );
    for _ in 0..4 {
        let error = pond.get::<u32>("k").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    }
    let before = gateway.requests().len();
    let error = pond.get::<u32>("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(
        error.to_string().contains("circuit breaker open after 5"),
        "{error}"
    );
    assert_eq!(gateway.requests().len(), before);
    hold.release();
}

#[test]
fn one_process_with_several_runtimes_one_idle_and_one_dropped_hangs_nobody() {
    let redis = needs_redis!();
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let (busy, idle, dropped) = (runtime(), runtime(), runtime());
    let gateway = busy.block_on(gateway(redis));
    let pond = pond(&gateway);
    // Both leave connections behind that nobody drives any more.
    idle.block_on(pond.command(["INCR", "n"])).unwrap();
    let (call, hold) = dropped.block_on(async {
        let hold = gateway.hold(Matcher::command("INCR"));
        let call = spawn(&pond, "INCR n");
        hold.arrived().await;
        (call, hold)
    });
    drop(dropped);
    hold.release();
    assert!(
        busy.block_on(call).is_err(),
        "the task went with its runtime"
    );
    for wanted in 3..20 {
        let reply = busy.block_on(pond.command(["INCR", "n"])).unwrap();
        assert_eq!(reply, Reply::Int(wanted));
    }
    assert_eq!(
        idle.block_on(pond.command(["INCR", "n"])).unwrap(),
        Reply::Int(20)
    );
}
