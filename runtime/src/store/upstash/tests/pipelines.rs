//! What leaves together, how much is under way, and whom a slow or vanished runtime holds up.

use super::server::{Fault, Request, Server};
use super::*;
use std::time::Instant;

#[tokio::test]
async fn a_lone_command_leaves_at_once_and_later_ones_leave_together() {
    let server = Server::start().await;
    let (store, _) = client(&server.url, |_| {});
    let store = Arc::new(store);
    server.hold();
    let first = spawn(&store, once("SET a 1"));
    server.arrivals(1).await;
    let mut later = vec![];
    for n in 0..5 {
        let store = Arc::clone(&store);
        let mut sent = Box::pin(async move {
            send(
                &store,
                LONG,
                [once(&format!("SET {n} 1")), once(&format!("INCR {n}"))],
            )
            .await
        });
        // Polled once, in this order, so that each is queued before the next.
        assert!(futures_poll(&mut sent).await.is_none());
        later.push(sent);
    }
    server.release(2);
    first.await.unwrap().unwrap();
    for sent in later {
        assert_eq!(sent.await[1].as_ref().unwrap(), &Reply::Int(2));
    }
    assert_eq!(
        server.log(),
        ["SET", "SET INCR SET INCR SET INCR SET INCR SET INCR"]
    );
}

/// Polls once.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn four_reads_and_one_write_are_under_way_at_most() {
    let server = Server::start().await;
    let (store, _) = client(&server.url, |_| {});
    let store = Arc::new(store);
    server.hold();
    let reads: Vec<_> = (0..10)
        .map(|n| spawn(&store, read(&format!("GET {n}"))))
        .collect();
    let writes: Vec<_> = (0..3)
        .map(|n| spawn(&store, once(&format!("SET {n} 1"))))
        .collect();
    server.arrivals(5).await;
    let mut log = server.log();
    log.sort();
    assert_eq!(log, ["GET", "GET", "GET", "GET", "SET"]);
    server.release(100);
    for answer in reads.into_iter().chain(writes) {
        answer.await.unwrap().unwrap();
    }
    let mut log = server.log().split_off(5);
    log.sort();
    assert_eq!(log, ["GET GET GET GET GET GET", "SET SET"]);
}

