//! A proxy that stalls TCP connections: what was written before the stall can arrive long after its sender
//! gave up, as on a network that drops packets and recovers.

use crate::patience::{self, Patience};
use crate::stall::connection::{Connection, Mode};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{oneshot, watch};

mod connection;

/// Passes bytes between a loopback port and a server on this machine: a `redis-server`, or a
/// [`Gateway`](crate::Gateway). It runs on a thread of its own and stops when dropped.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use millpond_gateway::{RedisServer, Reply, StallingProxy};
///
/// let Some(redis) = RedisServer::shared() else { return Ok(()) };
/// let database = redis.database();
/// let proxy = StallingProxy::start(redis.port()).await?;
/// let mut client = proxy.connect(&database).await?;
///
/// let stall = proxy.stall();
/// client.send(&[["SET".into(), "k".into(), "late".into()]]).await?;
/// stall.arrived().await;
/// drop(client);
/// assert_eq!(database.command(["GET", "k"]).await?, Reply::Nil);
/// stall.release().await;
/// assert_eq!(database.command(["GET", "k"]).await?.text().as_deref(), Some("late"));
/// # std::io::Result::Ok(()) })?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct StallingProxy {
    port: u16,
    registry: Arc<Registry>,
    patience: Patience,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The connections that are open, and a bell that rings when one of them reads something.
#[derive(Debug, Default)]
struct Registry {
    connections: Mutex<Vec<Arc<Connection>>>,
    activity: watch::Sender<()>,
    refuses: AtomicBool,
}

