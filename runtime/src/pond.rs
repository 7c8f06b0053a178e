//! The handle that everything goes through: an engine, its settings, and what this process knows.

use crate::cache::flight::Flights;
use crate::cache::guard;
use crate::cache::invalidation::Pending;
use crate::config::{Builder, Engine, Settings};
use crate::error::{Error, ErrorKind};
use crate::key::{FullKey, Key};
use crate::limit::{Home, Limits};
use crate::rt;
use crate::stats::{Ledger, Stats, Tally};
use crate::store::command::{Command, Effect, Reply};
use crate::store::{self, Batch, Store};
use crate::value;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fmt;
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
    pub(crate) ledger: Ledger,
    pub(crate) flights: Arc<Flights>,
    pub(crate) pending: Arc<Pending>,
    pub(crate) limits: Limits,
    /// The type that was first seen under each prefix and template.
    pub(crate) types: Mutex<HashMap<String, &'static str>>,
    /// Sites whose type has been checked: addresses of the site and of the type's name.
    pub(crate) checked: RwLock<std::collections::HashSet<(usize, usize)>>,
}

impl fmt::Debug for Millpond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Millpond")
            .field("namespace", &self.0.namespace)
            .finish_non_exhaustive()
    }
}

/// How long a key has left.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{Millpond, TimeLeft, ttl};
///
/// let pond = Millpond::memory();
/// assert_eq!(pond.ttl("user:42").await?, TimeLeft::Missing);
/// pond.set("user:42", "Ada", ttl::SHORT).await?;
/// assert!(pond.ttl("user:42").await?.duration() <= Some(ttl::SHORT));
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeLeft {
    /// There is no such key.
    Missing,
    /// The key does not expire.
    Forever,
    /// It expires after this time, known to the millisecond.
    Left(Duration),
}

impl TimeLeft {
    /// The time left, for a key that expires.
    ///
    /// ```
    /// assert_eq!(millpond::TimeLeft::Forever.duration(), None);
    /// ```
    pub fn duration(self) -> Option<Duration> {
        match self {
            Self::Left(left) => Some(left),
            Self::Missing | Self::Forever => None,
        }
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

    /// An embedded cache of its own with default settings: what a test wants.
    ///
    /// ```
    /// let pond = millpond::Millpond::memory();
    /// ```
    pub fn memory() -> Self {
        Builder::new().build().unwrap_or_else(Self::broken)
    }

    /// The cache that the environment asks for: Upstash with `UPSTASH_REDIS_REST_URL` and
    /// `UPSTASH_REDIS_REST_TOKEN`, else `KV_REST_API_URL` and `KV_REST_API_TOKEN`, else
    /// `UPSTASH_REDIS_URL` and `UPSTASH_REDIS_TOKEN`; with none of them the embedded engine.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when one variable of a pair is missing, or an address cannot work.
    ///
    /// ```no_run
    /// let pond = millpond::Millpond::from_env()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn from_env() -> Result<Self, Error> {
        let builder = Builder::from_lookup(|name| std::env::var(name).ok())?;
        if builder.is_memory() {
            tracing::warn!(
                "millpond caches in this process only: neither UPSTASH_REDIS_REST_URL nor \
                 UPSTASH_REDIS_REST_TOKEN is set"
            );
        }
        builder.build()
    }

    pub(crate) fn start(engine: &Engine, settings: Settings) -> Result<Self, Error> {
        let ledger = Ledger::default();
        let store = store::open(engine, &settings, &ledger.meter)?;
        Ok(Self::with_store(Ok(store), settings, ledger, engine.home()))
    }

    /// A cache that answers everything with this error; attributes run the body.
    pub(crate) fn broken(error: Error) -> Self {
        let ledger = Ledger::default();
        Self::with_store(Err(error), Settings::default(), ledger, Home::default())
    }

