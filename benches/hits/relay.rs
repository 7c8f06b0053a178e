//! Counts what goes over the wire: a port that passes everything on to another.

use crate::Outcome;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone, Default)]
pub(crate) struct Wire {
    sent: Arc<AtomicU64>,
    received: Arc<AtomicU64>,
}

impl Wire {
    /// Bytes sent and received so far, HTTP headers included.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let count = |bytes: &AtomicU64| bytes.load(Ordering::Relaxed);
        (count(&self.sent), count(&self.received))
    }

    /// A port in front of this one.
    pub(crate) async fn in_front_of(&self, port: u16) -> Outcome<u16> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let front = listener.local_addr()?.port();
        let wire = self.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else {
                    return;
                };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(pass(from_client, to_server, Arc::clone(&wire.sent)));
                tokio::spawn(pass(from_server, to_client, Arc::clone(&wire.received)));
            }
        });
        Ok(front)
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, count: Arc<AtomicU64>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        count.fetch_add(length as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
