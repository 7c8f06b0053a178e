//! RESP in front of a real Redis, one command at a time, so that each of them can go wrong by itself.

use crate::fault::{Action, Fault, Gate, Hold, Matcher, Plan};
use crate::patience::Patience;
use crate::record::{Log, Request};
use crate::resp::{Command, Connection, Reply};
use crate::server::Database;
use bytes::BytesMut;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{oneshot, watch};

/// What a client says before it has anything to ask; not recorded, and never struck by a fault.
const HANDSHAKE: [&str; 5] = ["AUTH", "CLIENT", "HELLO", "READONLY", "SELECT"];

/// A Redis over RESP whose commands are recorded and go wrong as a test says: what a
/// [`Gateway`](crate::Gateway) is to REST. A [`Fault::Answer`] is sent as it is, so its body is RESP, or what
/// a test wants to see in its place. Each command is one [`Request`].
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use millpond_gateway::{Fault, RedisServer, Relay, Reply};
///
/// let Some(redis) = RedisServer::shared() else { return Ok(()) };
/// let database = redis.database();
/// let relay = Relay::start(redis.port()).await?;
/// relay.inject("GET", Fault::resp("-ERR no\r\n"));
/// let behind = database.behind(relay.port());
/// assert_eq!(behind.command(["GET", "k"]).await?, Reply::Error("ERR no".into()));
/// assert_eq!(behind.command(["GET", "k"]).await?, Reply::Nil);
/// assert_eq!(relay.requests().len(), 2);
/// # std::io::Result::Ok(()) })?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct Relay {
    port: u16,
    service: Arc<Service>,
    patience: Patience,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Service {
    server: AtomicU16,
    log: Log,
    plan: Plan,
    door: watch::Sender<Door>,
}

/// Whether connections are welcome, and how often those that were open have been cut.
#[derive(Clone, Copy, Debug, Default)]
struct Door {
    refuses: bool,
    cuts: u64,
}

impl Relay {
    /// Starts a relay in front of this port on 127.0.0.1.
    ///
    /// # Errors
    ///
    /// When no port is free.
    pub async fn start(server: u16) -> io::Result<Self> {
        let (sender, started) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let service = Arc::new(Service {
            server: AtomicU16::new(server),
            log: Log::default(),
            plan: Plan::default(),
            door: watch::Sender::default(),
        });
        let shared = Arc::clone(&service);
        let thread = std::thread::Builder::new()
            .name("relay".to_owned())
            .spawn(move || run(&shared, stopped, sender))?;
        let (port, patience) = started.await.map_err(io::Error::other)??;
        Ok(Self {
            port,
            service,
            patience,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The port on 127.0.0.1 that clients connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The commands that arrived since the start or the last [`clear`](Self::clear), in order.
    pub fn requests(&self) -> Vec<Request> {
        self.service.log.all()
    }

    /// Forgets what arrived.
    pub fn clear(&self) {
        self.service.log.clear();
    }

    /// Makes the commands that fit fail in this way.
    pub fn inject(&self, matcher: impl Into<Matcher>, fault: Fault) {
        self.service.plan.add(matcher.into(), Action::Fail(fault));
    }

    /// Runs the commands that fit and withholds their answers until the hold is released.
    pub fn hold(&self, matcher: impl Into<Matcher>) -> Hold {
        self.withhold(matcher.into(), Action::HoldAfter)
    }

    /// Withholds the commands that fit from Redis until the hold is released.
    pub fn hold_before(&self, matcher: impl Into<Matcher>) -> Hold {
        self.withhold(matcher.into(), Action::HoldBefore)
    }

    fn withhold(&self, matcher: Matcher, action: fn(Arc<Gate>) -> Action) -> Hold {
        let gate = Arc::new(Gate::default());
        self.service.plan.add(matcher, action(Arc::clone(&gate)));
        Hold {
            gate,
            patience: self.patience.clone(),
        }
    }

    /// Forgets the faults and holds that have not met a command yet.
    pub fn heal(&self) {
        self.service.plan.clear();
    }

    /// Waits until this many more bytes of a [`Fault::Drip`] have been sent.
    ///
    /// # Panics
    ///
    /// When they were not within 30 seconds.
    pub async fn drips(&self, bytes: u64) {
        self.service.log.drips(&self.patience, bytes).await;
    }

    /// Closes every connection; new ones are welcome.
    pub fn cut(&self) {
        self.service.door.send_modify(|door| door.cuts += 1);
    }

    /// Closes every connection, and each new one at once, until [`accept`](Self::accept).
    pub fn refuse(&self) {
        self.service.door.send_modify(|door| {
            door.refuses = true;
            door.cuts += 1;
        });
    }

    /// Ends [`refuse`](Self::refuse).
    pub fn accept(&self) {
        self.service.door.send_modify(|door| door.refuses = false);
    }

    /// Leads connections that are opened from now on to another server, as a name does after a failover.
    pub fn lead_to(&self, server: u16) {
        self.service.server.store(server, Ordering::SeqCst);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic over there has been printed already.
            let _ = thread.join();
        }
    }
}

type Started = io::Result<(u16, Patience)>;

fn run(service: &Arc<Service>, stopped: oneshot::Receiver<()>, started: oneshot::Sender<Started>) {
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
                        () = accept(listener, service) => {}
                    }
                }
            }
            Err(error) => drop(started.send(Err(error))),
        }
    });
}

