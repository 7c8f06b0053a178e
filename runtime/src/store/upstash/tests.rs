mod attended;
mod faults;
mod pipelines;
mod server;

use super::*;
use crate::error::ErrorKind;
use crate::secret::Secret;
use crate::store::command::{Command, Effect, Reply, Script};
use bytes::Bytes;
use server::{Fault, Request, Server};
use std::time::Duration;

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
) -> BoxFuture<Replies> {
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
