mod server;

use super::*;
use crate::error::ErrorKind;
use crate::store::command::{Command, Effect, Script};
use bytes::Bytes;
use server::{Fault, Request, Server};
use std::time::Instant;
use tokio::net::TcpListener;

const TOKEN: &str = "hunter2-token";
const LONG: Duration = Duration::from_secs(20);

fn client(url: &str, change: impl FnOnce(&mut UpstashConfig)) -> (Upstash, Arc<Meter>) {
    let meter = Arc::new(Meter::default());
    let mut config = UpstashConfig::new(Secret::new(url), Secret::new(TOKEN));
    config.backoff = Duration::from_millis(1);
    change(&mut config);
    (Upstash::new(&config, Arc::clone(&meter)).unwrap(), meter)
}

fn plain(effect: Effect, line: &str) -> Command {
    Command::new(
        effect,
        line.split(' ').map(|word| Bytes::from(word.to_owned())),
    )
}

fn read(line: &str) -> Command {
    plain(Effect::Read, line)
}

fn once(line: &str) -> Command {
    plain(Effect::Once, line)
}

fn send(
    store: &Upstash,
    within: Duration,
    commands: impl IntoIterator<Item = Command>,
) -> BoxFuture<Vec<Result<Reply, Error>>> {
    store.send(Batch {
        commands: commands.into_iter().collect(),
        within,
    })
}

async fn one(store: &Upstash, command: Command) -> Result<Reply, Error> {
    send(store, LONG, [command]).await.remove(0)
}

fn spawn(store: &Arc<Upstash>, command: Command) -> tokio::task::JoinHandle<Result<Reply, Error>> {
    let store = Arc::clone(store);
    tokio::spawn(async move { one(&store, command).await })
}

fn bulk(text: &str) -> Reply {
    Reply::Bulk(Bytes::copy_from_slice(text.as_bytes()))
}

fn fill(key: &str) -> Command {
    let text = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let guard = text(&format!("{{{key}}}:guard"));
    Command::script(
        Script::Fill,
        Effect::Repeatable,
        [text(key), guard],
        ["", "", "value", "60000"].map(text),
    )
}

#[tokio::test]
async fn replies_come_in_order_and_a_failed_command_harms_no_neighbour() {
    let server = Server::start().await;
    let (store, meter) = client(&server.url, |_| {});
    let replies = send(
        &store,
        LONG,
        [
            once("SET a \"quo\\te\"\u{1}\u{7f}é"),
            Command::new(
                Effect::Once,
                [Bytes::from_static(b"SET"), Bytes::from_static(b"\xff")],
            ),
            once("HGET a f"),
            once("GET a"),
            once("MGET a none"),
            once("INCR n"),
            once("NOSUCH x"),
            once("GET none"),
        ],
    )
    .await;
    let text = bulk("\"quo\\te\"\u{1}\u{7f}é");
    let kinds: Vec<_> = replies
        .iter()
        .map(|it| it.as_ref().map_err(Error::kind))
        .collect();
    assert_eq!(
        kinds,
        [
            Ok(&bulk("OK")),
            Err(ErrorKind::InvalidValue),
            Err(ErrorKind::WrongType),
            Ok(&text),
            Ok(&Reply::Array(vec![text.clone(), Reply::Nil])),
            Ok(&Reply::Int(1)),
            Err(ErrorKind::Unsupported),
            Ok(&Reply::Nil),
        ]
    );
    assert_eq!((meter.requests.get(), meter.commands.get()), (1, 7));
    assert!(meter.bytes_sent.get() > 100 && meter.bytes_received.get() > 100);
}

