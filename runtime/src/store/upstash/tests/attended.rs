//! Deliveries that callers poll: whoever is polled no more, late, gone or elsewhere harms nobody.

use super::server::Server;
use super::*;
use std::future::Future;
use tokio::runtime::Runtime;

type Sent = std::pin::Pin<Box<dyn Future<Output = Result<Reply, Error>> + Send>>;

/// A store of which a delivery has come to its end, so that callers may poll the next ones.
async fn proven() -> (Server, Arc<Upstash>) {
    let server = Server::start().await;
    let store = Arc::new(client(&server.url, |_| {}).0);
    one(&store, once("SET a 1")).await.unwrap();
    one(&store, read("GET a")).await.unwrap();
    (server, store)
}

/// Sent, and polled until it has arrived.
async fn begun(store: &Arc<Upstash>, server: &Server, command: Command) -> Sent {
    let store = Arc::clone(store);
    let mut sent: Sent = Box::pin(async move { one(&store, command).await });
    tokio::select! {
        biased;
        answer = &mut sent => panic!("{answer:?} from a server that holds its answers"),
        () = server.arrivals(server.log().len() + 1) => {}
    }
    sent
}

fn attended(store: &Upstash) -> (usize, usize) {
    let pipeline = store.0.pipelines.current(|| unreachable!()).unwrap();
    pipeline.attended()
}

#[tokio::test]
async fn who_is_polled_no_more_holds_nobody_up() {
    let (server, store) = proven().await;
    server.hold();
    let mut stopped = Vec::new();
    for command in [read("GET a"), read("GET b"), once("INCR n")] {
        stopped.push(begun(&store, &server, command).await);
    }
    assert_eq!(attended(&store), (2, 1));
    // More than may be under way at once, so that some wait for those above.
    let others: Vec<_> = (0..9)
        .map(|_| spawn(&store, read("GET a")))
        .chain([spawn(&store, once("INCR n"))])
        .collect();
    server.release(100);
    for other in others {
        other.await.unwrap().unwrap();
    }
    let mut answers = Vec::new();
    for sent in stopped {
        answers.push(sent.await.unwrap());
    }
    assert_eq!(answers, [bulk("1"), Reply::Nil, Reply::Int(1)]);
    assert_eq!(attended(&store), (0, 0));
}

#[tokio::test]
async fn what_has_left_goes_on_without_its_caller() {
    let (server, store) = proven().await;
    server.hold();
    let dropped = begun(&store, &server, once("INCR n")).await;
    assert_eq!(attended(&store), (0, 1));
    drop(dropped);
    let next = spawn(&store, once("INCR n"));
    server.release(100);
    assert_eq!(next.await.unwrap().unwrap(), Reply::Int(2));
}

