//! Subscriptions as a client on a socket sees them.

mod http;

use http::{ask, gateway, open, send};
use millpond_gateway::{Gateway, needs_redis};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpStream;

const HEADERS: [&str; 2] = [
    "authorization: Bearer test-token",
    "accept: text/event-stream",
];

struct Events {
    lines: Lines<BufReader<TcpStream>>,
}

impl Events {
    async fn open(gateway: &Gateway, path: &str) -> Self {
        let stream = open(gateway, &format!("POST {path}"), &HEADERS, b"[]")
            .await
            .expect("a stream");
        Self {
            lines: BufReader::new(stream).lines(),
        }
    }

    /// The next event, or `None` at the end of the stream.
    async fn next(&mut self) -> Option<String> {
        while let Some(line) = self.lines.next_line().await.ok().flatten() {
            if let Some(event) = line.strip_prefix("data: ") {
                return Some(event.to_owned());
            }
        }
        None
    }
}

#[tokio::test]
async fn a_subscriber_gets_what_is_published() {
    let gateway = gateway(needs_redis!()).await;
    let mut events = Events::open(&gateway, "/subscribe/events:one").await;
    assert_eq!(
        events.next().await.as_deref(),
        Some("subscribe,events:one,1")
    );
    let published = r#"["PUBLISH","events:one","{\"a\":[1,2]}"]"#;
    assert_eq!(ask(&gateway, "/", published).await, json!({"result": 1}));
    assert_eq!(
        events.next().await.as_deref(),
        Some(r#"message,events:one,{"a":[1,2]}"#)
    );
}

#[tokio::test]
async fn a_pattern_gets_every_channel_that_fits() {
    let gateway = gateway(needs_redis!()).await;
    let mut events = Events::open(&gateway, "/psubscribe/events:two:*").await;
    assert_eq!(
        events.next().await.as_deref(),
        Some("psubscribe,events:two:*,1")
    );
    let path = "GET /publish/events:two:x/hello";
    assert_eq!(
        send(&gateway, path, &HEADERS, b"").await.unwrap().json(),
        json!({"result": 1})
    );
    assert_eq!(
        events.next().await.as_deref(),
        Some("pmessage,events:two:*,events:two:x,hello")
    );
}

#[tokio::test]
async fn a_subscription_ends_with_its_reader() {
    let gateway = gateway(needs_redis!()).await;
    let mut events = Events::open(&gateway, "/subscribe/events:three").await;
    events.next().await;
    drop(events);
    while ask(&gateway, "/", r#"["PUBSUB","NUMSUB","events:three"]"#).await["result"][1] != 0 {}
}

#[tokio::test]
async fn a_cut_ends_a_stream_and_a_new_one_is_welcome() {
    let gateway = gateway(needs_redis!()).await;
    let mut events = Events::open(&gateway, "/subscribe/events:four").await;
    assert!(events.next().await.is_some());
    gateway.cut().await;
    assert_eq!(events.next().await, None);
    let mut again = Events::open(&gateway, "/subscribe/events:four").await;
    assert!(again.next().await.is_some());
}

#[tokio::test]
async fn a_subscription_without_a_channel_or_a_token_is_refused() {
    let gateway = gateway(needs_redis!()).await;
    assert_eq!(
        send(&gateway, "POST /subscribe", &HEADERS, b"[]")
            .await
            .unwrap()
            .status,
        400
    );
    assert_eq!(
        send(&gateway, "POST /subscribe/x", &[], b"[]")
            .await
            .unwrap()
            .status,
        401
    );
}

#[tokio::test]
async fn monitor_shows_the_commands_of_others() {
    let gateway = gateway(needs_redis!()).await;
    let mut events = Events::open(&gateway, "/monitor").await;
    assert_eq!(events.next().await.as_deref(), Some("\"OK\""));
    ask(&gateway, "/", r#"["ECHO","events:five"]"#).await;
    // Other tests share the server, so theirs may come first.
    while !events
        .next()
        .await
        .expect("an event")
        .ends_with(r#""ECHO" "events:five""#)
    {}
}
