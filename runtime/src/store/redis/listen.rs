//! A subscription over RESP: a connection of its own, proved by `PING`.

use super::failure;
use super::watched::subscribe;
use super::wire::error_text;
use crate::error::Error;
use crate::runtime::{First, first};
use crate::store::server_error::server_error;
use crate::store::subscription::{Heard, Listener};
use bytes::Bytes;
use futures_core::Stream;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{ConnectionInfo, Msg, RedisError, Value};
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;
use tokio::time::timeout;

/// Listens until the connection breaks, and returns why. Dropped, it closes the connection.
pub(super) async fn listen(
    address: ConnectionInfo,
    host: &str,
    within: Duration,
    mut listener: Listener,
) -> Error {
    let opened = timeout(within, subscribe(&address, &listener.channel)).await;
    let (sink, messages) = match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) => return refused(host, &error),
        Err(_) => return failure::too_slow(host, within).error,
    };
    listener.tell(Heard::Subscribed);
    let Err(error) = hear(sink, messages, &mut listener).await;
    failure::unreached(host, &error).error
}

/// Why there is no subscription.
fn refused(host: &str, error: &RedisError) -> Error {
    match error.code() {
        // Who connects with a name and a password that are right may still be kept from channels.
        Some("NOPERM") => server_error(&error_text(error)),
        _ => failure::unreached(host, error).error,
    }
}

async fn hear(
    mut sink: PubSubSink,
    mut messages: PubSubStream,
    listener: &mut Listener,
) -> Result<Infallible, RedisError> {
    loop {
        let number = match first(next(&mut messages), listener.next_asked()).await {
            First::A(message) => {
                listener.tell(Heard::Message(payload(&message?)));
                continue;
            }
            First::B(number) => number,
        };
        let mut pong = pin!(sink.ping::<Value>());
        loop {
            match first(next(&mut messages), pong.as_mut()).await {
                First::A(message) => listener.tell(Heard::Message(payload(&message?))),
                First::B(answer) => {
                    answer?;
                    break;
                }
            }
        }
        // The driver of the connection may have put messages there since the last look, all of which came before
        // the answer.
        while let Poll::Ready(message) = ready(&mut messages).await {
            listener.tell(Heard::Message(payload(&message?)));
        }
        listener.tell(Heard::Proof(number));
    }
}

async fn next(messages: &mut PubSubStream) -> Result<Msg, RedisError> {
    let next = poll_fn(|cx| Pin::new(&mut *messages).poll_next(cx)).await;
    next.ok_or_else(ended)
}

/// The next message if it is there already.
async fn ready(messages: &mut PubSubStream) -> Poll<Result<Msg, RedisError>> {
    poll_fn(|cx| {
        let next = Pin::new(&mut *messages).poll_next(cx);
        Poll::Ready(next.map(|next| next.ok_or_else(ended)))
    })
    .await
}

fn payload(message: &Msg) -> Bytes {
    Bytes::copy_from_slice(message.get_payload_bytes())
}

fn ended() -> RedisError {
    io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "the server closed the subscription",
    )
    .into()
}
