//! The handle that everything goes through: an engine, its settings, and what this process knows.

use crate::cache::flight::Flights;
use crate::cache::guard;
use crate::cache::invalidation::{Pending, Ticket};
use crate::config::{Builder, Engine, Settings};
use crate::error::{Error, ErrorKind};
use crate::key::{FullKey, Key};
use crate::limit::{Deployment, Limits};
use crate::lock::LockQueues;
use crate::reply;
use crate::stats::{Counters, Registry, Stats};
use crate::store::command::{Command, Reply};
use crate::store::{self, Batch, Store};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

/// A cache: cheap to clone, safe to share. Every clone is the same one.
///
/// The attributes find theirs through [`current`](Self::current); the methods here are the same
/// cache by hand. Unlike the attributes, which fall back to the function body, these report
/// every failure.
///
/// # Cancel safety
/// A method whose future is dropped has either done its work or not; an
/// [`invalidation`](Self::delete) that was under way is delivered in the background.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{Millpond, ttl};
///
/// let pond = Millpond::memory();
/// pond.set("user:42", &"Ada", ttl::MEDIUM).await?;
/// assert_eq!(pond.get::<String>("user:42").await?.as_deref(), Some("Ada"));
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Millpond(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Result<Box<dyn Store>, Error>,
    pub(crate) settings: Settings,
    namespace: Option<String>,
    pub(crate) registry: Registry,
    pub(crate) flights: Arc<Flights>,
    pub(crate) pending: Arc<Pending>,
    /// Whether the last read or fill of a cached function got no answer.
    pub(crate) in_outage: AtomicBool,
    pub(crate) limits: Limits,
    /// Who waits for which lock.
    pub(crate) queues: LockQueues,
    /// Whether the keys of one command must be in one slot.
    pub(crate) cluster: bool,
    /// The type that was first seen under each prefix and template.
    pub(crate) types: Mutex<HashMap<String, &'static str>>,
    /// Sites whose type has been checked: addresses of the site and of the type's name.
    pub(crate) checked: RwLock<BTreeMap<(usize, usize), Arc<Counters>>>,
}

impl fmt::Debug for Millpond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Millpond")
            .field("namespace", &self.0.namespace)
            .field("flights", &self.0.flights.len())
            .field("pending_invalidations", &self.0.pending.len())
            .finish_non_exhaustive()
    }
}

impl Millpond {
    /// Starts from the defaults.
    ///
    /// ```
    /// let pond = millpond::Millpond::builder().namespace("test").build()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// An embedded cache of its own with default settings: what a test wants. If the variable
    /// `MILLPOND_ENCRYPTION_KEY` is wrong, that is logged, and every operation of the result fails
    /// with the reason.
    ///
    /// ```
    /// let pond = millpond::Millpond::memory();
    /// ```
    pub fn memory() -> Self {
        Builder::new().build().unwrap_or_else(Self::unconfigured)
    }

