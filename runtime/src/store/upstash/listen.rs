//! A subscription over REST: server-sent events, proved by messages to a channel of its own.

use super::client::HttpClient;
use super::events::{Event, Events};
use super::http::{Endpoint, Path};
use crate::error::{Error, ErrorKind};
use crate::random;
use crate::runtime::{BoxFuture, First, first};
use crate::store::repeat::Failure;
use crate::store::subscription::{Heard, LONGEST_MESSAGE, Listener};
use crate::store::transport::Kind;
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::sync::Arc;
use tokio::time::timeout;

/// Listens until the request ends, and returns why. Dropped, it ends the request.
pub(super) async fn listen(endpoint: Arc<Endpoint>, mut listener: Listener) -> Error {
    let Err(failure) = hear(&endpoint, &mut listener).await;
    failure.error
}

/// That of the messages, and one of the subscription's own.
const CHANNELS: usize = 2;

/// What is under way beside the request.
type Asking = BoxFuture<Result<(), Failure>>;

async fn hear(endpoint: &Arc<Endpoint>, listener: &mut Listener) -> Result<Infallible, Failure> {
    // Connections of its own: a request without an end is none for a pool.
    let client = Arc::new(endpoint.client().map_err(Failure::lasting)?);
    let own = format!("{}:{}", listener.channel, random::nonce());
    let channels: [&str; CHANNELS] = [&listener.channel, &own];
    let opened = endpoint.subscribe(&client, &channels);
    let opened = timeout(endpoint.connect_timeout(), opened).await;
    let mut answer = opened.unwrap_or_else(|_| Err(Failure::out_of_time()))?;
    let mut events = Events::new(LONGEST_MESSAGE);
    let (mut confirmed, mut asking) = (0, None::<Asking>);
    loop {
        let beside = first(finished(&mut asking), listener.next_asked());
        let chunk = match first(answer.chunk(), beside).await {
            First::A(chunk) => chunk?.ok_or_else(ended)?,
            First::B(First::A(sent)) => {
                asking = None;
                sent?;
                continue;
            }
            First::B(First::B(number)) => {
                asking = Some(ask(endpoint, &client, &own, number));
                continue;
            }
        };
        endpoint.meter.bytes_received.add_len(chunk.len());
        for event in events.read(&chunk).map_err(Failure::garbled)? {
            match event {
                Event::Subscribed => {
                    confirmed += 1;
                    if confirmed == CHANNELS {
                        listener.tell(Heard::Subscribed);
                    }
                }
                Event::Message { channel, payload } if channel == own => {
                    let number = std::str::from_utf8(&payload).ok();
                    if let Some(number) = number.and_then(|number| number.parse().ok()) {
                        listener.tell(Heard::Proof(number));
                    }
                }
                Event::Message { payload, .. } => listener.tell(Heard::Message(payload)),
                Event::Other => {}
            }
        }
    }
}

/// Publishes the number of a proof on the channel of the subscription's own.
fn ask(endpoint: &Arc<Endpoint>, client: &Arc<HttpClient>, own: &str, number: u64) -> Asking {
    let (endpoint, client) = (Arc::clone(endpoint), Arc::clone(client));
    let body = serde_json::json!([["PUBLISH", own, number.to_string()]]).to_string();
    Box::pin(async move {
        endpoint.meter.requests.add(1);
        endpoint.meter.commands.add(1);
        endpoint.meter.bytes_sent.add_len(body.len());
        let sent = endpoint.exchange(&client, Path::Pipeline, Kind::Reads, body.into_bytes());
        sent.await.map(drop)
    })
}

async fn finished(asking: &mut Option<Asking>) -> Result<(), Failure> {
    match asking {
        Some(asking) => poll_fn(|cx| asking.as_mut().poll(cx)).await,
        None => pending().await,
    }
}

fn ended() -> Failure {
    Failure::garbled(Error::new(
        ErrorKind::Unavailable,
        "the server ended the subscription",
    ))
}