#[tokio::test]
async fn without_pipelining_each_batch_leaves_at_once_and_alone() {
    let server = Server::start().await;
    let (store, _) = client(&server.url, |config| {
        config.pipelining = false;
        config.read_your_writes = false;
    });
    let store = Arc::new(store);
    server.hold();
    let sent: Vec<_> = (0..9)
        .map(|n| spawn(&store, once(&format!("SET {n} 1"))))
        .collect();
    server.arrivals(9).await;
    server.release(9);
    for answer in sent {
        answer.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn without_pipelining_writes_wait_for_each_other_where_the_sync_token_counts() {
    let server = Server::start().await;
    let (store, _) = client(&server.url, |config| config.pipelining = false);
    let store = Arc::new(store);
    server.hold();
    let writes: Vec<_> = (0..3)
        .map(|n| spawn(&store, once(&format!("SET {n} 1"))))
        .collect();
    let reads: Vec<_> = (0..9).map(|_| spawn(&store, read("GET a"))).collect();
    server.arrivals(10).await;
    server.release(100);
    for answer in writes.into_iter().chain(reads) {
        answer.await.unwrap().unwrap();
    }
    let tokens = |requests: &[Request]| -> Vec<String> {
        let writes = requests.iter().enumerate();
        let writes = writes.filter(|(_, it)| it.names() == ["SET"]);
        let shown = |it: &Request| it.header("upstash-sync-token").unwrap().to_owned();
        writes
            .flat_map(|(at, it)| [shown(it), format!("t{}", at + 1)])
            .collect()
    };
    let tokens = server.requests(tokens);
    assert_eq!(tokens.len(), 6, "each alone: {tokens:?}");
    assert_eq!((&tokens[1], &tokens[3]), (&tokens[2], &tokens[4]));
}

#[tokio::test]
async fn a_batch_over_the_bounds_is_divided_in_order() {
    let server = Server::start().await;
    let (store, _) = client(&server.url, |_| {});
    let replies = send(&store, LONG, (0..2_500).map(|_| once("INCR n"))).await;
    let numbers: Vec<_> = replies.into_iter().map(Result::unwrap).collect();
    assert_eq!(numbers, (1..=2_500).map(Reply::Int).collect::<Vec<_>>());
    let sizes = |requests: &[Request]| -> Vec<usize> {
        requests.iter().map(|it| it.commands.len()).collect()
    };
    assert_eq!(server.requests(sizes), [1_000, 1_000, 500]);
    let big = "v".repeat(400 * 1024);
    send(
        &store,
        LONG,
        (0..4).map(|n| once(&format!("SET {n} {big}"))),
    )
    .await;
    assert_eq!(server.requests(sizes)[3..], [2, 2]);
}

#[tokio::test]
async fn when_a_shared_request_is_refused_only_the_culprit_fails() {
    let server = Server::start().await;
    let (store, _) = client(&server.url, |_| {});
    let store = Arc::new(store);
    server.hold();
    let first = spawn(&store, once("SET a 1"));
    server.arrivals(1).await;
    let refusal = Fault::Answer(400, r#"{"error":"ERR max request size exceeded"}"#.into());
    let ok = Fault::Answer(200, r#"[{"result":1}]"#.into());
    server.fail_next([refusal.clone(), refusal.clone(), refusal, ok]);
    let both = spawn(&store, once("SET b 1"));
    let other = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { send(&store, LONG, [once("INCR x"), once("INCR y")]).await })
    };
    tokio::task::yield_now().await;
    server.release(100);
    first.await.unwrap().unwrap();
    assert_eq!(both.await.unwrap().unwrap_err().kind(), ErrorKind::TooLarge);
    let other = other.await.unwrap();
    assert_eq!(
        other.iter().filter(|reply| reply.is_ok()).count(),
        2,
        "{other:?}"
    );
    assert_eq!(
        server.log(),
        ["SET", "SET INCR INCR", "SET", "INCR INCR", "INCR", "INCR"]
    );
}

#[tokio::test]
async fn a_budget_ends_the_wait_and_never_the_request() {
    let server = Server::start().await;
    let (store, _) = client(&server.url, |_| {});
    let store = Arc::new(store);
    server.hold();
    let short = Duration::from_millis(30);
    let patient = spawn(&store, read("GET a"));
    server.arrivals(1).await;
    let error = send(&store, short, [read("GET a")])
        .await
        .remove(0)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    let error = send(&store, short, [once("INCR n")])
        .await
        .remove(0)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error}");
    let behind = send(&store, short, [once("INCR m")])
        .await
        .remove(0)
        .unwrap_err();
    assert_eq!(behind.kind(), ErrorKind::Timeout, "it never left: {behind}");
    server.release(100);
    assert_eq!(patient.await.unwrap().unwrap(), Reply::Nil);
    let numbers = send(&store, LONG, [once("GET n"), once("GET m")]).await;
    assert_eq!(numbers[0].as_ref().unwrap(), &bulk("1"));
    assert_eq!(numbers[1].as_ref().unwrap(), &Reply::Nil);
}

#[tokio::test]
async fn a_read_without_a_connection_goes_on_after_its_callers_budget() {
    let server = Server::start().await;
    let (store, meter) = client(&server.url, |config| config.connect_timeout = LONG);
    server.hold();
    let short = Duration::from_millis(20);
    let error = send(&store, short, [read("GET a")]).await.remove(0);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Timeout);
    server.arrivals(1).await;
    server.release(100);
    let answered = async {
        while meter.bytes_received.get() == 0 {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(LONG, answered).await.is_ok());
}

#[tokio::test]
async fn a_caller_that_goes_away_only_stops_waiting() {
    let server = Server::start().await;
    let (store, _) = client(&server.url, |_| {});
    let store = Arc::new(store);
    server.hold();
    let leaves = spawn(&store, once("INCR n"));
    server.arrivals(1).await;
    let queued = spawn(&store, once("INCR n"));
    tokio::task::yield_now().await;
    leaves.abort();
    queued.abort();
    server.release(100);
    assert_eq!(one(&store, once("INCR n")).await.unwrap(), Reply::Int(3));
}

#[tokio::test]
async fn a_server_that_stops_answering_blocks_later_writes_only_for_a_while() {
    let server = Server::start().await;
    let (store, _) = client(&server.url, |_| {});
    server.hold();
    let stuck = send(&store, Duration::from_millis(10), [once("INCR a")])
        .await
        .remove(0);
    assert_eq!(stuck.unwrap_err().kind(), ErrorKind::OutcomeUnknown);
    server.release(100);
    one(&store, once("INCR a")).await.unwrap();
}

#[test]
fn a_dropped_runtime_takes_nobody_with_it() {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    };
    let (remote, dropped, idle, other) = (runtime(), runtime(), runtime(), runtime());
    let server = remote.block_on(Server::start());
    let (store, _) = client(&server.url, |_| {});
    let store = Arc::new(store);
    idle.block_on(one(&store, once("INCR n"))).unwrap();
    server.hold();
    let (sender, receiver) = std::sync::mpsc::channel();
    for _ in 0..3 {
        let (store, sender) = (Arc::clone(&store), sender.clone());
        // Waits in another runtime for a request that the first one carries.
        let mut sent = Box::pin(async move { one(&store, once("INCR n")).await });
        dropped.block_on(async { assert!(futures_poll(&mut sent).await.is_none()) });
        other.spawn(async move { sender.send(sent.await).unwrap() });
    }
    remote.block_on(server.arrivals(2));
    drop(dropped);
    let kinds: Vec<_> = (0..3)
        .map(|_| receiver.recv_timeout(LONG).unwrap().unwrap_err().kind())
        .collect();
    let gone = |kind: &&ErrorKind| **kind == ErrorKind::Unavailable;
    let unknown = |kind: &&ErrorKind| **kind == ErrorKind::OutcomeUnknown;
    assert_eq!(kinds.iter().filter(unknown).count(), 1, "{kinds:?}");
    assert_eq!(kinds.iter().filter(gone).count(), 2, "{kinds:?}");
    server.release(100);
    let before = Instant::now();
    other.block_on(one(&store, once("INCR n"))).unwrap();
    idle.block_on(one(&store, once("INCR n"))).unwrap();
    assert!(before.elapsed() < LONG / 2);
    assert_eq!(store.0.pipelines.count(), 2);
}

