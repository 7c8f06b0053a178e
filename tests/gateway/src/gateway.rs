//! The gateway as a test holds it.

use crate::fault::{Action, Fault, Gate, Hold, Matcher};
use crate::listener::{self, Order};
use crate::patience::{self, Patience};
use crate::ports;
use crate::record::Request;
use crate::server::Database;
use crate::service::Service;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot};

/// What can be chosen when a gateway starts.
#[derive(Clone, Debug)]
pub struct Options {
    /// The bearer token that it wants; `"test-token"` by default.
    pub token: String,
    /// The limit on one command and on one answer in bytes; 10 MiB by default, as on Upstash.
    pub max_request_bytes: usize,
    /// The port on 127.0.0.1; 0, the default, is a free one.
    pub port: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            token: "test-token".to_owned(),
            max_request_bytes: 10 * 1024 * 1024,
            port: 0,
        }
    }
}

/// The Upstash REST protocol on a loopback port, in front of one database of a Redis. It runs on a
/// thread of its own, whatever the test does with its runtime or its clock, and stops when dropped.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    service: Arc<Service>,
    patience: Patience,
    orders: Option<mpsc::UnboundedSender<Order>>,
    thread: Option<JoinHandle<()>>,
}

struct Started {
    address: SocketAddr,
    service: Arc<Service>,
    runtime: Handle,
    orders: mpsc::UnboundedSender<Order>,
}

impl Gateway {
    /// Starts a gateway with the default [`Options`].
    ///
    /// # Errors
    ///
    /// When the Redis does not answer.
    pub async fn start(database: &Database) -> io::Result<Self> {
        Self::start_with(database, Options::default()).await
    }

    /// Starts a gateway.
    ///
    /// # Errors
    ///
    /// When the Redis does not answer, or the port is taken.
    pub async fn start_with(database: &Database, options: Options) -> io::Result<Self> {
        let (sender, started) = oneshot::channel();
        let database = database.clone();
        let thread = std::thread::Builder::new()
            .name("gateway".to_owned())
            .spawn(move || run(database, options, sender))?;
        let Started {
            address,
            service,
            runtime,
            orders,
        } = started.await.map_err(io::Error::other)??;
        let patience = Patience { runtime };
        Ok(Self {
            address,
            service,
            patience,
            orders: Some(orders),
            thread: Some(thread),
        })
    }

    /// `http://127.0.0.1:<port>`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The token that it wants.
    pub fn token(&self) -> &str {
        &self.service.token
    }

    /// The database behind it.
    pub fn database(&self) -> &Database {
        &self.service.database
    }

    /// What arrived since the start or the last [`clear`](Self::clear), in order. A request is in it
    /// before it runs.
    pub fn requests(&self) -> Vec<Request> {
        self.service.log.all()
    }

    /// The commands of all [`requests`](Self::requests).
    pub fn commands(&self) -> Vec<Vec<String>> {
        self.requests()
            .into_iter()
            .flat_map(|request| request.commands)
            .collect()
    }

    /// Forgets what arrived.
    pub fn clear(&self) {
        self.service.log.clear();
    }

    /// Waits until what arrived fulfils a condition.
    ///
    /// # Panics
    ///
    /// When it does not within 30 seconds.
    pub async fn wait_for(&self, wanted: impl Fn(&[Request]) -> bool) {
        self.service.log.wait_for(&self.patience, wanted).await;
    }

    /// Waits until no request is under way.
    ///
    /// # Panics
    ///
    /// When one still is after 30 seconds.
    pub async fn idle(&self) {
        let mut under_way = self.service.log.under_way.subscribe();
        let idle = self
            .patience
            .bound(under_way.wait_for(|count| *count == 0))
            .await
            .is_some();
        assert!(idle, "no request under way: {}", patience::EXHAUSTED);
    }

    /// Makes the requests that fit fail in this way. `"MGET"` is short for `Matcher::command("MGET")`.
    pub fn inject(&self, matcher: impl Into<Matcher>, fault: Fault) {
        self.service.plan.add(matcher.into(), Action::Fail(fault));
    }

    /// Runs the requests that fit and withholds their answers until the hold is released.
    pub fn hold(&self, matcher: impl Into<Matcher>) -> Hold {
        self.withhold(matcher.into(), Action::HoldAfter)
    }

    /// Withholds the requests that fit from Redis until the hold is released.
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

    /// Forgets the faults and holds that have not met a request yet.
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

    /// Resets every connection and refuses new ones, until [`accept`](Self::accept).
    ///
    /// # Panics
    ///
    /// When the gateway's thread has died.
    pub async fn refuse(&self) {
        self.order(Order::Refuse).await;
    }

    /// Accepts connections again, on the same port.
    ///
    /// # Panics
    ///
    /// When somebody else took the port meanwhile.
    pub async fn accept(&self) {
        self.order(Order::Accept).await;
    }

    /// Resets every connection, streams of events too; new ones are welcome.
    ///
    /// # Panics
    ///
    /// When the gateway's thread has died.
    pub async fn cut(&self) {
        self.order(Order::Cut).await;
    }

    async fn order(&self, order: fn(oneshot::Sender<io::Result<()>>) -> Order) {
        let (done, result) = oneshot::channel();
        if let Some(orders) = &self.orders {
            // A dead thread shows in the result.
            let _ = orders.send(order(done));
        }
        result
            .await
            .expect("the gateway's thread lives")
            .expect("the gateway's port is free");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic over there has been printed already.
            let _ = thread.join();
        }
    }
}

fn run(database: Database, options: Options, started: oneshot::Sender<io::Result<Started>>) {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(started.send(Err(error))),
    };
    let handle = runtime.handle().clone();
    runtime.block_on(async move {
        let opened = async {
            let service = Service::new(database, options.token, options.max_request_bytes).await?;
            let listener = match options.port {
                0 => ports::listen()?,
                port => std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?,
            };
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            let address = listener.local_addr()?;
            Ok((listener, address, Arc::new(service)))
        };
        match opened.await {
            Ok((listener, address, service)) => {
                let (orders, received) = mpsc::unbounded_channel();
                let started_with = Started {
                    address,
                    service: Arc::clone(&service),
                    runtime: handle,
                    orders,
                };
                if started.send(Ok(started_with)).is_ok() {
                    listener::serve(listener, address, service, received).await;
                }
            }
            Err(error) => drop(started.send(Err(error))),
        }
    });
}