impl Registry {
    fn connections(&self) -> MutexGuard<'_, Vec<Arc<Connection>>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl StallingProxy {
    /// Starts a proxy in front of this port on 127.0.0.1.
    ///
    /// # Errors
    ///
    /// When no port is free. A server that does not listen closes the connections of clients.
    pub async fn start(server: u16) -> io::Result<Self> {
        let (sender, started) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let registry = Arc::new(Registry::default());
        let shared = Arc::clone(&registry);
        let thread = std::thread::Builder::new()
            .name("stalling proxy".to_owned())
            .spawn(move || run(server, &shared, stopped, sender))?;
        let (port, patience) = started.await.map_err(io::Error::other)??;
        Ok(Self {
            port,
            registry,
            patience,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The port on 127.0.0.1 that clients connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:<port>`, for a proxy in front of a [`Gateway`](crate::Gateway).
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Connects through this proxy to a database of the server behind it.
    ///
    /// # Errors
    ///
    /// As [`Connection::open`](crate::Connection::open).
    pub async fn connect(&self, database: &crate::Database) -> io::Result<crate::Connection> {
        database.behind(self.port).connect().await
    }

    /// Stalls the connections that are open, in both directions; connections that are opened later pass.
    /// A client may close a stalled connection, and what it sent before is kept nevertheless.
    pub fn stall(&self) -> Stall {
        self.slow(Mode::Stall)
    }

    /// Stalls only what the server answers: requests still run.
    pub fn stall_answers(&self) -> Stall {
        self.slow(Mode::StallAnswers)
    }

    fn slow(&self, mode: Mode) -> Stall {
        let connections = self.registry.connections().clone();
        for connection in &connections {
            connection.set(mode);
        }
        Stall {
            connections,
            registry: Arc::clone(&self.registry),
            patience: self.patience.clone(),
        }
    }

    /// Closes every connection, stalled ones too, and forgets what they held; new ones are welcome.
    pub fn cut(&self) {
        for connection in self.registry.connections().drain(..) {
            connection.set(Mode::Cut);
        }
    }

    /// Closes every connection, and from now on each new one, as if the server were gone.
    pub fn refuse(&self) {
        self.registry.refuses.store(true, Ordering::SeqCst);
        self.cut();
    }

    /// Ends [`refuse`](Self::refuse).
    pub fn accept(&self) {
        self.registry.refuses.store(false, Ordering::SeqCst);
    }
}

impl Drop for StallingProxy {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic over there has been printed already.
            let _ = thread.join();
        }
    }
}

/// Connections that are stalled. Dropping it lets their bytes through.
#[derive(Debug)]
#[must_use = "dropping it ends the stall"]
pub struct Stall {
    connections: Vec<Arc<Connection>>,
    registry: Arc<Registry>,
    patience: Patience,
}

impl Stall {
    /// Waits until bytes are stalled: a request, or for [`StallingProxy::stall_answers`] an answer.
    ///
    /// # Panics
    ///
    /// When none came within 30 seconds.
    pub async fn arrived(&self) {
        self.wait("stalled bytes", || {
            self.connections.iter().any(|it| it.kept() > 0)
        })
        .await;
    }

    /// How many connections hold bytes back.
    pub fn held(&self) -> usize {
        self.connections.iter().filter(|it| it.kept() > 0).count()
    }

    /// Lets the bytes through, and waits until the server has answered on every connection that held a
    /// request back. A server that reads several requests at once has run them all by then.
    ///
    /// # Panics
    ///
    /// When the server does not answer within 30 seconds.
    pub async fn release(self) {
        let held: Vec<_> = self
            .connections
            .iter()
            .filter(|connection| connection.kept_requests() > 0)
            .map(|connection| (connection, connection.answers()))
            .collect();
        self.open();
        self.wait("an answer to what was stalled", || {
            held.iter()
                .all(|(connection, before)| connection.answers() > *before)
        })
        .await;
    }

    /// Closes the stalled connections; what they held is lost.
    pub fn cut(self) {
        for connection in &self.connections {
            connection.set(Mode::Cut);
        }
    }

    fn open(&self) {
        for connection in &self.connections {
            connection.open();
        }
    }

    async fn wait(&self, what: &str, wanted: impl Fn() -> bool) {
        let mut activity = self.registry.activity.subscribe();
        let done = self.patience.bound(async {
            while !wanted() {
                // The registry, which this borrows, holds the other end.
                let _ = activity.changed().await;
            }
        });
        assert!(done.await.is_some(), "{what}: {}", patience::EXHAUSTED);
    }
}

impl Drop for Stall {
    fn drop(&mut self) {
        self.open();
    }
}

type Started = io::Result<(u16, Patience)>;

fn run(
    server: u16,
    registry: &Arc<Registry>,
    stopped: oneshot::Receiver<()>,
    started: oneshot::Sender<Started>,
) {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(started.send(Err(error))),
    };
    let patience = Patience {
        runtime: runtime.handle().clone(),
    };
    runtime.block_on(async {
        let opened = async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let port = listener.local_addr()?.port();
            io::Result::Ok((listener, port))
        };
        match opened.await {
            Ok((listener, port)) => {
                if started.send(Ok((port, patience))).is_ok() {
                    tokio::select! {
                        _ = stopped => {}
                        () = accept(listener, server, registry) => {}
                    }
                }
            }
            Err(error) => drop(started.send(Err(error))),
        }
    });
}

async fn accept(listener: TcpListener, server: u16, registry: &Arc<Registry>) {
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, server));
    loop {
        // An error is one connection's: it went away before it was accepted.
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        // In the registry before the server is asked: a stall that begins now holds this one too.
        let connection = Arc::new(Connection::new(registry.activity.clone()));
        registry.connections().push(Arc::clone(&connection));
        if registry.refuses.load(Ordering::SeqCst) {
            registry
                .connections()
                .retain(|other| !Arc::ptr_eq(other, &connection));
            continue;
        }
        let registry = Arc::clone(registry);
        tokio::spawn(async move {
            if let Ok(server) = TcpStream::connect(server).await {
                connection.pass(client, server).await;
            }
            registry
                .connections()
                .retain(|other| !Arc::ptr_eq(other, &connection));
        });
    }
}
