//! Accepts connections, and stops accepting them when a test says so.

use crate::service::Service;
use crate::wire::Wire;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// What a test tells a listener; the sender learns when it has been done.
#[derive(Debug)]
pub(crate) enum Order {
    /// Reset every connection and refuse new ones.
    Refuse(oneshot::Sender<io::Result<()>>),
    /// Accept connections again, on the same port.
    Accept(oneshot::Sender<io::Result<()>>),
    /// Reset every connection; new ones are welcome.
    Cut(oneshot::Sender<io::Result<()>>),
}

/// Serves until the other end of `orders` is gone.
pub(crate) async fn serve(
    listener: TcpListener,
    address: SocketAddr,
    service: Arc<Service>,
    mut orders: mpsc::UnboundedReceiver<Order>,
) {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            order = orders.recv() => {
                let (done, result) = match order {
                    None => return,
                    Some(Order::Refuse(done)) => {
                        listener = None;
                        connections.shutdown().await;
                        (done, Ok(()))
                    }
                    Some(Order::Accept(done)) => {
                        let result = reopen(&mut listener, address).await;
                        (done, result)
                    }
                    Some(Order::Cut(done)) => {
                        connections.shutdown().await;
                        (done, Ok(()))
                    }
                };
                // A test that gave up waiting needs no answer.
                let _ = done.send(result);
            }
            Some(stream) = accepted(listener.as_ref()) => {
                connections.spawn(converse(stream, Arc::clone(&service)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn accepted(listener: Option<&TcpListener>) -> Option<TcpStream> {
    match listener {
        // An error is one connection's: it went away before it was accepted.
        Some(listener) => listener.accept().await.ok().map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

async fn reopen(listener: &mut Option<TcpListener>, address: SocketAddr) -> io::Result<()> {
    if listener.is_none() {
        *listener = Some(TcpListener::bind(address).await?);
    }
    Ok(())
}

async fn converse(stream: TcpStream, service: Arc<Service>) {
    let orderly = Arc::new(AtomicBool::new(false));
    let wire = Wire {
        stream,
        orderly: Arc::clone(&orderly),
    };
    let answer =
        service_fn(move |request| Arc::clone(&service).handle(request, Arc::clone(&orderly)));
    // An error is either the test's own fault injection or a client that went away.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(wire), answer)
        .await;
}
