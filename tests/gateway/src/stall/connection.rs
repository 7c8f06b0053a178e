//! One connection through the proxy: two pumps that pass bytes on, or keep them.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Pass,
    /// Nothing passes.
    Stall,
    /// Only what the client sends passes.
    StallAnswers,
    /// For good.
    Cut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    ToServer,
    ToClient,
}

#[derive(Debug)]
pub(super) struct Connection {
    mode: watch::Sender<Mode>,
    activity: watch::Sender<()>,
    /// Bytes that are kept, of the client and of the server.
    kept_requests: AtomicUsize,
    kept_answers: AtomicUsize,
    /// How often something was read from the server.
    answers: AtomicUsize,
}

impl Connection {
    pub(super) fn new(activity: watch::Sender<()>) -> Self {
        Self {
            mode: watch::Sender::new(Mode::Pass),
            activity,
            kept_requests: AtomicUsize::new(0),
            kept_answers: AtomicUsize::new(0),
            answers: AtomicUsize::new(0),
        }
    }

    pub(super) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Ends a stall; a connection that was cut stays so.
    pub(super) fn open(&self) {
        self.mode.send_if_modified(|mode| {
            let stalled = matches!(mode, Mode::Stall | Mode::StallAnswers);
            if stalled {
                *mode = Mode::Pass;
            }
            stalled
        });
    }

    pub(super) fn kept_requests(&self) -> usize {
        self.kept_requests.load(Ordering::SeqCst)
    }

    pub(super) fn kept(&self) -> usize {
        self.kept_requests() + self.kept_answers.load(Ordering::SeqCst)
    }

    pub(super) fn answers(&self) -> usize {
        self.answers.load(Ordering::SeqCst)
    }

    /// Passes bytes until both ends are done, or the connection is cut.
    pub(super) async fn pass(&self, client: TcpStream, server: TcpStream) {
        // A proxy that waits for full packets would change what it is there to show.
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (client_reads, client_writes) = client.into_split();
        let (server_reads, server_writes) = server.into_split();
        let mut mode = self.mode.subscribe();
        tokio::select! {
            _ = mode.wait_for(|mode| *mode == Mode::Cut) => {}
            _ = self.pump(Direction::ToServer, client_reads, server_writes) => {
                // A client that is gone needs no answers.
            }
            _ = self.pump(Direction::ToClient, server_reads, client_writes) => {}
        }
        self.kept_requests.store(0, Ordering::SeqCst);
        self.kept_answers.store(0, Ordering::SeqCst);
        self.activity.send_replace(());
    }

    async fn pump(
        &self,
        direction: Direction,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
    ) -> io::Result<()> {
        let counter = match direction {
            Direction::ToServer => &self.kept_requests,
            Direction::ToClient => &self.kept_answers,
        };
        let mut mode = self.mode.subscribe();
        let mut kept = Vec::new();
        let mut ended = false;
        let mut was_held = false;
        loop {
            let passes = match *mode.borrow_and_update() {
                Mode::Pass => true,
                Mode::StallAnswers => direction == Direction::ToServer,
                Mode::Stall | Mode::Cut => false,
            };
            if passes {
                // A client that gave up reads nothing more; its server must still be listened to.
                let written = to.write_all(&kept).await;
                kept.clear();
                counter.store(0, Ordering::SeqCst);
                if direction == Direction::ToServer {
                    written?;
                }
                // A server that sees the end of a connection may give up what it reads from it, so the end
                // of a client whose requests were held back is not passed on, whether it left during the
                // stall or is seen to have left after it: its requests are to run.
                if ended && !was_held {
                    return to.shutdown().await;
                }
            } else {
                counter.store(kept.len(), Ordering::SeqCst);
                was_held |= ended || !kept.is_empty();
            }
            self.activity.send_replace(());
            tokio::select! {
                _ = mode.changed() => {}
                read = from.read_buf(&mut kept), if !ended => {
                    ended = matches!(read, Ok(0) | Err(_));
                    if direction == Direction::ToClient {
                        if ended {
                            return to.shutdown().await;
                        }
                        self.answers.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }
        }
    }
}