    fn with_store(
        store: Result<Box<dyn Store>, Error>,
        settings: Settings,
        ledger: Ledger,
        home: Home,
    ) -> Self {
        let namespace = settings.namespace.as_deref().map(crate::key::encoded);
        Self(Arc::new(Inner {
            store,
            limits: Limits::new(&settings.limits, namespace.as_deref(), home),
            settings,
            namespace,
            ledger,
            flights: Flights::new(),
            pending: Arc::default(),
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
        let mut stats = self.0.ledger.snapshot(self.0.pending.len() as u64);
        stats.limits = self.0.limits.stats();
        stats
    }

    pub(crate) fn full(&self, key: &Key) -> FullKey {
        FullKey::new(self.0.namespace.as_deref(), key)
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
        let replies = rt::timeout(within, store.send(Batch { commands, within })).await;
        let replies = replies.unwrap_or_else(|| {
            let text = format!("no answer within the budget of {} ms", within.as_millis());
            vec![Err(Error::new(ErrorKind::Timeout, text)); count]
        });
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

    /// Sends one command on a key. An invalidation of the key that still waits goes in front.
    async fn on_key(&self, key: &Key, full: &FullKey, command: Command) -> Result<Reply, Error> {
        key.check()?;
        let tally = self.0.ledger.tally(key.prefix());
        let result = self.settled(full, &tally, command).await;
        if result.is_err() {
            tally.errors.add(1);
        }
        result
    }

    /// See [`Self::on_key`]; the command's reply is the last.
    pub(crate) async fn settled(
        &self,
        full: &FullKey,
        tally: &Tally,
        command: Command,
    ) -> Result<Reply, Error> {
        let ticket = self.0.pending.ticket(full);
        let mut commands = Vec::with_capacity(3);
        if ticket.is_some() {
            commands.extend(guard::invalidation(full, self.0.settings.guard_life));
        }
        commands.push(command);
        tally.commands.add(commands.len() as u64);
        let mut replies = self.send(commands, self.0.settings.budget).await;
        let reply = replies.pop().unwrap_or_else(|| Err(no_reply()));
        for reply in replies {
            reply?;
        }
        if let Some(ticket) = ticket {
            self.0.pending.delivered(&ticket);
        }
        reply
    }

    /// Reads a value. A stored null is `None` too, unless `T` is an `Option` itself.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if something else than a `T` is stored, [`ErrorKind::WrongType`] if
    /// the key holds a list, a hash or the like, and what can go wrong on the way.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let pond = millpond::Millpond::memory();
    /// assert_eq!(pond.get::<u32>("user:42:age").await?, None);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn get<T: DeserializeOwned>(&self, key: impl Into<Key>) -> Result<Option<T>, Error> {
        let key = key.into();
        let full = self.full(&key);
        let command = Command::new(
            Effect::Read,
            [Bytes::from_static(b"GET"), full.value.clone()],
        );
        let reply = self.on_key(&key, &full, command).await?;
        let tally = self.0.ledger.tally(key.prefix());
        let Some(bytes) = bulk(reply)? else {
            tally.misses.add(1);
            return Ok(None);
        };
        let null = value::is_null(&bytes);
        match value::decode(&bytes) {
            Ok(value) => {
                if null { &tally.null_hits } else { &tally.hits }.add(1);
                Ok(Some(value))
            }
            Err(_) if null => {
                tally.null_hits.add(1);
                Ok(None)
            }
            Err(what) => {
                tally.decode_failures.add(1);
                let kind = std::any::type_name::<T>();
                Err(Error::new(
                    ErrorKind::Decode,
                    format!("what is stored under {key} is no {kind}: {what}"),
                ))
            }
        }
    }

    /// Stores a value. Loads under way will not overwrite it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`] for a value that has no JSON or a lifetime of zero,
    /// [`ErrorKind::TooLarge`] over [`Builder::max_value_bytes`], and what can go wrong on the way.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let pond = millpond::Millpond::memory();
    /// pond.set("config:models", &["small", "large"], millpond::ttl::LONG).await?;
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn set<T: Serialize + ?Sized>(
        &self,
        key: impl Into<Key>,
        value: &T,
        ttl: Duration,
    ) -> Result<(), Error> {
        let bytes = self.storable(value)?;
        self.put_bytes(key.into(), bytes, ttl).await
    }

    /// See [`Self::set`].
    pub(crate) async fn put_bytes(
        &self,
        key: Key,
        bytes: Bytes,
        ttl: Duration,
    ) -> Result<(), Error> {
        let full = self.full(&key);
        let command = guard::put(&full, bytes, lifetime(ttl)?, self.0.settings.guard_life);
        self.on_key(&key, &full, command).await?;
        self.0.flights.detach(&text(&full));
        self.0.ledger.tally(key.prefix()).stores.add(1);
        Ok(())
    }

    /// Whether this is a clone of the other.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Stores a value only if the key is not there; true if it was stored.
    ///
    /// # Errors
    /// As [`set`](Self::set), and [`ErrorKind::OutcomeUnknown`] when no answer came back.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let pond = millpond::Millpond::memory();
    /// assert!(pond.set_if_absent("job:7", &"me", millpond::ttl::SHORT).await?);
    /// assert!(!pond.set_if_absent("job:7", &"you", millpond::ttl::SHORT).await?);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn set_if_absent<T: Serialize + ?Sized>(
        &self,
        key: impl Into<Key>,
        value: &T,
        ttl: Duration,
    ) -> Result<bool, Error> {
        let key = key.into();
        let bytes = self.storable(value)?;
        let full = self.full(&key);
        let args = [
            Bytes::from_static(b"SET"),
            full.value.clone(),
            bytes,
            Bytes::from_static(b"NX"),
            Bytes::from_static(b"PX"),
            lifetime(ttl)?,
        ];
        let reply = self
            .on_key(&key, &full, Command::new(Effect::Once, args))
            .await?;
        let stored = reply != Reply::Nil;
        if stored {
            self.0.flights.detach(&text(&full));
            self.0.ledger.tally(key.prefix()).stores.add(1);
        }
        Ok(stored)
    }

    /// Removes a value, and keeps loads under way from storing an older one; true if it was there.
    ///
    /// # Errors
    /// What can go wrong on the way. The invalidation is then delivered in the background, and
    /// until it is through this process does not believe what the server holds for the key.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let pond = millpond::Millpond::memory();
    /// assert!(!pond.delete("user:42").await?);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn delete(&self, key: impl Into<Key>) -> Result<bool, Error> {
        let key = key.into();
        self.invalidate_all([key]).await.map(|removed| removed > 0)
    }

    /// Whether the key is there.
    ///
    /// # Errors
    /// What can go wrong on the way.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// assert!(!millpond::Millpond::memory().exists("user:42").await?);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn exists(&self, key: impl Into<Key>) -> Result<bool, Error> {
        let key = key.into();
        let full = self.full(&key);
        let args = [Bytes::from_static(b"EXISTS"), full.value.clone()];
        let reply = self
            .on_key(&key, &full, Command::new(Effect::Read, args))
            .await?;
        Ok(int(&reply)? > 0)
    }

