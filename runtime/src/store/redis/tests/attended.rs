//! Deliveries that callers poll: who is alone leaves alone, who comes meanwhile gathers, and whoever is polled no more,
//! late, gone or elsewhere harms nobody.

use super::*;
use std::future::Future;
use tokio::runtime::Runtime;

type Sent = std::pin::Pin<Box<dyn Future<Output = Result<Reply, Error>> + Send>>;

/// A store of which deliveries of both kinds have come to their end, each with one command.
async fn proven() -> (Server, Arc<Redis>) {
    let server = Server::start().await;
    let (store, _) = client(&server.url(), |_| {});
    one(&store, once("SET a 1")).await.unwrap();
    one(&store, read("GET a")).await.unwrap();
    (server, store)
}

/// Sent, and polled until it has arrived.
async fn begun(store: &Arc<Redis>, server: &Server, command: Command) -> Sent {
    let store = Arc::clone(store);
    let mut sent: Sent = Box::pin(async move { one(&store, command).await });
    tokio::select! {
        biased;
        answer = &mut sent => panic!("{answer:?} from a server that holds its answers"),
        () = server.arrivals(server.log().len() + 1) => {}
    }
    sent
}

fn attended(store: &Redis) -> (usize, usize) {
    let pipeline = store.0.pipelines.current(|| unreachable!()).unwrap();
    pipeline.attended()
}

#[tokio::test]
async fn who_is_alone_polls_and_who_comes_meanwhile_gathers() {
    let server = Server::start().await;
    let (store, meter) = client(&server.url(), |_| {});
    one(&store, read("GET a")).await.unwrap();
    let sent = async |count: usize| {
        let reads: Vec<_> = (0..count).map(|_| spawn(&store, read("GET a"))).collect();
        for read in reads {
            read.await.unwrap().unwrap();
        }
    };
    let before = meter.requests.get();
    // The last delivery had one command, so the first of these leaves at once.
    sent(20).await;
    assert_eq!(meter.requests.get() - before, 2);
    // Now calls come together again.
    sent(20).await;
    assert_eq!(meter.requests.get() - before, 3);
    sent(1).await;
    assert_eq!(meter.requests.get() - before, 4);
}

#[tokio::test]
async fn who_is_polled_no_more_holds_nobody_up() {
    let (server, store) = proven().await;
    server.hold();
    let reads = begun(&store, &server, read("GET a")).await;
    assert_eq!(attended(&store), (1, 0));
    let others: Vec<_> = (0..200)
        .map(|_| spawn(&store, read("GET a")))
        .chain([spawn(&store, once("INCR n"))])
        .collect();
    server.release();
    for other in others {
        other.await.unwrap().unwrap();
    }
    assert_eq!(reads.await.unwrap(), bulk(b"1"));
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
    server.release();
    assert_eq!(next.await.unwrap().unwrap(), Reply::Int(2));
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn who_is_late_learns_so_and_the_next_call_is_answered() {
    let (server, store) = proven().await;
    server.hold();
    let short = Duration::from_millis(30);
    let late = send(&store, short, [read("GET a")]).await.remove(0);
    assert_eq!(late.unwrap_err().kind(), ErrorKind::Timeout);
    let next = spawn(&store, read("GET a"));
    server.release();
    assert_eq!(next.await.unwrap().unwrap(), bulk(b"1"));
    assert_eq!(attended(&store), (0, 0));
}

#[tokio::test]
async fn a_connection_that_breaks_is_replaced_for_who_polls() {
    let (server, store) = proven().await;
    server.fail_next([Fault::Close, Fault::Close]);
    assert_eq!(one(&store, read("GET a")).await.unwrap(), bulk(b"1"));
    server.fail_next([Fault::RunAndClose]);
    let error = one(&store, once("INCR n")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
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
    server.release();
    assert_eq!(other.block_on(moved).unwrap(), bulk(b"1"));
    server.hold();
    let dropped = own.block_on(begun(&store, &server, once("INCR n")));
    drop(dropped);
    server.release();
    let next = own.block_on(one(&store, once("INCR n")));
    assert_eq!(next.unwrap(), Reply::Int(2));
    assert_eq!(store.0.pipelines.count(), 1, "the pipeline has not ended");
}

#[test]
fn a_runtime_that_is_gone_answers_with_an_error() {
    let (remote, own, other) = (runtime(), runtime(), runtime());
    let server = remote.block_on(Server::start());
    let (store, _) = client(&server.url(), |_| {});
    own.block_on(async {
        one(&store, once("SET a 1")).await.unwrap();
        one(&store, read("GET a")).await.unwrap();
    });
    server.hold();
    let reads = own.block_on(begun(&store, &server, read("GET a")));
    drop(own);
    let error = other.block_on(reads).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_read_that_has_left_goes_on_without_its_caller() {
    let (server, store) = proven().await;
    server.hold();
    let dropped = begun(&store, &server, read("GET a")).await;
    assert_eq!(attended(&store), (1, 0));
    drop(dropped);
    assert_eq!(attended(&store), (1, 0), "an answer is still to come");
    server.release();
    assert_eq!(one(&store, read("GET a")).await.unwrap(), bulk(b"1"));
    assert_eq!(attended(&store), (0, 0));
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_read_that_nobody_polled_has_not_left_and_holds_no_place() {
    let (server, store) = proven().await;
    let before = server.log().len();
    let batch = Batch {
        commands: vec![read("GET a")],
        within: LONG,
    };
    let sending = store.start(batch);
    assert_eq!(attended(&store), (1, 0));
    std::thread::spawn(move || drop(sending)).join().unwrap();
    assert_eq!(one(&store, read("GET b")).await.unwrap(), Reply::Nil);
    assert_eq!(attended(&store), (0, 0));
    assert_eq!(server.log().len(), before + 1);
}

#[tokio::test]
async fn a_read_alone_hears_what_the_server_says_against_it() {
    let server = Server::start().await;
    let (store, meter) = client(&server.url(), |_| {});
    one(&store, once("SET a 1")).await.unwrap();
    one(&store, read("GET a")).await.unwrap();
    let counts = || (meter.requests.get(), meter.commands.get());
    let before = counts();
    let error = one(&store, read("HGET a f")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongType);
    assert_eq!(counts(), (before.0 + 1, before.1 + 1));
    let error = one(&store, read("HELLO 3")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(counts(), (before.0 + 1, before.1 + 1));
    // It is not the moment, which is no answer: it is sent again.
    server.fail_next([Fault::Answer("-LOADING wait\r\n")]);
    assert_eq!(one(&store, read("GET a")).await.unwrap(), bulk(b"1"));
    assert_eq!(counts(), (before.0 + 3, before.1 + 3));
    assert_eq!(meter.retries.get(), 1);
    assert_eq!(attended(&store), (0, 0));
}
