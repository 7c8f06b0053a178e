mod attended;
mod server;
mod together;

use super::*;
use crate::store::command::{Command, Effect, Reply, Script};
use bytes::Bytes;
use server::{Fault, Server};
use tokio::net::{TcpListener, TcpSocket};

const LONG: Duration = Duration::from_secs(20);

fn client(url: &str, change: impl FnOnce(&mut RedisConfig)) -> (Arc<Redis>, Arc<Meter>) {
    let meter = Arc::new(Meter::default());
    let mut config = RedisConfig::new(vec![Secret::new(url)], false);
    config.backoff = Duration::from_millis(1);
    change(&mut config);
    let store = Redis::new(&config, Arc::clone(&meter)).unwrap();
    (Arc::new(store), meter)
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
    store: &Redis,
    within: Duration,
    commands: impl IntoIterator<Item = Command>,
) -> BoxFuture<Replies> {
    store.send(Batch {
        commands: commands.into_iter().collect(),
        within,
    })
}

async fn one(store: &Redis, command: Command) -> Result<Reply, Error> {
    send(store, LONG, [command]).await.remove(0)
}

fn spawn(store: &Arc<Redis>, command: Command) -> tokio::task::JoinHandle<Result<Reply, Error>> {
    let store = Arc::clone(store);
    tokio::spawn(async move { one(&store, command).await })
}

fn bulk(text: &'static [u8]) -> Reply {
    Reply::Bulk(Bytes::from_static(text))
}

fn fill(key: &str) -> Command {
    let text = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let guard = text(&format!("{{{key}}}:guard"));
    let args = ["", "", "value", "60000"].map(text);
    Command::script(Script::Fill, Effect::Repeatable, [text(key), guard], args)
}

#[tokio::test]
async fn replies_come_in_order_and_a_failed_command_harms_no_neighbour() {
    let server = Server::start().await;
    let (store, meter) = client(&server.url(), |_| {});
    let bytes = |words: &[&'static [u8]]| {
        Command::new(
            Effect::Once,
            words.iter().map(|word| Bytes::from_static(word)),
        )
    };
    let commands = [
        bytes(&[b"SET", b"\xff", b"\0\r\n\xfe"]),
        bytes(&[b"HGET", b"\xff", b"f"]),
        bytes(&[b"GET", b"\xff"]),
        bytes(&[b"MGET", b"\xff", b"none"]),
        once("INCR n"),
        once("NOSUCH x"),
        once("GET none"),
    ];
    let replies = send(&store, LONG, commands).await;
    let kinds: Vec<_> = replies
        .iter()
        .map(|it| it.as_ref().map_err(Error::kind))
        .collect();
    let text = bulk(b"\0\r\n\xfe");
    assert_eq!(
        kinds,
        [
            Ok(&bulk(b"OK")),
            Err(ErrorKind::WrongType),
            Ok(&text),
            Ok(&Reply::Array(vec![text.clone(), Reply::Nil])),
            Ok(&Reply::Int(1)),
            Err(ErrorKind::Unsupported),
            Ok(&Reply::Nil),
        ]
    );
    assert_eq!((meter.requests.get(), meter.commands.get()), (1, 7));
    let get = "*2\r\n$3\r\nGET\r\n$4\r\nnone\r\n";
    let before = (meter.bytes_sent.get(), meter.bytes_received.get());
    one(&store, read("GET none")).await.unwrap();
    assert_eq!(
        meter.bytes_sent.get() - before.0,
        u64::try_from(get.len()).unwrap()
    );
    assert_eq!(meter.bytes_received.get() - before.1, 5);
}

#[tokio::test]
async fn an_unknown_script_is_sent_in_full_once_and_alone() {
    let server = Server::start().await;
    let (store, meter) = client(&server.url(), |_| {});
    let replies = send(&store, LONG, [once("SET a 1"), fill("k"), once("INCR a")]).await;
    let replies: Vec<_> = replies.into_iter().map(Result::unwrap).collect();
    assert_eq!(replies, [bulk(b"OK"), Reply::Int(1), Reply::Int(2)]);
    assert_eq!(one(&store, fill("other")).await.unwrap(), Reply::Int(1));
    assert_eq!(server.log(), ["SET", "EVALSHA", "INCR", "EVAL", "EVALSHA"]);
    assert_eq!((meter.commands.get(), meter.retries.get()), (5, 0));
}