    /// How long the key has left.
    ///
    /// # Errors
    /// What can go wrong on the way.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, TimeLeft};
    /// assert_eq!(Millpond::memory().ttl("user:42").await?, TimeLeft::Missing);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn ttl(&self, key: impl Into<Key>) -> Result<TimeLeft, Error> {
        let key = key.into();
        let full = self.full(&key);
        let args = [Bytes::from_static(b"PTTL"), full.value.clone()];
        let reply = self
            .on_key(&key, &full, Command::new(Effect::Read, args))
            .await?;
        Ok(match int(&reply)? {
            -1 => TimeLeft::Forever,
            left => u64::try_from(left).map_or(TimeLeft::Missing, |left| {
                TimeLeft::Left(Duration::from_millis(left))
            }),
        })
    }

    /// Gives the key another lifetime, from now; true if it was there.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`] for a lifetime of zero, and what can go wrong on the way.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, ttl};
    /// assert!(!Millpond::memory().expire("user:42", ttl::LONG).await?);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn expire(&self, key: impl Into<Key>, ttl: Duration) -> Result<bool, Error> {
        let key = key.into();
        let full = self.full(&key);
        let args = [
            Bytes::from_static(b"PEXPIRE"),
            full.value.clone(),
            lifetime(ttl)?,
        ];
        let reply = self
            .on_key(&key, &full, Command::new(Effect::Repeatable, args))
            .await?;
        Ok(int(&reply)? > 0)
    }

    /// Sends any command. The keys in it are taken as they are, without the namespace, and it is
    /// never repeated once it may have left.
    ///
    /// # Errors
    /// [`ErrorKind::OutcomeUnknown`] when no answer came back, what the server answers, and what
    /// can go wrong on the way.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, Reply};
    ///
    /// let pond = Millpond::memory();
    /// assert_eq!(pond.command(["RPUSH", "jobs", "a", "b"]).await?, Reply::Int(2));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn command<A: Into<Bytes>>(
        &self,
        command: impl IntoIterator<Item = A>,
    ) -> Result<Reply, Error> {
        self.pipeline()
            .command(command)
            .send()
            .await
            .pop()
            .unwrap_or_else(|| Err(no_reply()))
    }

    /// Commands that leave in one request, in order.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, Reply};
    ///
    /// let pond = Millpond::memory();
    /// let replies = pond.pipeline().command(["INCR", "a"]).command(["INCR", "a"]).send().await;
    /// assert_eq!(replies[1].as_ref().unwrap(), &Reply::Int(2));
    /// # });
    /// ```
    pub fn pipeline(&self) -> Pipeline {
        Pipeline {
            pond: self.clone(),
            commands: Vec::new(),
        }
    }

    /// The stored form of a value, if it may be stored.
    pub(crate) fn storable<T: Serialize + ?Sized>(&self, value: &T) -> Result<Bytes, Error> {
        let bytes = value::encode(value).map_err(|error| {
            Error::with_source(ErrorKind::InvalidValue, "the value has no JSON", error)
        })?;
        if bytes.len() > self.0.settings.max_value {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "the value takes {} bytes, over the limit of {}; raise max_value_bytes or \
                     store a reference",
                    bytes.len(),
                    self.0.settings.max_value
                ),
            ));
        }
        Ok(bytes)
    }
}