    /// The cache that the environment asks for: Upstash with `UPSTASH_REDIS_REST_URL` and
    /// `UPSTASH_REDIS_REST_TOKEN`, else `KV_REST_API_URL` and `KV_REST_API_TOKEN`, else
    /// `UPSTASH_REDIS_URL` and `UPSTASH_REDIS_TOKEN`; with none of them the embedded engine, and one
    /// warning in the log that begins with `Missing Upstash Redis credentials`.
    /// `MILLPOND_ENCRYPTION_KEY` holds the keys of [`Builder::encryption_key`], if any.
    ///
    /// `cargo run --example doctor`, in the repository, checks what the environment says.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when one variable of a pair is missing, or an address or a key cannot
    /// work.
    ///
    /// ```no_run
    /// let pond = millpond::Millpond::from_env()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn from_env() -> Result<Self, Error> {
        let builder = Builder::from_lookup(|name| std::env::var(name).ok())?;
        if builder.is_memory() {
            tracing::warn!(
                "Missing Upstash Redis credentials: neither UPSTASH_REDIS_REST_URL nor \
                 UPSTASH_REDIS_REST_TOKEN is set; millpond caches in this process only"
            );
        }
        builder.build()
    }

    pub(crate) fn start(engine: &Engine, settings: Settings) -> Result<Self, Error> {
        let registry = Registry::default();
        let store = store::open(engine, &settings, &registry.meter)?;
        Ok(Self::with_store(
            Ok(store),
            settings,
            registry,
            engine.deployment(),
        ))
    }

    /// A cache that answers everything with this error, which is logged; attributes run the body.
    pub(crate) fn unconfigured(error: Error) -> Self {
        tracing::error!(%error, "millpond is not configured; functions run uncached");
        let registry = Registry::default();
        Self::with_store(
            Err(error),
            Settings::default(),
            registry,
            Deployment::default(),
        )
    }

    fn with_store(
        store: Result<Box<dyn Store>, Error>,
        settings: Settings,
        registry: Registry,
        deployment: Deployment,
    ) -> Self {
        let namespace = settings.namespace.as_deref().map(crate::key::encoded);
        Self(Arc::new(Inner {
            store,
            limits: Limits::new(&settings.limits, namespace.as_deref(), deployment),
            cluster: deployment == Deployment::Cluster,
            settings,
            namespace,
            registry,
            queues: LockQueues::default(),
            flights: Flights::new(),
            pending: Arc::default(),
            in_outage: AtomicBool::new(false),
            types: Mutex::default(),
            checked: RwLock::default(),
        }))
    }

    /// The counters, as they are now.
    ///
    /// ```
    /// assert_eq!(millpond::Millpond::memory().stats().commands, 0);
    /// ```
    pub fn stats(&self) -> Stats {
        let mut stats = self.0.registry.snapshot(self.0.pending.len() as u64);
        stats.limits = self.0.limits.stats();
        stats
    }

    pub(crate) fn full(&self, key: &Key) -> FullKey {
        FullKey::new(self.name(key))
    }

    /// The key as the server knows it.
    pub(crate) fn name<'a>(&self, key: &'a Key) -> Cow<'a, str> {
        self.named(key.as_str())
    }

    /// A text behind the namespace, which holds no glob character.
    pub(crate) fn named<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match &self.0.namespace {
            Some(namespace) => format!("{namespace}:{text}").into(),
            None => text.into(),
        }
    }

    /// Sends commands that belong together, within the time given.
    pub(crate) async fn send(
        &self,
        commands: Vec<Command>,
        within: Duration,
    ) -> Vec<Result<Reply, Error>> {
        let count = commands.len();
        let store = match &self.0.store {
            Ok(store) => store,
            Err(error) => return vec![Err(error.clone()); count],
        };
        // The engine keeps the time: it alone knows whether the commands have left, and a second
        // timer around it would hide from the circuit breaker how the call ended.
        let replies = store.send(Batch { commands, within }).await;
        if replies.len() == count {
            replies
        } else {
            vec![
                Err(Error::new(
                    ErrorKind::Protocol,
                    "another number of replies than commands"
                ));
                count
            ]
        }
    }

    /// Sends one command that belongs to no key of the cache.
    pub(crate) async fn one(&self, command: Command) -> Result<Reply, Error> {
        let replies = self.send(vec![command], self.0.settings.budget).await;
        let reply = replies.into_iter().next();
        reply.unwrap_or_else(|| Err(reply::no_reply()))
    }

    /// Sends one command on a key. An invalidation of the key that still waits goes in front.
    pub(crate) async fn settled(
        &self,
        full: &FullKey,
        counters: &Counters,
        command: Command,
        within: Duration,
    ) -> Result<Reply, Error> {
        let commands = vec![command];
        let mut replies = if self.0.pending.ticket(full).is_some() {
            let keys = std::slice::from_ref(full);
            self.settled_all(keys, counters, commands, within).await?
        } else {
            counters.commands.add(1);
            self.send(commands, within).await
        };
        let reply = replies.pop().unwrap_or_else(|| Err(reply::no_reply()));
        reply.map_err(advised)
    }

    /// Sends commands on keys. Invalidations of them that still wait go in front; where one of those
    /// fails, that is the error of all.
    pub(crate) async fn settled_all(
        &self,
        keys: &[FullKey],
        counters: &Counters,
        commands: Vec<Command>,
        within: Duration,
    ) -> Result<Vec<Result<Reply, Error>>, Error> {
        let tickets: Vec<Ticket> = keys
            .iter()
            .filter_map(|key| self.0.pending.ticket(key))
            .collect();
        let mut all = Vec::with_capacity(tickets.len() * 2 + commands.len());
        for (key, _) in &tickets {
            all.extend(guard::invalidation(key, self.0.settings.guard_life));
        }
        let first = all.len();
        all.extend(commands);
        counters.commands.add(all.len() as u64);
        let mut replies = self.send(all, within).await;
        let answers = replies.split_off(first);
        for reply in replies {
            reply?;
        }
        for ticket in &tickets {
            self.0.pending.delivered(ticket);
        }
        Ok(answers)
    }

    /// Whether this is a clone of the other.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// The error of a command on a key, with what to do about it.
fn advised(error: Error) -> Error {
    if error.kind() != ErrorKind::WrongType {
        return error;
    }
    let text = format!("{error}; use another key, or delete what is there");
    Error::with_source(ErrorKind::WrongType, text, error)
}