#[tokio::test]
async fn the_sync_token_comes_from_writes_and_goes_with_everything() {
    let server = Server::start().await;
    let (store, _) = client(&server.url, |_| {});
    for command in [read("GET a"), once("SET a 1"), read("GET a"), read("GET a")] {
        one(&store, command).await.unwrap();
    }
    server.fail_next([Fault::Answer(400, r#"{"error":"ERR no"}"#.into())]);
    one(&store, once("SET a 2")).await.unwrap_err();
    one(&store, read("GET a")).await.unwrap();
    let tokens = |requests: &[Request]| -> Vec<String> {
        let token = |it: &Request| it.header("upstash-sync-token").unwrap().to_owned();
        requests.iter().map(token).collect()
    };
    assert_eq!(server.requests(tokens), ["", "", "t2", "t2", "t2", "t2"]);
    server.requests(|requests| {
        assert_eq!(
            requests[0].header("authorization"),
            Some("Bearer hunter2-token")
        );
        assert_eq!(requests[0].header("upstash-encoding"), Some("base64"));
        assert_eq!(requests[0].header("content-type"), Some("application/json"));
        assert!(
            requests[0]
                .header("user-agent")
                .unwrap()
                .starts_with("millpond/")
        );
    });
    let (store, _) = client(&server.url, |config| config.read_your_writes = false);
    one(&store, read("GET a")).await.unwrap();
    server.requests(|requests| assert_eq!(requests[6].header("upstash-sync-token"), None));
}

#[tokio::test]
async fn an_unknown_script_is_sent_in_full_once_and_alone() {
    let server = Server::start().await;
    let (store, meter) = client(&server.url, |_| {});
    let replies = send(&store, LONG, [once("SET a 1"), fill("k"), once("INCR a")]).await;
    let replies: Vec<_> = replies.into_iter().map(Result::unwrap).collect();
    assert_eq!(replies, [bulk("OK"), Reply::Int(1), Reply::Int(2)]);
    assert_eq!(one(&store, fill("other")).await.unwrap(), Reply::Int(1));
    assert_eq!(server.log(), ["SET EVALSHA INCR", "EVAL", "EVALSHA"]);
    assert_eq!((meter.commands.get(), meter.retries.get()), (5, 0));
}

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
    let (store, _) = client(&server.url, |config| config.pipelining = false);
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
async fn a_refused_connection_is_retried_whatever_the_command_does() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (store, meter) = client(&url, |config| config.retries = 3);
    let error = one(&store, once("INCR a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(
        error.to_string().contains("could not connect to 127.0.0.1"),
        "{error}"
    );
    assert_eq!((meter.retries.get(), meter.requests.get()), (3, 0));
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[tokio::test]
async fn after_sending_only_what_may_run_twice_is_sent_again() {
    for fault in [
        Fault::Close,
        Fault::RunAndClose,
        Fault::Truncate,
        Fault::Answer(503, "<html>busy</html>".into()),
        Fault::Answer(502, r#"{"error":"bad gateway"}"#.into()),
        Fault::Answer(429, String::new()),
    ] {
        let server = Server::start().await;
        let (store, meter) = client(&server.url, |_| {});
        server.fail_next([fault.clone()]);
        let error = one(&store, once("INCR a")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{fault:?}");
        assert_eq!(
            (meter.requests.get(), meter.retries.get()),
            (1, 0),
            "{fault:?}"
        );

        server.fail_next([fault.clone(), fault.clone()]);
        assert_eq!(
            one(&store, read("GET b")).await.unwrap(),
            Reply::Nil,
            "{fault:?}"
        );
        assert_eq!(
            (meter.requests.get(), meter.retries.get()),
            (4, 2),
            "{fault:?}"
        );
        server.fail_next([fault.clone()]);
        let repeatable = plain(Effect::Repeatable, "SET b 1");
        one(&store, repeatable).await.unwrap();
    }
}

#[tokio::test]
async fn a_command_that_must_not_run_twice_does_not_hold_back_its_neighbours() {
    let server = Server::start().await;
    let (store, _) = client(&server.url, |_| {});
    server.fail_next([Fault::RunAndClose]);
    let commands = [
        plain(Effect::Repeatable, "SET a 1"),
        once("INCR n"),
        read("GET a"),
    ];
    let replies = send(&store, LONG, commands).await;
    assert_eq!(replies[0].as_ref().unwrap(), &bulk("OK"));
    assert_eq!(
        replies[1].as_ref().unwrap_err().kind(),
        ErrorKind::OutcomeUnknown
    );
    assert_eq!(replies[2].as_ref().unwrap(), &bulk("1"));
    assert_eq!(server.log(), ["SET INCR GET", "SET GET"]);
    assert_eq!(one(&store, read("GET n")).await.unwrap(), bulk("1"));
}

#[tokio::test]
async fn a_connection_that_the_server_closes_after_each_answer_fails_no_read() {
    let server = Server::start().await;
    let (store, _) = client(&server.url, |_| {});
    for _ in 0..50 {
        server.fail_next([Fault::LastAnswer]);
        assert_eq!(one(&store, read("GET a")).await.unwrap(), Reply::Nil);
    }
}

#[tokio::test]
async fn a_server_that_rejects_writes_for_a_moment_is_asked_again() {
    let server = Server::start().await;
    let (store, meter) = client(&server.url, |_| {});
    let busy = r#"[{"error":"READONLY Writes are temporarily rejected due to server upgrade"}]"#;
    server.fail_next([Fault::Answer(200, busy.into())]);
    one(&store, plain(Effect::Repeatable, "SET a 1"))
        .await
        .unwrap();
    assert_eq!(meter.retries.get(), 1);
    server.fail_next([Fault::Answer(200, busy.into())]);
    let error = one(&store, once("INCR a")).await.unwrap_err();
    assert_eq!((error.kind(), meter.retries.get()), (ErrorKind::Server, 1));
}

#[tokio::test]
async fn each_wrong_answer_has_its_kind_and_says_what_to_do() {
    use ErrorKind::{Auth, Protocol, Server as Refused, TooLarge, WrongType};
    let cases = [
        (200, "", Protocol, "empty"),
        (
            200,
            "<html>hi</html>",
            Protocol,
            "does not look like an Upstash REST endpoint",
        ),
        (
            404,
            "<html>no</html>",
            Protocol,
            "check UPSTASH_REDIS_REST_URL",
        ),
        (302, "", Protocol, "redirect"),
        (200, "[]", Protocol, "0 answers came for 1 commands"),
        (
            200,
            r#"[{"result":1},{"result":2}]"#,
            Protocol,
            "2 answers came for 1 commands",
        ),
        (200, "[{}]", Protocol, "neither a result nor an error"),
        (200, r#"[{"result":1"#, Protocol, "cut short"),
        (200, r#"[{"result":{"a":1}}]"#, Protocol, "unknown shape"),
        (200, r#"[{"result":true}]"#, Protocol, "unknown shape"),
        (
            200,
            r#"[{"result":18446744073709551615}]"#,
            Protocol,
            "unknown shape",
        ),
        (200, r#"[{"result":"not base64!"}]"#, Protocol, "not base64"),
        (200, r#"[{"result":["YQ==","YQ"]}]"#, Protocol, "not base64"),
        (
            200,
            r#"{"result":"OK"}"#,
            Protocol,
            "not one of an Upstash REST endpoint",
        ),
        (
            200,
            r#"{"error":"ERR max request size exceeded. Limit: 10 bytes"}"#,
            TooLarge,
            "max request",
        ),
        (
            400,
            r#"{"error":"ERR null args are not supported"}"#,
            Refused,
            "null args",
        ),
        (
            401,
            r#"{"error":"WRONGPASS hunter2-token"}"#,
            Auth,
            "check UPSTASH_REDIS_REST_TOKEN",
        ),
        (403, "", Auth, "check UPSTASH_REDIS_REST_TOKEN"),
        (413, "", TooLarge, "too large"),
        (
            200,
            r#"[{"error":"WRONGTYPE Operation against"}]"#,
            WrongType,
            "WRONGTYPE",
        ),
        (
            200,
            r#"[{"error":"NOPERM hunter2-token may not"}]"#,
            Auth,
            "*** may not",
        ),
    ];
    for (status, body, kind, part) in cases {
        let server = Server::start().await;
        let (store, meter) = client(&server.url, |_| {});
        server.fail_next([Fault::Answer(status, body.into())]);
        let error = one(&store, once("SET key private")).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {body}: {error}");
        assert!(error.to_string().contains(part), "{status} {body}: {error}");
        let whole = format!("{error:?}");
        assert!(
            !whole.contains("hunter2") && !whole.contains("private"),
            "{whole}"
        );
        assert_eq!(meter.requests.get(), 1, "{status} {body}");
    }
}

#[tokio::test]
async fn a_status_ok_inside_an_array_may_stand_as_it_is() {
    let server = Server::start().await;
    let (store, _) = client(&server.url, |_| {});
    server.fail_next([Fault::Answer(
        200,
        r#"[{"result":["OK","T0s=",null,-5]}]"#.into(),
    )]);
    let items = vec![bulk("OK"), bulk("OK"), Reply::Nil, Reply::Int(-5)];
    assert_eq!(one(&store, once("X")).await.unwrap(), Reply::Array(items));
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
    assert_eq!(store.0.lanes.count(), 2);
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

#[test]
fn no_debug_text_holds_the_token_or_the_url() {
    let config = UpstashConfig::new(
        Secret::new("https://user:hunter2-password@x.upstash.io"),
        Secret::new(TOKEN),
    );
    let error = Upstash::new(&config, Arc::default()).unwrap_err();
    let (store, _) = client("https://x.upstash.io", |_| {});
    let shown = format!("{config:?} {error:?} {store:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
}
