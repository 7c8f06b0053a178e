//! What every feature is built on: names in a namespace, commands on keys, counters, and the
//! invalidations that this process still owes the server.

pub(crate) mod backplane;
pub(crate) mod delivery;
pub(crate) mod guard;
mod learn_time;
pub(crate) mod outage;
pub(crate) mod owed;
pub(crate) mod server_time;
pub(crate) mod tags;
pub(crate) mod value_tags;
mod walk;
pub(crate) mod write;
pub(crate) mod writer;

use crate::clock::{Coarse, CoarseSteady, Moment, Steady};
use crate::codec::Codec;
use crate::error::{Error, ErrorKind};
use crate::key::{self, FullKey, Key};
use crate::reply;
use crate::runtime::{self, BoxFutureOf, Instant};
use crate::settings::Settings;
use crate::stats::{Counters, Registry};
use crate::store::command::{Command, Effect, Reply};
use crate::store::{Batch, Replies, Sending, Store, all_failed};
use backplane::Backplane;
use outage::OutageLog;
use owed::{Pending, Ticket};
use server_time::ServerTime;
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Once, OnceLock};
use std::time::Duration;
use writer::Writes;

type OnChange = Box<dyn Fn(&str) + Send + Sync>;

/// An engine with its settings. Every feature of one `Millpond` shares it.
pub(crate) struct Client {
    pub(crate) store: Result<Box<dyn Store>, Error>,
    pub(crate) settings: Settings,
    pub(crate) codec: Codec,
    pub(crate) registry: Arc<Registry>,
    pub(crate) pending: Arc<Pending>,
    pub(crate) writes: Writes,
    /// Called with the name of every key whose value changes or is to go, before and after.
    on_change: OnceLock<OnChange>,
    pub(crate) outages: OutageLog,
    /// Whether the keys of one command must be in one slot.
    pub(crate) cluster: bool,
    started: Moment,
    /// The same as the coarse clocks count.
    started_coarse: Coarse,
    server_time: ServerTime,
    pub(crate) backplane: Arc<Backplane>,
    /// At the first command, one line goes to the log.
    in_use: Once,
    namespace: Option<String>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl Client {
    pub(crate) fn new(
        store: Result<Box<dyn Store>, Error>,
        settings: Settings,
        registry: Registry,
        cluster: bool,
    ) -> Self {
        let namespace = settings.namespace.as_deref().map(key::encoded);
        let named = namespace.as_ref().map_or(0, |name| name.len() + 1);
        let started = settings.clock.now();
        Self {
            codec: Codec::new(&settings, store.as_ref().err().cloned()),
            backplane: Arc::new(Backplane::new(
                namespace.as_deref(),
                &store
                    .as_ref()
                    .map_or_else(|_| String::new(), |store| store.channel_suffix()),
            )),
            namespace,
            outages: OutageLog::new(settings.clock.clone()),
            started,
            started_coarse: started.into(),
            server_time: ServerTime::default(),
            store,
            settings,
            registry: Arc::new(registry),
            pending: Arc::new(Pending::new(named)),
            writes: Writes::new(),
            on_change: OnceLock::new(),
            cluster,
            in_use: Once::new(),
        }
    }

    /// Tells what is built on this client about changes; once.
    pub(crate) fn on_change(&self, told: impl Fn(&str) + Send + Sync + 'static) {
        // There is one cache on a client.
        let _ = self.on_change.set(Box::new(told));
    }

    fn changed(&self, key: &FullKey) {
        self.name_changed(&key.text());
    }

    /// The same for a key or a tag as the server knows it.
    fn name_changed(&self, name: &str) {
        if let Some(told) = self.on_change.get() {
            told(name);
        }
    }

    /// The namespace as it stands in front of keys.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    pub(crate) fn full(&self, key: &Key) -> FullKey {
        FullKey::new(&self.name(key))
    }