#[tokio::test]
async fn who_is_late_learns_so_and_the_next_call_is_answered() {
    let (server, store) = proven().await;
    server.hold();
    let late = send(&store, Duration::from_millis(30), [read("GET a")]).await;
    assert_eq!(late[0].as_ref().unwrap_err().kind(), ErrorKind::Timeout);
    let next = spawn(&store, read("GET a"));
    server.release(100);
    assert_eq!(next.await.unwrap().unwrap(), bulk("1"));
    assert_eq!(attended(&store), (0, 0));
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn a_caller_may_go_on_in_another_runtime_or_be_dropped_outside_of_any() {
    let (own, other) = (runtime(), runtime());
    let (server, store) = own.block_on(proven());
    server.hold();
    let moved = own.block_on(begun(&store, &server, read("GET a")));
    let dropped = own.block_on(begun(&store, &server, once("INCR n")));
    drop(dropped);
    server.release(100);
    assert_eq!(other.block_on(moved).unwrap(), bulk("1"));
    let next = own.block_on(one(&store, once("INCR n")));
    assert_eq!(next.unwrap(), Reply::Int(2));
    assert_eq!(store.0.pipelines.count(), 1, "the pipeline has not ended");
}

#[test]
fn a_runtime_that_is_gone_answers_with_an_error() {
    let (remote, own, other) = (runtime(), runtime(), runtime());
    let server = remote.block_on(Server::start());
    let store = Arc::new(client(&server.url, |_| {}).0);
    own.block_on(async {
        one(&store, once("SET a 1")).await.unwrap();
        one(&store, read("GET a")).await.unwrap();
    });
    server.hold();
    let reads = own.block_on(begun(&store, &server, read("GET a")));
    let writes = own.block_on(begun(&store, &server, once("INCR n")));
    drop(own);
    let kind = |sent: Sent| other.block_on(sent).unwrap_err().kind();
    assert_eq!(kind(reads), ErrorKind::Unavailable);
    assert_eq!(kind(writes), ErrorKind::OutcomeUnknown);
}

#[tokio::test]
async fn a_read_that_has_left_goes_on_without_its_caller() {
    let (server, store) = proven().await;
    server.hold();
    let dropped = begun(&store, &server, read("GET a")).await;
    drop(dropped);
    assert_eq!(attended(&store), (1, 0), "an answer is still to come");
    server.release(100);
    for _ in 0..3 {
        assert_eq!(one(&store, read("GET a")).await.unwrap(), bulk("1"));
    }
    assert_eq!(attended(&store), (0, 0));
}

#[tokio::test]
async fn a_read_that_nobody_polled_has_not_left_and_holds_no_place() {
    let (server, store) = proven().await;
    let before = server.log().len();
    let start = || {
        store.start(Batch {
            commands: vec![read("GET a")],
            within: LONG,
        })
    };
    let unpolled = (start(), start());
    assert_eq!(attended(&store), (2, 0));
    std::thread::spawn(move || drop(unpolled)).join().unwrap();
    assert_eq!(one(&store, read("GET b")).await.unwrap(), Reply::Nil);
    assert_eq!(attended(&store), (0, 0));
    assert_eq!(server.log().len(), before + 1);
}

#[tokio::test]
async fn a_read_alone_hears_what_the_server_says_against_it() {
    let server = Server::start().await;
    let (store, meter) = client(&server.url, |_| {});
    one(&store, once("SET a 1")).await.unwrap();
    one(&store, read("GET a")).await.unwrap();
    let counts = || (meter.requests.get(), meter.commands.get());
    let before = counts();
    let error = one(&store, read("HGET a f")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongType);
    assert_eq!(counts(), (before.0 + 1, before.1 + 1));
    let not_text = Command::new(Effect::Read, [&b"GET"[..], b"\xff"].map(Bytes::from_static));
    let error = one(&store, not_text).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidValue);
    assert_eq!(counts(), (before.0 + 1, before.1 + 1));
    server.fail_next([Fault::Answer(503, String::new()), Fault::Truncate]);
    assert_eq!(one(&store, read("GET a")).await.unwrap(), bulk("1"));
    assert_eq!(meter.retries.get(), 2);
    assert_eq!(attended(&store), (0, 0));
}

#[tokio::test]
async fn a_read_alone_keeps_to_its_budget_after_one_that_was_late() {
    let server = Server::start().await;
    let (store, _) = client(&server.url, |config| config.connect_timeout = 100 * LONG);
    one(&store, once("SET a 1")).await.unwrap();
    one(&store, read("GET a")).await.unwrap();
    server.hold();
    for _ in 0..3 {
        let late = send(&store, Duration::from_millis(30), [read("GET a")]);
        let late = tokio::time::timeout(LONG, late).await;
        let error = late.expect("it ends in time").remove(0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(
            error.to_string().contains("no answer within 30ms"),
            "{error}"
        );
    }
    // So does one whose first exchange fails at once, and whose second one takes long.
    server.release(100);
    one(&store, read("GET a")).await.unwrap();
    server.fail_next([Fault::Close]);
    server.hold();
    let late = send(&store, Duration::from_millis(100), [read("GET a")]);
    let late = tokio::time::timeout(LONG, late).await;
    let error = late.expect("it ends in time").remove(0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    server.release(100);
    assert_eq!(one(&store, read("GET a")).await.unwrap(), bulk("1"));
}