async fn accept(listener: TcpListener, service: &Arc<Service>) {
    loop {
        // An error is one connection's: it went away before it was accepted.
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        let mut door = service.door.subscribe();
        let before = *door.borrow_and_update();
        if before.refuses {
            continue;
        }
        let service = Arc::clone(service);
        tokio::spawn(async move {
            tokio::select! {
                _ = door.wait_for(|door| door.cuts != before.cuts) => {}
                // The end of a connection is no news: a client went away, or the test's own fault.
                _ = service.serve(client) => {}
            }
        });
    }
}

impl Service {
    async fn serve(&self, client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let server = Database::at(self.server.load(Ordering::SeqCst), 0);
        let mut server = server.connect().await?;
        let mut client = Connection::of(client);
        loop {
            // A server that is gone is gone for the client, too.
            let command = tokio::select! {
                command = client.receive() => asked(command?)?,
                () = server.ended() => return Ok(()),
            };
            if HANDSHAKE.contains(&name(&command).as_str()) {
                client.answer(&server.call(&command).await?).await?;
                continue;
            }
            let request = Request::of_command(&command);
            let action = self.plan.take(&request);
            self.log.add(request);
            self.act(&mut client, &mut server, &command, action).await?;
        }
    }

    async fn act(
        &self,
        client: &mut Connection,
        server: &mut Connection,
        command: &Command,
        action: Option<Action>,
    ) -> io::Result<()> {
        let fault = match &action {
            Some(Action::Fail(fault)) => Some(fault.clone()),
            Some(Action::HoldBefore(gate)) => gate.pass().await,
            Some(Action::HoldAfter(_)) | None => None,
        };
        match &fault {
            Some(Fault::ResetBefore) => return client.reset(),
            Some(Fault::Answer { body, .. }) => return client.write(body.as_bytes()).await,
            _ => {}
        }
        let reply = server.call(command).await?;
        let fault = match &action {
            Some(Action::HoldAfter(gate)) => gate.pass().await,
            _ => fault,
        };
        match fault {
            None => client.answer(&reply).await,
            Some(Fault::Truncated) => {
                let mut bytes = BytesMut::new();
                reply.encode(&mut bytes);
                client.write(&bytes[..bytes.len() / 2]).await?;
                Err(io::ErrorKind::UnexpectedEof.into())
            }
            Some(Fault::Slow(time)) => {
                tokio::time::sleep(time).await;
                client.answer(&reply).await
            }
            Some(Fault::Drip) => {
                client.write(b"$1000000\r\n").await?;
                loop {
                    client.write(b"x").await?;
                    self.log.drip();
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            Some(Fault::Answer { body, .. }) => client.write(body.as_bytes()).await,
            Some(Fault::ResetBefore | Fault::ResetAfter | Fault::TryLater { .. }) => client.reset(),
        }
    }
}

fn name(command: &Command) -> String {
    let name = command.first().map(|name| String::from_utf8_lossy(name));
    name.unwrap_or_default().to_ascii_uppercase()
}

/// A command is an array of texts.
fn asked(read: Reply) -> io::Result<Command> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "the client sent no command");
    let Reply::Array(words) = read else {
        return Err(malformed());
    };
    let words = words.into_iter().map(|word| match word {
        Reply::Bulk(bytes) => Ok(bytes),
        _ => Err(malformed()),
    });
    words.collect()
}
