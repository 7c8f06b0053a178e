//! A connection that is watched on both sides: it reads no reply beyond all bounds, and it can tell whether
//! a command may have left.

use super::frames::{Frames, TooLarge};
use super::socket::Socket;
use crate::runtime;
use crate::store::subscription::LONGEST_MESSAGE;
use redis::aio::{ConnectionLike, MultiplexedConnection, PubSub, PubSubSink, PubSubStream};
use redis::cluster_async::Connect;
use redis::{
    AsyncConnectionConfig, Cmd, ConnectionInfo, IntoConnectionInfo, Pipeline, RedisError,
    RedisFuture, Value,
};
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::AbortHandle;

/// The largest reply that is read, in bytes; over REST it is the same.
pub(crate) const LARGEST_REPLY: usize = 64 * 1024 * 1024;

/// How long a node of a cluster may take to be connected to.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Clones share the socket.
#[derive(Clone)]
pub(crate) struct WatchedConnection {
    commands: MultiplexedConnection,
    traffic: Arc<Traffic>,
    _driver: Arc<Driver>,
}

/// Opens a connection that does nothing but listen to a channel.
pub(super) async fn subscribe(
    address: &ConnectionInfo,
    channel: &str,
) -> Result<(PubSubSink, PubSubStream), RedisError> {
    let stream = WatchedStream {
        socket: Socket::connect(address.addr()).await?,
        frames: Frames::new(LONGEST_MESSAGE),
        traffic: Arc::default(),
        has_read: false,
    };
    let (mut sink, messages) = PubSub::new(address.redis_settings(), stream).await?.split();
    sink.subscribe(channel).await?;
    Ok((sink, messages))
}

/// What happened on a socket.
#[derive(Default)]
struct Traffic {
    /// How often bytes were handed to the system.
    writes: AtomicU64,
    /// How many exchanges are under way of which it must be known whether they have left.
    changes: AtomicUsize,
    /// A reply was too large, so nothing more is read.
    too_large: AtomicBool,
    /// Nobody reads or writes any more.
    ended: AtomicBool,
}

/// Stops reading and writing when the last clone of the connection is gone: otherwise a server that does
/// not answer would keep the task for ever.
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl WatchedConnection {
    pub(crate) async fn open(
        address: &ConnectionInfo,
        config: AsyncConnectionConfig,
        largest_reply: usize,
    ) -> Result<Self, RedisError> {
        let traffic = Arc::new(Traffic::default());
        let stream = WatchedStream {
            socket: Socket::connect(address.addr()).await?,
            frames: Frames::new(largest_reply),
            traffic: Arc::clone(&traffic),
            has_read: false,
        };
        let settings = address.redis_settings();
        let (commands, driver) =
            MultiplexedConnection::new_with_config(settings, stream, config).await?;
        let ends = Arc::clone(&traffic);
        let driver = tokio::spawn(async move {
            driver.await;
            ends.ended.store(true, Ordering::Release);
        });
        Ok(Self {
            commands,
            traffic,
            _driver: Arc::new(Driver(driver.abort_handle())),
        })
    }

    /// As `req_packed_command`, without a box.
    pub(super) async fn run_one(&mut self, cmd: &Cmd) -> Result<Value, RedisError> {
        let before = self.traffic.writes();
        let reply = self.commands.send_packed_command(cmd).await;
        reply.map_err(|error| self.traffic.judge(before, error))
    }

    /// Something that changes data is about to be sent, until this is dropped.
    pub(crate) fn change(&self) -> Change {
        self.traffic.changes.fetch_add(1, Ordering::AcqRel);
        Change(Arc::clone(&self.traffic))
    }

    /// Whether the other side has closed it, as far as this process has noticed.
    pub(crate) fn has_ended(&self) -> bool {
        self.traffic.ended.load(Ordering::Acquire)
    }
}

/// See [`WatchedConnection::change`].
pub(crate) struct Change(Arc<Traffic>);