/// Commands that leave in one request; see [`Millpond::pipeline`].
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let pond = millpond::Millpond::memory();
/// assert!(pond.pipeline().send().await.is_empty());
/// # });
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before send()"]
pub struct Pipeline {
    pond: Millpond,
    commands: Vec<Command>,
}

impl Pipeline {
    /// Adds a command; its keys are taken as they are.
    ///
    /// ```
    /// let pipeline = millpond::Millpond::memory().pipeline().command(["PING"]);
    /// ```
    pub fn command<A: Into<Bytes>>(mut self, command: impl IntoIterator<Item = A>) -> Self {
        self.commands.push(Command::new(Effect::Once, command));
        self
    }

    /// Sends what was added: a reply for each command, and one that failed does not stop the
    /// others. It is not a transaction.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let pond = millpond::Millpond::memory();
    /// let replies = pond.pipeline().command(["NONSENSE"]).command(["PING"]).send().await;
    /// assert!(replies[0].is_err() && replies[1].is_ok());
    /// # });
    /// ```
    pub async fn send(self) -> Vec<Result<Reply, Error>> {
        if self.commands.is_empty() {
            return Vec::new();
        }
        self.pond
            .send(self.commands, self.pond.0.settings.budget)
            .await
    }
}

/// The text of a full key, as flights are called.
pub(crate) fn text(full: &FullKey) -> String {
    String::from_utf8_lossy(&full.value).into_owned()
}

/// The longest lifetime that is accepted: a hundred years, far below what overflows in Redis.
const MAX_LIFE: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// A lifetime in milliseconds, as an argument.
pub(crate) fn lifetime(ttl: Duration) -> Result<Bytes, Error> {
    if ttl.as_millis() == 0 || ttl > MAX_LIFE {
        return Err(Error::new(
            ErrorKind::InvalidValue,
            "the lifetime is under 1 ms or over 100 years",
        ));
    }
    Ok(ttl.as_millis().to_string().into())
}

pub(crate) fn no_reply() -> Error {
    Error::new(ErrorKind::Protocol, "no reply to a command")
}

fn unexpected() -> Error {
    Error::new(
        ErrorKind::Protocol,
        "a reply of another shape than the command has",
    )
}

pub(crate) fn bulk(reply: Reply) -> Result<Option<Bytes>, Error> {
    match reply {
        Reply::Nil => Ok(None),
        Reply::Bulk(bytes) => Ok(Some(bytes)),
        Reply::Int(number) => Ok(Some(number.to_string().into())),
        Reply::Array(_) => Err(unexpected()),
    }
}

pub(crate) fn int(reply: &Reply) -> Result<i64, Error> {
    match reply {
        Reply::Int(number) => Ok(*number),
        _ => Err(unexpected()),
    }
}
