//! The rules of a cached function: how long its values live, and what they are good for afterwards.

use super::cached_function::{CachedFunction, LifetimeOf};
use super::staleness::{Freshness, Staleness};
use crate::client::Client;
use crate::clock::milliseconds;
use crate::codec::Times;
use crate::encoding::Encoding;
use crate::error::Error;
use crate::random;
use crate::settings::Settings;
use crate::value;
use bytes::Bytes;
use std::time::Duration;

/// The rules of one cached function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    /// In ms, as the store counts: as durations they would make every call 16 bytes larger.
    ttl: u64,
    /// In ms; 0 where nulls are not kept.
    null_ttl: u64,
    pub(crate) flight: bool,
    pub(crate) encoding: Encoding,
    /// Up to which fraction of a lifetime is taken off; nothing for that of the settings.
    pub(crate) jitter: Option<f32>,
    pub(crate) ttl_of: Option<LifetimeOf>,
    /// Whether values have a guard, so that a load that an invalidation overtook is not stored.
    pub(crate) guard: bool,
    /// For how long values are used after their lifetime, if they are.
    pub(crate) staleness: Option<&'static Staleness>,
    /// The function, if this process keeps its values too.
    pub(crate) near: Option<&'static CachedFunction>,
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
            ttl: milliseconds(ttl),
            null_ttl: null_ttl.map_or(0, milliseconds),
            flight,
            encoding,
            jitter,
            ttl_of,
            guard,
            staleness: staleness.as_ref(),
            near: function.near().map(|_| function),
        }
    }

    /// The defaults of `#[cached]`, for values by hand.
    pub(crate) fn by_hand(ttl: Duration) -> Self {
        Self {
            ttl: milliseconds(ttl),
            null_ttl: milliseconds(ttl.min(crate::ttl::SHORT)),
            flight: true,
            encoding: Encoding::default(),
            jitter: Some(0.0),
            ttl_of: None,
            guard: true,
            staleness: None,
            near: None,
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
    /// Whether processes keep it too.
    pub(crate) is_near: bool,
}

impl Kept {
    /// Fresh for as long as it is kept.
    pub(crate) fn for_all_of(ttl: Duration) -> Result<Self, Error> {
        let life = crate::ttl::lifetime(ttl)?;
        Ok(Self {
            lasts: life.clone(),
            life,
            times: None,
            is_near: false,
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
        let until = from.saturating_add(milliseconds(ttl));
        let end = until.saturating_add(milliseconds(windows.longest()));
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
            took: took.map(milliseconds),
        };
        Some(Kept {
            life,
            lasts,
            times: Some(times),
            is_near: false,
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
            Duration::from_millis(self.null_ttl)
        } else {
            own().map_or(Duration::from_millis(self.ttl), |own| {
                own.min(crate::ttl::CENTURY)
            })
        };
        if life < SHORTEST {
            return None;
        }
        let jitter = self.jitter.map_or(settings.ttl_jitter, f64::from);
        if jitter == 0.0 {
            return Some(life);
        }
        let less = random::up_to(life.min(crate::ttl::CENTURY).mul_f64(jitter));
        Some(life.saturating_sub(less).max(SHORTEST))
    }
}
