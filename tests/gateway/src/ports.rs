//! Ports of this machine for a server of a test.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::net::TcpSocket;

/// The first of them.
const FIRST: u16 = 10_000;

/// How many: they end below 32,768, from which Linux takes the ports of outgoing connections (others begin higher).
const PORTS: u16 = 22_000;

/// Another loopback port at each call that nobody listens on.
///
/// No outgoing connection is given it, in contrast to the port that a listener on port 0 gets: one that is made before a
/// server takes the port, or while that is stopped, and be it the attempt to connect to that very port (which the system
/// then connects with itself).
///
/// # Errors
///
/// When none of them is free.
pub fn free() -> io::Result<u16> {
    Ok(listen()?.local_addr()?.port())
}

/// Listens on such a port.
pub(crate) fn listen() -> io::Result<TcpListener> {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let mut last = io::ErrorKind::AddrInUse.into();
    for _ in 0..PORTS {
        let call = CALLS.fetch_add(1, Ordering::Relaxed);
        // Tests that run at the same time begin far from each other.
        let place = std::process::id().wrapping_mul(631).wrapping_add(call) % u32::from(PORTS);
        let port = FIRST + u16::try_from(place).unwrap_or_default();
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A loopback port that nobody listens on, and that nobody else is given as long as this is held.
///
/// # Errors
///
/// When none is free.
pub fn nobody() -> io::Result<TcpSocket> {
    let nobody = TcpSocket::new_v4()?;
    nobody.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    Ok(nobody)
}
