//! The socket under a connection: TCP, TLS or a Unix socket.

#[cfg(any(feature = "tls", feature = "tls-ring"))]
use crate::store::tls;
use redis::io::tcp::socket2::SockRef;
use redis::{ConnectionAddr, ErrorKind, RedisError};
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

pub(super) enum Socket {
    Tcp(TcpStream),
    #[cfg(any(feature = "tls", feature = "tls-ring"))]
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Socket {
    /// The name is resolved each time, so after a failover it leads to where it leads then.
    pub(super) async fn connect(address: &ConnectionAddr) -> Result<Self, RedisError> {
        match address {
            ConnectionAddr::Tcp(host, port) => Ok(Self::Tcp(tcp(host, *port).await?)),
            #[cfg(any(feature = "tls", feature = "tls-ring"))]
            ConnectionAddr::TcpTls {
                host,
                port,
                insecure: false,
                ..
            } => {
                let config = tls::shared().map_err(io::Error::other)?;
                let name = rustls::pki_types::ServerName::try_from(host.clone())?;
                let connector = tokio_rustls::TlsConnector::from(config);
                let stream = connector.connect(name, tcp(host, *port).await?).await?;
                Ok(Self::Tls(Box::new(stream)))
            }
            #[cfg(unix)]
            ConnectionAddr::Unix(path) => Ok(Self::Unix(UnixStream::connect(path).await?)),
            _ => Err(RedisError::from((
                ErrorKind::InvalidClientConfig,
                "an address of a kind that this build cannot connect to",
            ))),
        }
    }

    /// Whether the other side has closed the connection, as the system knows it now. Tokio learns that
    /// only when it looks for events, which on a busy runtime may be a while later.
    pub(super) fn is_closed(&self) -> bool {
        let socket = match self {
            Self::Tcp(stream) => SockRef::from(stream),
            #[cfg(any(feature = "tls", feature = "tls-ring"))]
            Self::Tls(stream) => SockRef::from(stream.get_ref().0),
            #[cfg(unix)]
            Self::Unix(stream) => SockRef::from(stream),
        };
        match socket.peek(&mut [MaybeUninit::uninit()]) {
            Ok(bytes) => bytes == 0,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }
}

async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    // A URL has an address of IPv6 in brackets.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, port)).await?;
    // Commands are small and wait for their answers.
    stream.set_nodelay(true)?;
    Ok(stream)
}

macro_rules! each {
    ($socket:expr, $stream:ident => $result:expr) => {
        match $socket {
            Socket::Tcp($stream) => $result,
            #[cfg(any(feature = "tls", feature = "tls-ring"))]
            Socket::Tls($stream) => $result,
            #[cfg(unix)]
            Socket::Unix($stream) => $result,
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(&mut *self, stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(&mut *self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&mut *self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&mut *self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