#[test]
fn outside_a_runtime_there_is_an_error_and_no_panic() {
    let (store, _) = client("http://127.0.0.1:9", |_| {});
    let mut sent = Box::pin(async move { one(&store, read("GET a")).await });
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(reply) = sent.as_mut().poll(&mut cx) else {
        panic!("it waits for something")
    };
    assert_eq!(reply.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn what_waits_is_bounded_in_bytes_and_what_does_not_fit_never_leaves() {
    let server = Server::start().await;
    let (store, _) = client(&server.url, |config| config.backlog = 10_000);
    let store = Arc::new(store);
    server.hold();
    let line = format!("APPEND k {}", "v".repeat(3_000));
    let sent: Vec<_> = (0..4).map(|_| spawn(&store, once(&line))).collect();
    tokio::task::yield_now().await;
    let small = spawn(&store, read("GET k"));
    server.release(100);
    let mut kept = 0;
    for call in sent {
        match call.await.unwrap() {
            Ok(_) => kept += 1,
            Err(refused) => {
                assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
                assert!(
                    refused
                        .to_string()
                        .contains("bytes of commands already wait")
                );
            }
        }
    }
    assert_eq!(kept, 3);
    // What was refused holds nothing, so a small one still fitted.
    small.await.unwrap().unwrap();
    let Reply::Bulk(text) = one(&store, read("GET k")).await.unwrap() else {
        panic!("a text")
    };
    assert_eq!(text.len(), 9_000);
}
