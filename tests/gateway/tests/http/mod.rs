//! An HTTP client that hides nothing: what a socket gives is what a test sees.

#![allow(dead_code, reason = "every test binary uses its own part of it")]

use millpond_gateway::{Gateway, RedisServer};
use serde_json::Value;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a body of JSON")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let line = self
            .head
            .lines()
            .find(|line| line.to_lowercase().starts_with(&format!("{name}: ")))?;
        line.split_once(": ").map(|(_, value)| value)
    }

    /// How many bytes the headers promised.
    pub(crate) fn promised(&self) -> usize {
        self.header("content-length")
            .and_then(|text| text.parse().ok())
            .expect("a content length")
    }
}

/// A gateway in front of a database of its own.
pub(crate) async fn gateway(redis: &RedisServer) -> Gateway {
    Gateway::start(&redis.database()).await.expect("a gateway")
}

/// Opens a connection and sends a request on it; `headers` are whole lines.
pub(crate) async fn open(
    gateway: &Gateway,
    line: &str,
    headers: &[&str],
    body: &[u8],
) -> io::Result<TcpStream> {
    let address = gateway.url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).await?;
    let (request, host) = (format!("{line} HTTP/1.1"), format!("host: {address}"));
    let length = format!("content-length: {}", body.len());
    let own = [&request, &host, "connection: close", &length];
    let head = [&own, headers, &["", ""]].concat().join("\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    Ok(stream)
}

/// Sends a request and reads until the connection ends.
pub(crate) async fn send(
    gateway: &Gateway,
    line: &str,
    headers: &[&str],
    body: &[u8],
) -> io::Result<Answer> {
    let mut stream = open(gateway, line, headers, body).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    let split = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&bytes[..split]).into_owned();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .ok_or(io::ErrorKind::InvalidData)?;
    Ok(Answer {
        status,
        head,
        body: bytes.split_off(split + 4),
    })
}

/// `POST` with the right token.
pub(crate) async fn post(gateway: &Gateway, path: &str, body: &str) -> io::Result<Answer> {
    send(
        gateway,
        &format!("POST {path}"),
        &["authorization: Bearer test-token"],
        body.as_bytes(),
    )
    .await
}

/// The body of an answer to `POST`.
pub(crate) async fn ask(gateway: &Gateway, path: &str, body: &str) -> Value {
    post(gateway, path, body).await.expect("an answer").json()
}