    /// The key as the server knows it.
    pub(crate) fn name<'a>(&self, key: &'a Key) -> Cow<'a, str> {
        self.named(key.as_str())
    }

    /// A text behind the namespace, which holds no glob character.
    pub(crate) fn named<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match &self.namespace {
            Some(namespace) => format!("{namespace}:{text}").into(),
            None => text.into(),
        }
    }

    /// One line for whoever wonders later which database it was.
    fn say_what_is_in_use(&self, store: &dyn Store) {
        let namespace = self.namespace().unwrap_or_default();
        tracing::info!(
            engine = store.place(),
            namespace,
            local = "off",
            "millpond is in use"
        );
    }

    /// When it was made, in milliseconds since the Unix epoch.
    #[cfg(feature = "dashboard")]
    pub(crate) fn started_ms(&self) -> u64 {
        self.started.unix_ms()
    }

    /// Why nothing is sent to the store at the moment; nothing while commands are sent.
    pub(crate) fn outage(&self) -> Option<Error> {
        self.store.as_ref().ok()?.outage()
    }

    /// Something is about to be counted.
    #[inline]
    #[cfg_attr(
        not(feature = "dashboard"),
        expect(clippy::unused_self, reason = "only the feature counts in windows")
    )]
    pub(crate) fn begin_event(&self) {
        #[cfg(feature = "dashboard")]
        self.registry.windows.begin(self.settings.clock.coarse());
    }

    /// The engine, if it is a part of this process; something is about to be asked of it.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn embedded(&self) -> Option<&dyn Store> {
        let store = self.store.as_deref().ok()?;
        if !store.is_embedded() {
            return None;
        }
        self.begin_event();
        self.in_use.call_once(|| self.say_what_is_in_use(store));
        Some(store)
    }

    /// Sends commands that belong together, within the time given.
    pub(crate) async fn send(&self, commands: Vec<Command>, within: Duration) -> Replies {
        let count = commands.len();
        match self.sending(commands, within) {
            Ok((sent, started)) => self.sent(sent.await, count, started),
            Err(error) => all_failed(&error, count),
        }
    }

    /// Sends one command, as [`Self::send`] does.
    #[cfg(all(
        any(feature = "upstash", feature = "redis"),
        not(target_arch = "wasm32")
    ))]
    pub(crate) fn start_one(
        &self,
        command: Command,
        asked: Instant,
        within: Duration,
    ) -> Result<Sending, Error> {
        Ok(self.store_in_use()?.start_one(command, asked, within))
    }

    /// The reply to one command that was sent then.
    #[cfg(all(
        any(feature = "upstash", feature = "redis"),
        not(target_arch = "wasm32")
    ))]
    pub(crate) fn one_sent(&self, replies: Replies, started: Instant) -> Result<Reply, Error> {
        last(self.sent(replies, 1, Some(started)))
    }

    /// What sends commands. Apart from what awaits it, which is compiled in each crate that does.
    fn sending(
        &self,
        commands: Vec<Command>,
        within: Duration,
    ) -> Result<(Sending, Option<Instant>), Error> {
        let store = self.store_in_use()?;
        // The engine keeps the time: it alone knows whether the commands have left, and a second
        // timer around it would hide from the circuit breaker how the call ended.
        let started = (!store.is_embedded()).then(runtime::now);
        Ok((store.start(Batch { commands, within }), started))
    }

    /// What is about to be asked.
    fn store_in_use(&self) -> Result<&dyn Store, Error> {
        self.begin_event();
        let store = &**self.store.as_ref().map_err(Error::clone)?;
        self.in_use.call_once(|| self.say_what_is_in_use(store));
        Ok(store)
    }

    fn sent(&self, replies: Replies, count: usize, started: Option<Instant>) -> Replies {
        if let Some(started) = started {
            self.answered_in(started.elapsed());
        }
        if replies.len() == count {
            replies
        } else {
            let error = Error::new(
                ErrorKind::Protocol,
                "the number of replies differs from the number of commands",
            );
            all_failed(&error, count)
        }
    }

    /// The store answered, or gave up, after this time.
    fn answered_in(&self, time: Duration) {
        self.registry.store_times.record(time);
        #[cfg(feature = "metrics")]
        crate::metrics::answered_in(time);
    }

    /// Whether the engine is a part of this process, and keys age by its clocks.
    pub(crate) fn is_embedded(&self) -> bool {
        self.store.as_ref().is_ok_and(|store| store.is_embedded())
    }

    /// Milliseconds since the Unix epoch, for what no step of the wall clock may end or prolong: as far as this
    /// process alone is concerned, time goes on from when it began by the monotonic clock. Others have
    /// nothing but the wall clock in common.
    pub(crate) fn steady_ms(&self) -> u64 {
        self.steady().now.unix_ms()
    }

    /// As [`Self::steady_ms`], and what the wall clock really says.
    pub(crate) fn steady(&self) -> Steady {
        let real = self.settings.clock.now();
        if !self.is_embedded() {
            let (now, wall_ahead) = (real, 0);
            return Steady {
                now,
                real,
                wall_ahead,
            };
        }
        let passed = real.monotonic.saturating_sub(self.started.monotonic);
        let wall = self.started.wall.saturating_add(passed);
        let now = Moment { wall, ..real };
        // Rounded: the clocks are read one after the other, and are not to differ by a millisecond for that.
        let ms = |time: Duration| {
            let rest = u64::from((time.subsec_micros() + 500) / 1_000);
            let ms = time.as_secs().saturating_mul(1_000).saturating_add(rest);
            i64::try_from(ms).unwrap_or(i64::MAX)
        };
        let wall_ahead = match real.wall.checked_sub(wall) {
            Some(ahead) => ms(ahead),
            None => -ms(wall.saturating_sub(real.wall)),
        };
        Steady {
            now,
            real,
            wall_ahead,
        }
    }

    /// As [`Self::steady`], by the coarse clocks. None after the year 2262, where nanoseconds end.
    pub(crate) fn steady_coarse(&self) -> Option<CoarseSteady> {
        let real = self.settings.clock.coarse();
        let started = self.started_coarse;
        let (wall, wall_ahead) = if self.is_embedded() {
            let passed = real.monotonic.saturating_sub(started.monotonic);
            let wall = started.wall.saturating_add(passed);
            let ahead = signed(real.wall)?.checked_sub(signed(wall)?)?;
            // Rounded, as that of the precise clocks is.
            (wall, ahead.saturating_add(500_000).div_euclid(1_000_000))
        } else {
            (real.wall, 0)
        };
        signed(wall)?;
        let now = Coarse { wall, ..real };
        Some(CoarseSteady { now, wall_ahead })
    }

    /// Whether the engine can only be used inside of a Tokio runtime.
    pub(crate) fn needs_runtime(&self) -> bool {
        self.store.as_ref().is_ok_and(|store| store.needs_runtime())
    }

    /// Sends one command that belongs to no key of the cache.
    pub(crate) async fn one(&self, command: Command) -> Result<Reply, Error> {
        let replies = self.send(vec![command], self.settings.budget).await;
        let reply = replies.into_iter().next();
        reply.unwrap_or_else(|| Err(reply::no_reply()))
    }

    /// Sends one command on a key. What is owed for the key goes in front.
    pub(crate) async fn settled(
        &self,
        full: &FullKey,
        counters: &Counters,
        command: Command,
        within: Duration,
    ) -> Result<Reply, Error> {
        let commands = vec![command];
        let replies = if self.pending.ticket(full).is_some() {
            let keys = std::slice::from_ref(full);
            self.settled_all(keys, &[], counters, commands, within)
                .await?
        } else {
            counters.commands.add(1);
            self.send(commands, within).await
        };
        last(replies)
    }

    /// The same with a command that moves keys, of which others are told: where that fails, it is the error.
    pub(crate) async fn settled_and_told(
        &self,
        full: &FullKey,
        told: &[FullKey],
        counters: &Counters,
        command: Command,
        within: Duration,
    ) -> Result<Reply, Error> {
        let keys = std::slice::from_ref(full);
        let replies = self.settled_all(keys, told, counters, vec![command], within);
        last(replies.await?)
    }

    /// Sends commands on keys, and tells other processes of some. What is owed for the keys goes in front; where one
    /// of those fails, or the telling, that is the error of all.
    pub(crate) fn settled_all<'a>(
        &'a self,
        keys: &'a [FullKey],
        told: &'a [FullKey],
        counters: &'a Counters,
        commands: Vec<Command>,
        within: Duration,
    ) -> BoxFutureOf<'a, Result<Replies, Error>> {
        // In a box it is compiled once, and not again in each crate that reaches it.
        Box::pin(self.settle_all(keys, told, counters, commands, within))
    }

    async fn settle_all(
        &self,
        keys: &[FullKey],
        told: &[FullKey],
        counters: &Counters,
        commands: Vec<Command>,
        within: Duration,
    ) -> Result<Replies, Error> {
        let tickets: Vec<Ticket> = keys
            .iter()
            .filter_map(|key| self.pending.ticket(key))
            .collect();
        let mut all = Vec::with_capacity(tickets.len() + commands.len());
        if tickets.iter().any(|ticket| ticket.owed.key.moves_family()) {
            if self.cluster {
                // It is in another slot than they, and what leaves together may arrive in any order.
                counters.commands.add(1);
                let sent = self.send(vec![self.family_moves()], within).await;
                for reply in sent {
                    reply::done(&reply?)?;
                }
            } else {
                all.push(self.family_moves());
            }
        }
        all.extend(tickets.iter().map(|ticket| self.given_up(&ticket.owed)));
        let first = all.len();
        let changes = commands.iter().any(|it| it.effect != Effect::Read);
        all.extend(commands);
        counters.commands.add(all.len() as u64);
        let owed = tickets.iter().map(|ticket| &ticket.owed.key);
        let tell = self.telling(&mut owed.chain(told));
        let (mut replies, told) = self.send_and_tell(all, tell, within).await;
        let answers: Replies = replies.drain(first..).collect();
        // In front of what is owed may stand what moves the family.
        let owed: Replies = replies.drain(first - tickets.len()..).collect();
        let family = replies.into_iter().map(|reply| reply::done(&reply?));
        let family = family.chain(std::iter::once(told));
        let settled = tickets
            .iter()
            .zip(owed)
            .map(|(ticket, reply)| ticket.owed.delivered(&reply?).map(drop));
        if let Some(error) = family.chain(settled).find_map(Result::err) {
            let own = answers.into_iter().find_map(Result::err);
            return Err(own.unwrap_or_else(|| not_through(error, changes)));
        }
        for ticket in &tickets {
            self.pending.delivered(ticket);
        }
        Ok(answers)
    }

    /// Sends one command on a key, whose answer may be lost without harm. What is owed for the key goes in front.
    pub(crate) async fn on_key(
        &self,
        key: &Key,
        full: &FullKey,
        command: Command,
    ) -> Result<Reply, Error> {
        key.check()?;
        let counters = self.registry.counters(key.prefix());
        let result = self
            .settled(full, &counters, command, self.settings.budget)
            .await;
        if result.is_err() {
            counters.errors.add(1);
        }
        result
    }
}

fn signed(nanos: u64) -> Option<i64> {
    i64::try_from(nanos).ok()
}

/// The error of what was answered, behind something owed that was not: a read is not to be believed, and a change
/// was made but may be removed with what is owed.
fn not_through(error: Error, changes: bool) -> Error {
    let kind = if changes {
        ErrorKind::OutcomeUnknown
    } else {
        error.kind()
    };
    Error::with_source(kind, error.to_string(), error)
}

/// The reply to the last command, behind which there is none.
fn last(mut replies: Replies) -> Result<Reply, Error> {
    let reply = replies.pop().unwrap_or_else(|| Err(reply::no_reply()));
    reply.map_err(advised)
}

/// The error of a command on a key, with what to do about it.
fn advised(error: Error) -> Error {
    if error.kind() != ErrorKind::WrongType {
        return error;
    }
    let text = format!("{error}; use another key, or delete what is there");
    Error::with_source(ErrorKind::WrongType, text, error)
}

#[cfg(test)]
mod tests;
