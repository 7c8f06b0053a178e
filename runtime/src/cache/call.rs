//! One call of a cached function, and the rules of the function.

use super::cached_function::{CachedFunction, LifetimeOf};
use super::known_functions::FunctionState;
use super::staleness::{Freshness, Staleness};
use super::state::Cache;
use crate::client::Client;
use crate::client::tags::Tags;
use crate::client::value_tags::are_current;
use crate::codec::{Opened, Times};
use crate::encoding::Encoding;
use crate::error::Error;
use crate::key::Key;
use crate::random;
use crate::settings::Settings;
use crate::stats::Counters;
use crate::store::Store;
use crate::value;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// One call of a cached function: what it looks up, and under which rules.
pub(crate) struct CachedCall {
    pub(crate) cache: Arc<Cache>,
    pub(crate) key: Key,
    pub(crate) policy: Policy,
    pub(crate) tags: Tags,
    pub(crate) counters: Arc<Counters>,
    /// What is remembered of the function; nothing for values by hand.
    pub(crate) function: Option<Arc<FunctionState>>,
    /// Load and store anew, whatever is there.
    pub(crate) refresh: bool,
}

/// The rules of one cached function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) ttl: Duration,
    pub(crate) null_ttl: Option<Duration>,
    pub(crate) flight: bool,
    pub(crate) encoding: Encoding,
    /// Up to which fraction of a lifetime is taken off; nothing for that of the settings.
    pub(crate) jitter: Option<f64>,
    pub(crate) ttl_of: Option<LifetimeOf>,
    /// Whether values have a guard, so that a load that an invalidation overtook is not stored.
    pub(crate) guard: bool,
    /// For how long values are used after their lifetime, if they are.
    pub(crate) staleness: Option<&'static Staleness>,
}

impl Policy {
    /// The rules that a function is described with.
    pub(crate) fn of(function: &'static CachedFunction) -> Self {
        let CachedFunction {
            ttl,
            null_ttl,
            flight,
            encoding,
            guard,
            jitter,
            ttl_of,
            ref staleness,
            ..
        } = *function;
        Self {
            ttl,
            null_ttl,
            flight,
            encoding,
            jitter,
            ttl_of,
            guard,
            staleness: staleness.as_ref(),
        }
    }

    /// The defaults of `#[cached]`, for values by hand.
    pub(crate) fn by_hand(ttl: Duration) -> Self {
        Self {
            ttl,
            null_ttl: Some(ttl.min(crate::ttl::SHORT)),
            flight: true,
            encoding: Encoding::default(),
            jitter: Some(0.0),
            ttl_of: None,
            guard: true,
            staleness: None,
        }
    }
}

/// How long a value is kept.
pub(crate) struct Kept {
    /// As commands have it: ms, or `@` and a time of the server.
    pub(crate) life: Bytes,
    /// In ms.
    pub(crate) lasts: Bytes,
    pub(crate) times: Option<Times>,
}

impl Kept {
    /// Fresh for as long as it is kept.
    pub(crate) fn for_all_of(ttl: Duration) -> Result<Self, Error> {
        let life = crate::ttl::lifetime(ttl)?;
        Ok(Self {
            lasts: life.clone(),
            life,
            times: None,
        })
    }
}

/// The shortest lifetime that a server takes.
const SHORTEST: Duration = Duration::from_millis(1);

