//! The builder: what a `Millpond` is made of, in code or from the environment.

mod engines;
pub(crate) mod environment;
mod limits;

use crate::clock::{Clock, ManualClock};
use crate::error::{Error, ErrorKind};
use crate::keyring::{GivenKey, Keyring};
use crate::limit::LimitSettings;
use crate::pond::Millpond;
use crate::secret::Secret;
use crate::settings::{Engine, Settings};
use crate::store::{self, Open};
use std::time::Duration;

/// Configures a [`Millpond`]. Uses the embedded engine unless another one is chosen.
///
/// ```
/// use millpond::Millpond;
/// use std::time::Duration;
///
/// let pond = Millpond::builder()
///     .memory()
///     .namespace("staging")
///     .budget(Duration::from_millis(200))
///     .build()?;
/// # Ok::<_, millpond::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    engine: Engine,
    open: Open,
    keys: Vec<GivenKey>,
    /// What was looked up under the name of the keys, empty if nothing; without a look-up, the environment says.
    encryption_keys: Option<Secret>,
    settings: Settings,
    limits: LimitSettings,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self::opened_by(Engine::Memory, store::open)
    }

    /// The defaults, for this engine.
    fn opened_by(engine: Engine, open: Open) -> Self {
        Self {
            engine,
            open,
            keys: Vec::new(),
            encryption_keys: None,
            settings: Settings::default(),
            limits: LimitSettings::default(),
        }
    }

    /// The first part of every key: `staging:user:42`. None by default.
    ///
    /// ```
    /// let pond = millpond::Millpond::builder().namespace("staging").build()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.settings.namespace = Some(namespace.into());
        self
    }

    /// How long one call may wait for the cache in total: for its own read and fill, and for those of
    /// another caller's load that it waits for. Bodies are not counted. After that, the call goes on without
    /// the cache. 500 ms by default.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let pond = millpond::Millpond::builder().budget(Duration::from_millis(100)).build()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn budget(mut self, budget: Duration) -> Self {
        self.settings.budget = budget;
        self
    }

    /// How long the server remembers an invalidation. A load that takes longer than half of it is not stored.
    /// 5 minutes by default, at least 60 s.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let error = millpond::Millpond::builder().guard_life(Duration::from_secs(1)).build();
    /// assert!(error.unwrap_err().to_string().contains("60 s"));
    /// ```
    pub fn guard_life(mut self, life: Duration) -> Self {
        self.settings.guard_life = life;
        self
    }

    /// Up to which fraction of its lifetime a value of a cached function lives less long, at random, so that values
    /// which were stored together do not expire together. 0.05 by default; a function overrides it with `jitter`.
    /// What is stored by hand lives exactly as long as its call says.
    ///
    /// # Errors
    /// [`build`](Self::build) fails if it is not between 0 and 1.
    ///
    /// ```
    /// let error = millpond::Millpond::builder().ttl_jitter(1.5).build();
    /// assert!(error.unwrap_err().to_string().contains("ttl_jitter"));
    /// ```
    pub fn ttl_jitter(mut self, fraction: f64) -> Self {
        self.settings.ttl_jitter = fraction;
        self
    }

    /// How long a caller waits for other callers' loads of the same key before it runs the body
    /// itself. 60 s by default. Since [waiting is bounded](crate#concurrent-callers), this is a last resort:
    /// for a body that hangs, or that waits through a task that it spawned for a load which waits for it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let pond = millpond::Millpond::builder().flight_wait(Duration::from_secs(5)).build()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn flight_wait(mut self, wait: Duration) -> Self {
        self.settings.flight_wait = wait;
        self
    }

    /// The largest value that is stored, in bytes of its stored form. 4 MiB by default; on most plans,
    /// Upstash accepts requests of at most 10 MB. A compressed value may have 8 times as many bytes before
    /// compression; a stored value that decompresses to more is not read.
    ///
    /// ```
    /// let pond = millpond::Millpond::builder().max_value_bytes(64 * 1024).build()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn max_value_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_value = bytes;
        self
    }

    /// How many times a failed request is sent again, within the budget. 5 by default; the default
    /// [`backoff`](Self::backoff) and [`budget`](Self::budget) leave time for three or four.
    ///
    /// ```
    /// let pond = millpond::Millpond::builder().retries(2).build()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn retries(mut self, retries: u32) -> Self {
        self.settings.retries = retries;
        self
    }

    /// The pause before the first retry. It doubles each time, with jitter. 50 ms by default.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let pond = millpond::Millpond::builder().backoff(Duration::from_millis(20)).build()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn backoff(mut self, first: Duration) -> Self {
        self.settings.backoff = first;
        self
    }

    /// Whether commands issued while a request is in flight are sent together in the next one. On by default.
    ///
    /// Over RESP, commands issued in the same turn of the scheduler are sent together. On a Redis Cluster each
    /// call is sent by itself, since it goes to the node of its slot.
    ///
    /// Values of cached functions, and other commands `MGET`, that are sent together are read with one `MGET`, which is one
    /// command to pay for: of at most 1,000 keys, and only as long as about 512 KB are to be expected, by what came before.
    /// If the server refuses it, each is read with a command of its own. Not on `wasm32`.
    ///
    /// If off, each call is a request of its own. On Upstash, writes are still sent one at a time unless
    /// [`read_your_writes`](Self::read_your_writes) is off too.
    ///
    /// ```
    /// let pond = millpond::Millpond::builder().auto_pipelining(false).build()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn auto_pipelining(mut self, on: bool) -> Self {
        self.settings.pipelining = on;
        self
    }

    /// Whether each request tells Upstash the last write that this process saw, so that no replica answers a
    /// read from before it. On by default.
    ///
    /// This holds for reads and writes in one Tokio runtime, where writes are sent one at a time. Several
    /// runtimes share the position of the last write, but their writes can overtake each other: a read may
    /// then miss a write whose answer arrived just before the answer to a write of another runtime.
    ///
    /// ```
    /// let pond = millpond::Millpond::builder().read_your_writes(false).build()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn read_your_writes(mut self, on: bool) -> Self {
        self.settings.read_your_writes = on;
        self
    }

    /// How much the embedded engine holds, in bytes of keys and values, some 300 bytes for a small key included. 64 MiB
    /// by default.
    ///
    /// Where there is no room, what has expired goes, then values that were not used for long, then budgets of limits
    /// that have most left. Locks, sessions and used-up budgets stay until they expire; while they fill it, writes get
    /// [`ErrorKind::TooLarge`]. It also holds at most 40,000 counters of limits: while all of those are used up, new
    /// callers are counted as in an outage.
    ///
    /// ```
    /// let pond = millpond::Millpond::builder().memory().memory_bytes(1 << 20).build()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn memory_bytes(mut self, bytes: usize) -> Self {
        self.settings.memory = bytes;
        self
    }

    /// How much the local tier holds, in bytes of keys and values, some 200 bytes for each included. 64 MiB by
    /// default. A value counts with the length of its JSON where its type can be serialized, otherwise with its size
    /// in memory, without what it points to; behind an `Arc`, with the size of that. Where there is no room, values
    /// that were not used for long have to go.
    ///
    /// ```
    /// let pond = millpond::Millpond::builder().local_bytes(1 << 20).build()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn local_bytes(mut self, bytes: usize) -> Self {
        self.settings.local = u64::try_from(bytes).unwrap_or(u64::MAX);
        self
    }

    /// Whether this process tells others of what it invalidates and stores, so that they forget what they keep of it
    /// with `local`. Unless this is said, it tells of functions with `local` (whether it calls them or not), and of tags
    /// once it keeps values itself. `true` tells of everything, for a process that changes by hand (`delete`, `set`)
    /// or by tags what others keep; each request that moves something then has one more command, a `PUBLISH`. `false`
    /// tells nobody and listens to nobody. What is told is in `docs/interop.md` in the repository.
    ///
    /// ```
    /// let pond = millpond::Millpond::builder().backplane(true).build()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn backplane(mut self, backplane: bool) -> Self {
        self.settings.backplane = Some(backplane);
        self
    }

    /// For how long this process trusts that it hears of invalidations after a proof: an answer that came through its
    /// subscription. 5 s by default, 60 s over Upstash; a proof is asked for twice in that time while values are kept
    /// with `local`, which over Upstash costs one command each time. After that time without a proof, values are
    /// used up to the age of [`local_unverified`](Self::local_unverified).
    ///
    /// # Errors
    /// [`build`](Self::build) fails if it is under 100 ms, or over an hour.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let error = millpond::Millpond::builder().backplane_silence(Duration::ZERO).build();
    /// assert!(error.unwrap_err().to_string().contains("backplane_silence"));
    /// ```
    pub fn backplane_silence(mut self, silence: Duration) -> Self {
        self.settings.backplane_silence = Some(silence);
        self
    }

    /// Up to which age a value that is kept with `local` is used while nothing proves that this process hears of
    /// invalidations. An older one is read from the store again. 1 s by default; zero uses none.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let pond = millpond::Millpond::builder().local_unverified(Duration::from_millis(200)).build()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn local_unverified(mut self, age: Duration) -> Self {
        self.settings.local_unverified = age;
        self
    }

    /// The key that encrypts and decrypts the values of functions with the option `encrypt`: 32 bytes in
    /// base64, as `openssl rand -base64 32` prints them, or in hexadecimal. Its id, 1 to 64 characters of
    /// `A-Z a-z 0-9 - _ .`, is stored with each value.
    ///
    /// If the code sets no key, [`build`](Self::build) reads the environment variable
    /// `MILLPOND_ENCRYPTION_KEY` (`2026-11:<key>,2026-01:<key>`): the first key encrypts, the others only
    /// decrypt. Needs the feature `encrypt`, which is on by default.
    ///
    /// Nonces are random, so one key should encrypt at most 2³² values: 1,000 a second for 49 days. Source:
    /// NIST SP 800-38D, section 8.3.
    ///
    /// ```
    /// # #[cfg(feature = "encrypt")] {
    /// let pond = millpond::Millpond::builder()
    ///     .encryption_key("2026-11", "Oss2m0vkyHGUHDt8wy8JPmgVNCYIyJFUhyNmKSUoRcA=")
    ///     .build()?;
    /// # }
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn encryption_key(mut self, id: impl Into<String>, key: impl Into<String>) -> Self {
        self.keys.push(GivenKey {
            id: Secret::new(id),
            key: Secret::new(key),
            writes: true,
        });
        self
    }

    /// An older key, which decrypts but does not encrypt. After a change of
    /// [`encryption_key`](Self::encryption_key), keep the previous key here until the values that it
    /// encrypted have expired.
    ///
    /// ```
    /// # #[cfg(feature = "encrypt")] {
    /// let pond = millpond::Millpond::builder()
    ///     .encryption_key("2026-11", "Oss2m0vkyHGUHDt8wy8JPmgVNCYIyJFUhyNmKSUoRcA=")
    ///     .decryption_key("2026-01", "KLlDgh8lXGy9E8TNzCoGV5f1HCrGpTDZ1D6YjEYSC5o=")
    ///     .build()?;
    /// # }
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn decryption_key(mut self, id: impl Into<String>, key: impl Into<String>) -> Self {
        self.keys.push(GivenKey {
            id: Secret::new(id),
            key: Secret::new(key),
            writes: false,
        });
        self
    }

    /// A clock that a test advances by hand.
    ///
    /// ```
    /// let clock = millpond::ManualClock::new();
    /// let pond = millpond::Millpond::builder().clock(clock).build()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn clock(mut self, clock: ManualClock) -> Self {
        self.settings.clock = Clock::Manual(clock);
        self
    }

    /// Checks the configuration. Nothing is sent.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if a URL, a number or a key is invalid, or if the feature of the engine is off.
    ///
    /// ```
    /// # #[cfg(feature = "upstash")] {
    /// let error = millpond::Millpond::builder().upstash("http://example.com", "t").build();
    /// assert!(error.unwrap_err().to_string().contains("https"));
    /// # }
    /// ```
    pub fn build(self) -> Result<Millpond, Error> {
        match self.encryption_keys.clone() {
            Some(keys) => self.build_in(|_| Some(keys.reveal().to_owned())),
            None => self.build_in(|name| std::env::var(name).ok()),
        }
    }

    /// See [`build`](Self::build); the lookup stands for the environment.
    fn build_in(mut self, lookup: impl Fn(&str) -> Option<String>) -> Result<Millpond, Error> {
        let wrong = |what: &str| Err(Error::new(ErrorKind::Config, what));
        if self.settings.guard_life < Duration::from_secs(60) {
            return wrong("guard_life is under 60 s; slower loads would undo invalidations");
        }
        if self.settings.guard_life > Duration::from_secs(24 * 3_600) {
            return wrong(
                "guard_life is over a day, and each invalidated key would take memory for that time; choose a shorter one",
            );
        }
        if !(0.0..=1.0).contains(&self.settings.ttl_jitter) {
            return wrong("ttl_jitter is no fraction between 0 and 1; choose one such as 0.1");
        }
        let silences = Duration::from_millis(100)..=Duration::from_secs(3_600);
        if self
            .settings
            .backplane_silence
            .is_some_and(|it| !silences.contains(&it))
        {
            return wrong(
                "backplane_silence is under 100 ms or over an hour; choose one such as 5 s",
            );
        }
        if self.settings.budget.is_zero() {
            return wrong("budget is zero; no request could be answered in time");
        }
        if self.settings.namespace.as_deref() == Some("") {
            return wrong("namespace is empty; leave it out instead");
        }
        if let Some(what) = self.limits.mistake() {
            return wrong(what);
        }
        self.settings.keys = Keyring::new(&self.keys, lookup)?;
        Millpond::start(&self.engine, self.settings, &self.limits, self.open)
    }

    /// Whether this is the embedded engine.
    pub(crate) fn is_memory(&self) -> bool {
        matches!(self.engine, Engine::Memory)
    }
}

#[cfg(test)]
mod tests;