impl Drop for Change {
    fn drop(&mut self) {
        self.0.changes.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Traffic {
    fn changes(&self) -> bool {
        self.changes.load(Ordering::Acquire) > 0
    }

    fn writes(&self) -> u64 {
        self.writes.load(Ordering::Acquire)
    }

    /// The error of an exchange that began after so many writes: if there were no others, nothing of it
    /// has left.
    fn judge(&self, before: u64, error: RedisError) -> RedisError {
        let is_broken = error.kind() == redis::ErrorKind::Io && !is_too_large(&error);
        if is_broken && self.writes() == before {
            return io::Error::new(io::ErrorKind::NotConnected, NeverLeft).into();
        }
        error
    }

    /// As [`judge`](Self::judge), for a pipeline: it is not told what broke the connection. If that was a
    /// reply of another one, it comes apart for nothing, which does no harm.
    fn judge_pipeline(&self, before: u64, error: RedisError) -> RedisError {
        let error = self.judge(before, error);
        let is_broken = error.kind() == redis::ErrorKind::Io && !never_left(&error);
        if is_broken && self.too_large.load(Ordering::Acquire) {
            return refuse(TooLarge).into();
        }
        error
    }
}

impl ConnectionLike for WatchedConnection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(self.run_one(cmd))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let before = self.traffic.writes();
            let replies = self
                .commands
                .send_packed_commands(pipeline, offset, count)
                .await;
            replies.map_err(|error| self.traffic.judge_pipeline(before, error))
        })
    }

    fn get_db(&self) -> i64 {
        self.commands.get_db()
    }
}

/// How the client of a cluster connects to a node.
impl Connect for WatchedConnection {
    fn connect_with_config<'a, T>(info: T, config: AsyncConnectionConfig) -> RedisFuture<'a, Self>
    where
        T: IntoConnectionInfo + Send + 'a,
    {
        Box::pin(async move {
            let address = info.into_connection_info()?;
            let opened = Self::open(&address, config, LARGEST_REPLY);
            runtime::timeout(CONNECT_TIMEOUT, opened)
                .await
                .unwrap_or_else(|| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
        })
    }
}

struct WatchedStream {
    socket: Socket,
    frames: Frames,
    traffic: Arc<Traffic>,
    /// Whether bytes came since the last write, so that by now the other side may have closed.
    has_read: bool,
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let known = buffer.filled().len();
        std::task::ready!(Pin::new(&mut self.socket).poll_read(cx, buffer))?;
        self.has_read = true;
        let new = buffer.filled().get(known..).unwrap_or_default();
        let Self {
            frames, traffic, ..
        } = &mut *self;
        Poll::Ready(frames.read(new).map_err(|too_large| {
            traffic.too_large.store(true, Ordering::Release);
            refuse(too_large)
        }))
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // One look after each answer: whatever is written to a closed connection may have been read. It is a call of the
        // system, and reads can be sent again anyway.
        let looks = self.has_read && self.traffic.changes();
        if looks && std::mem::take(&mut self.has_read) && self.socket.is_closed() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        self.traffic.writes.fetch_add(1, Ordering::AcqRel);
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// Of a kind that the client of a cluster does not repeat.
fn refuse(too_large: TooLarge) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, too_large)
}

/// The connection was closed before anything of the exchange left.
#[derive(Debug)]
struct NeverLeft;

impl fmt::Display for NeverLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection was closed before the command was sent")
    }
}

impl StdError for NeverLeft {}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reply is too large")
    }
}

impl StdError for TooLarge {}

/// Whether the error says that nothing of the exchange left.
pub(super) fn never_left(error: &RedisError) -> bool {
    holds::<NeverLeft>(error)
}

/// Whether the error says that a reply was too large to be read.
pub(super) fn is_too_large(error: &RedisError) -> bool {
    holds::<TooLarge>(error)
}

/// Whether an error of ours caused this one, which `redis` shares in an `Arc`.
fn holds<E: StdError + 'static>(error: &RedisError) -> bool {
    let shared = error
        .source()
        .and_then(|source| source.downcast_ref::<Arc<dyn StdError + Send + Sync>>());
    let cause = shared.and_then(|shared| shared.downcast_ref::<io::Error>());
    let inner = cause.and_then(io::Error::get_ref);
    inner.and_then(|inner| inner.downcast_ref::<E>()).is_some()
}