impl Policy {
    /// For how long values are used after their lifetime.
    pub(crate) fn windows(&self) -> &'static Staleness {
        self.staleness.unwrap_or(&Staleness::NONE)
    }

    /// What a value is good for.
    pub(crate) fn judge(&self, times: Option<Times>, client: &Client) -> Freshness {
        match times {
            Some(times) => self.windows().judge(times, client.time()),
            None => Freshness::Fresh,
        }
    }

    /// How long a value with this lifetime is kept, whose load began then and took so long; nothing if that time is
    /// over already.
    pub(crate) fn kept(
        &self,
        client: &Client,
        ttl: Duration,
        from: u64,
        took: Option<Duration>,
    ) -> Option<Kept> {
        let Some(windows) = self.staleness else {
            return Kept::for_all_of(ttl).ok();
        };
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let until = from.saturating_add(ms(ttl));
        let end = until.saturating_add(ms(windows.longest()));
        let left = end.checked_sub(client.time().latest)?;
        let lasts = crate::ttl::lifetime(Duration::from_millis(left)).ok()?;
        // The embedded engine has the clocks of this process, and counts by both.
        let life = if client.is_embedded() {
            lasts.clone()
        } else {
            format!("@{end}").into()
        };
        let times = Times {
            until,
            from: Some(from),
            took: took.map(ms),
        };
        Some(Kept {
            life,
            lasts,
            times: Some(times),
        })
    }

    /// How long a value with this plain form lives; nothing if it is not to be stored. A random part is taken off, so
    /// that values which were stored together do not expire together.
    pub(crate) fn life_of(&self, plain: &[u8], settings: &Settings) -> Option<Duration> {
        let is_null = value::is_null(plain);
        self.life(is_null, || self.ttl_of.and_then(|of| of(plain)), settings)
    }

    /// The same of a value that `own` may say something about.
    pub(crate) fn life(
        &self,
        is_null: bool,
        own: impl FnOnce() -> Option<Duration>,
        settings: &Settings,
    ) -> Option<Duration> {
        let life = if is_null {
            self.null_ttl?
        } else {
            own().map_or(self.ttl, |own| own.min(crate::ttl::CENTURY))
        };
        if life < SHORTEST {
            return None;
        }
        let jitter = self.jitter.unwrap_or(settings.ttl_jitter);
        if jitter == 0.0 {
            return Some(life);
        }
        let less = random::up_to(life.min(crate::ttl::CENTURY).mul_f64(jitter));
        Some(life.saturating_sub(less).max(SHORTEST))
    }
}

impl CachedCall {
    /// What the embedded engine can say at once: there is nothing to wait for, nothing to share.
    /// Without an answer, [`enter`](Self::enter).
    pub(crate) fn peek(&self) -> Option<Opened> {
        let Cache {
            client, flights, ..
        } = &*self.cache;
        let Client { store, pending, .. } = &**client;
        if self.refresh || pending.len() > 0 || self.key.check().is_err() {
            return None;
        }
        let name = self.cache.client.name(&self.key);
        if flights.leads(&name) {
            return None;
        }
        let store = store.as_ref().ok()?;
        client.begin_event();
        let value = store.peek(name.as_bytes())?;
        self.counters.commands.add(1);
        let encrypted = self.policy.encoding.encrypt;
        let opened = self
            .cache
            .client
            .codec
            .open_now(name.as_bytes(), value, encrypted);
        // What takes long is read again where others can run meanwhile.
        let opened = opened?.ok()?;
        if opened.members.is_none() && self.tags.is_empty() {
            return Some(opened);
        }
        self.accepts(&opened, &**store).then_some(opened)
    }

    /// Whether there is nothing to do about a value but to return it: it is fresh, and its tags are current.
    fn accepts(&self, opened: &Opened, store: &dyn Store) -> bool {
        let client = &self.cache.client;
        if let Some(times) = opened.times()
            && !self.policy.windows().is_plainly_fresh(times, client.time())
        {
            return false;
        }
        let nonces: Vec<Option<Bytes>> = self
            .tags
            .iter()
            .map(|tag| store.peek(&client.tag_key(tag).value))
            .collect();
        let Some(others) = self.tags.others(opened, &nonces) else {
            return false;
        };
        let nonces: Vec<Option<Bytes>> = others
            .iter()
            .map(|tag| store.peek(&client.tag_key(tag).value))
            .collect();
        are_current(opened, &others, &nonces)
    }
}