#[tokio::test]
async fn a_refused_connection_is_retried_whatever_the_command_does() {
    // Bound, so that nobody else is given the port, and not listening.
    let nobody = TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("redis://:hunter2@{}", nobody.local_addr().unwrap());
    let (store, meter) = client(&url, |config| config.retries = 3);
    let error = one(&store, once("INCR a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(
        error.to_string().contains("could not connect to 127.0.0.1"),
        "{error}"
    );
    assert_eq!((meter.retries.get(), meter.requests.get()), (3, 0));
    assert!(!format!("{error:?} {store:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_server_without_tls_gets_nothing_over_rediss() {
    // It ends the connection at the first byte that is no RESP.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("rediss://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let (store, meter) = client(&url, |config| config.retries = 1);
    let error = one(&store, once("INCR a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert_eq!((meter.retries.get(), meter.requests.get()), (1, 0));
}

#[tokio::test]
async fn after_sending_only_what_may_run_twice_is_sent_again() {
    for fault in [
        Fault::Close,
        Fault::RunAndClose,
        Fault::Answer("HTTP/1.1 400\r\n\r\n"),
    ] {
        let server = Server::start().await;
        let (store, meter) = client(&server.url(), |_| {});
        server.fail_next([fault]);
        let error = one(&store, once("INCR a")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{fault:?} {error}");
        assert_eq!(server.log(), ["INCR"], "{fault:?}");

        server.fail_next([fault, fault]);
        assert_eq!(
            one(&store, read("GET b")).await.unwrap(),
            Reply::Nil,
            "{fault:?}"
        );
        assert_eq!(meter.retries.get(), 2, "{fault:?}");
        assert_eq!(server.log().len(), 4, "{fault:?}");
    }
}

#[tokio::test]
async fn a_command_that_must_not_run_twice_does_not_hold_back_its_neighbours() {
    let server = Server::start().await;
    let (store, _) = client(&server.url(), |_| {});
    server.fail_next([Fault::RunAndClose]);
    let commands = [
        plain(Effect::Repeatable, "SET a 1"),
        once("INCR n"),
        read("GET a"),
    ];
    let replies = send(&store, LONG, commands).await;
    assert_eq!(replies[0].as_ref().unwrap(), &bulk(b"OK"));
    assert_eq!(
        replies[1].as_ref().unwrap_err().kind(),
        ErrorKind::OutcomeUnknown
    );
    assert_eq!(replies[2].as_ref().unwrap(), &bulk(b"1"));
    assert_eq!(server.log(), ["SET", "SET", "GET"]);
}

#[tokio::test]
async fn a_server_that_is_loading_is_asked_again() {
    let server = Server::start().await;
    let (store, meter) = client(&server.url(), |_| {});
    server.fail_next([Fault::Answer(
        "-LOADING Redis is loading the dataset in memory\r\n",
    )]);
    assert_eq!(one(&store, read("GET a")).await.unwrap(), Reply::Nil);
    assert_eq!(meter.retries.get(), 1);
}

#[tokio::test]
async fn what_follows_a_rejected_write_in_its_batch_is_sent_again_after_it() {
    let server = Server::start().await;
    let (store, _) = client(&server.url(), |_| {});
    let busy = Fault::Answer("-BUSY Redis is busy running a script\r\n");
    let guard = || plain(Effect::Repeatable, "SET guard 1");
    server.fail_next([busy]);
    let replies = send(&store, LONG, [guard(), plain(Effect::Repeatable, "DEL a")]).await;
    assert!(replies.iter().all(Result::is_ok), "{replies:?}");
    server.fail_next([busy]);
    let replies = send(&store, LONG, [guard(), once("INCR n")]).await;
    assert_eq!(replies[0].as_ref().unwrap_err().kind(), ErrorKind::Server);
    assert_eq!(replies[1].as_ref().unwrap(), &Reply::Int(1));
    assert_eq!(server.log(), ["SET", "DEL", "SET", "DEL", "SET", "INCR"]);
}

#[tokio::test]
async fn a_wrong_password_is_told_apart_and_never_shown() {
    let server = Server::start().await;
    let url = format!("redis://user:hunter2@{}", server.address);
    let (store, meter) = client(&url, |_| {});
    let error = one(&store, read("GET a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth, "{error}");
    assert!(
        error.to_string().contains("password of the Redis URL"),
        "{error}"
    );
    assert_eq!(meter.retries.get(), 0);
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_budget_ends_the_wait_and_never_the_command() {
    let server = Server::start().await;
    let (store, _) = client(&server.url(), |_| {});
    one(&store, read("GET a")).await.unwrap();
    server.hold();
    let short = Duration::from_millis(30);
    let read_error = send(&store, short, [read("GET a")])
        .await
        .remove(0)
        .unwrap_err();
    assert_eq!(read_error.kind(), ErrorKind::Timeout, "{read_error}");
    let error = send(&store, short, [once("INCR n")])
        .await
        .remove(0)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error}");
    server.release();
    assert_eq!(one(&store, once("INCR n")).await.unwrap(), Reply::Int(2));
}

#[tokio::test]
async fn what_waits_for_a_connection_when_its_budget_ends_never_leaves() {
    // Accepts into its backlog and says nothing, so the handshake of the client hangs.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://:pw@{}", silent.local_addr().unwrap());
    let (store, meter) = client(&url, |_| {});
    let short = Duration::from_millis(30);
    let error = send(&store, short, [once("INCR n")])
        .await
        .remove(0)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert_eq!(meter.commands.get(), 0);
}

#[tokio::test]
async fn a_handshake_slower_than_one_budget_serves_the_next_caller() {
    let server = Server::start().await;
    let (store, _) = client(&server.url(), |config| config.connect_timeout = LONG);
    server.shut();
    for _ in 0..3 {
        let short = Duration::from_millis(20);
        let error = send(&store, short, [read("GET a")]).await.remove(0);
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Timeout);
    }
    server.unlock();
    assert_eq!(one(&store, read("GET a")).await.unwrap(), Reply::Nil);
    assert_eq!(server.connections(), 1);
    assert_eq!(server.log(), ["GET"]);
}

#[tokio::test]
async fn a_caller_that_goes_away_only_stops_waiting() {
    let server = Server::start().await;
    let (store, _) = client(&server.url(), |_| {});
    server.hold();
    let leaves = spawn(&store, once("INCR n"));
    server.arrivals(1).await;
    leaves.abort();
    server.release();
    assert_eq!(one(&store, once("INCR n")).await.unwrap(), Reply::Int(2));
    assert_eq!(server.connections(), 1);
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
    let (store, _) = client(&server.url(), |_| {});
    idle.block_on(one(&store, once("INCR n"))).unwrap();
    server.hold();
    let mut waiting = send(&store, LONG, [once("INCR n")]);
    dropped.block_on(async {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(waiting.as_mut().poll(&mut cx).is_pending());
    });
    remote.block_on(server.arrivals(2));
    drop(dropped);
    let error = other.block_on(waiting).remove(0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    server.release();
    other.block_on(one(&store, once("INCR n"))).unwrap();
    idle.block_on(one(&store, once("INCR n"))).unwrap();
    assert_eq!(store.0.pipelines.count(), 2);
}

#[test]
fn each_wrong_url_is_an_error_that_does_not_show_it() {
    let wrong = [
        ("", "is not one"),
        ("127.0.0.1", "is not one"),
        ("https://:hunter2@x", "is not one"),
        ("redis://:hunter2@127.0.0.1:6379 ", "white space"),
        ("redis://:hunter2@127.0.0.1/?protocol=9", "is not one"),
    ];
    for (url, part) in wrong {
        let config = RedisConfig::new(vec![Secret::new(url)], false);
        let error = Redis::new(&config, Arc::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{url}");
        assert!(error.to_string().contains(part), "{url}: {error}");
        assert!(
            !format!("{error:?} {config:?}").contains("hunter2"),
            "{error:?}"
        );
    }
    let two = ["redis://a", "redis://b"].map(Secret::new).to_vec();
    assert!(Redis::new(&RedisConfig::new(two.clone(), false), Arc::default()).is_err());
    assert!(Redis::new(&RedisConfig::new(two, true), Arc::default()).is_ok());
    assert!(Redis::new(&RedisConfig::new(Vec::new(), true), Arc::default()).is_err());
    let unix = vec![Secret::new("redis+unix:///run/redis.sock")];
    assert!(Redis::new(&RedisConfig::new(unix, false), Arc::default()).is_ok());
}

#[tokio::test]
async fn what_waits_is_bounded_in_bytes_and_what_does_not_fit_never_leaves() {
    let server = Server::start().await;
    let (store, _) = client(&server.url(), |config| config.backlog = 10_000);
    server.hold();
    let line = format!("APPEND k {}", "v".repeat(3_000));
    let sent: Vec<_> = (0..4).map(|_| spawn(&store, once(&line))).collect();
    tokio::task::yield_now().await;
    let small = spawn(&store, read("GET k"));
    server.release();
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

/// What a reply may announce, in each of the ways in which it can.
const HUGE: [&str; 5] = [
    "$9000000000\r\n",
    "*9000000000\r\n",
    "*3\r\n:1\r\n*9000000000\r\n",
    "*1\r\n*1\r\n*1\r\n$9000000000\r\n",
    "%9000000000\r\n",
];

#[tokio::test]
async fn a_reply_that_announces_too_much_is_not_read() {
    for huge in HUGE {
        let server = Server::start().await;
        let (store, meter) = client(&server.url(), |_| {});
        server.fail_next([Fault::Answer(huge)]);
        let error = one(&store, read("GET a")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{huge:?} {error}");
        server.fail_next([Fault::Answer(huge)]);
        let error = one(&store, once("INCR a")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{huge:?} {error}");
        assert_eq!(one(&store, read("GET a")).await.unwrap(), Reply::Nil);
        assert_eq!((server.connections(), meter.retries.get()), (3, 0));
    }
}

#[tokio::test]
async fn reads_whose_replies_are_too_large_together_are_sent_apart() {
    let server = Server::start().await;
    let (store, _) = client(&server.url(), |config| config.largest_reply = 1_000);
    let large = format!("SET large {}", "v".repeat(2_000));
    one(&store, once(&large)).await.unwrap();
    one(&store, once("SET small v")).await.unwrap();
    let reads = [read("GET small"), read("GET large"), read("GET none")];
    let replies = send(&store, LONG, reads).await;
    assert_eq!(replies[0].as_ref().unwrap(), &bulk(b"v"));
    assert_eq!(replies[1].as_ref().unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(replies[2].as_ref().unwrap(), &Reply::Nil);
}
