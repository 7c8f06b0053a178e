//! What a limit is: a kind, numbers, an algorithm, and what to do in an outage.

use super::OnOutage;
use super::algorithm::{Algorithm, Rule};
use super::kind::{self, LimitName};
use crate::error::{Error, ErrorKind};
use std::borrow::Cow;
use std::num::NonZeroU32;
use std::time::Duration;

/// The description of a limit: its kind, its numbers and its algorithm. It has no state.
///
/// Two limits of one kind share their budgets if their windows are equal too, so that a plan can have
/// another number of units for the same kind. Windows that slide share them with fixed ones, since
/// `@upstash/ratelimit` calls both by the same keys. A token bucket shares them with buckets only, but
/// give it a kind of its own: the bucket of a caller `7:29453760` is under the key of a window of the
/// caller `7`, where Redis answers `WRONGTYPE`, and [`OnOutage`] decides.
///
/// ```
/// use millpond::limit::Limit;
/// use std::time::Duration;
///
/// const BURSTS: Limit = Limit::token_bucket("UPLOAD", 2, Duration::from_secs(1), 20);
/// assert_eq!(BURSTS.units(), 20);
/// ```
///
/// Numbers that make no sense do not compile:
///
/// ```compile_fail
/// # use millpond::limit::Limit;
/// # use std::time::Duration;
/// const NEVER: Limit = Limit::fixed_window("NEVER", 0, Duration::from_secs(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    name: LimitName,
    rule: Rule,
    /// What the caller chose; an override at start-up fills in the rest.
    on_outage: Option<OnOutage>,
    share: Option<NonZeroU32>,
    /// Whether the numbers were worked out at run time.
    computed: bool,
    /// The whole first part of the keys.
    under: Option<&'static str>,
    /// What is counted, where that is not calls.
    quota_unit: Option<&'static str>,
}

impl Limit {
    /// At most `units` in a window that slides: [`Algorithm::SlidingWindow`].
    ///
    /// # Panics
    ///
    /// In a `const`, the build fails instead: the kind is empty, reserved (`events`, `dynamic`,
    /// `denyList`, `ipDenyListStatus`) or holds a `:`, a brace, or white space; `units` is 0 or over
    /// 10^15; the window is no whole number of milliseconds, 0, or over 100 years. For numbers that
    /// are known at run time only, there is [`Limit::checked`].
    ///
    /// ```
    /// use millpond::limit::Limit;
    /// use std::time::Duration;
    ///
    /// const WEBHOOK: Limit = Limit::sliding_window("WEBHOOK", 50, Duration::from_secs(60));
    /// assert_eq!(WEBHOOK.kind(), "WEBHOOK");
    /// ```
    pub const fn sliding_window(kind: &'static str, units: u64, window: Duration) -> Self {
        Self::or_panic(Self::build(
            Algorithm::SlidingWindow,
            kind,
            units,
            window,
            units,
        ))
    }

    /// At most `units` between two multiples of `window`: [`Algorithm::FixedWindow`].
    ///
    /// # Panics
    ///
    /// As [`Limit::sliding_window`].
    ///
    /// ```
    /// use millpond::limit::Limit;
    /// use std::time::Duration;
    ///
    /// const DAILY: Limit = Limit::fixed_window("EXPORT", 500, Duration::from_secs(24 * 60 * 60));
    /// ```
    pub const fn fixed_window(kind: &'static str, units: u64, window: Duration) -> Self {
        Self::or_panic(Self::build(
            Algorithm::FixedWindow,
            kind,
            units,
            window,
            units,
        ))
    }

    /// A bucket of at most `burst` tokens, to which every `interval` adds `refill`:
    /// [`Algorithm::TokenBucket`].
    ///
    /// # Panics
    ///
    /// As [`Limit::sliding_window`]; also when the bucket would take more than 100 years to fill.
    ///
    /// ```
    /// use millpond::limit::Limit;
    /// use std::time::Duration;
    ///
    /// // 5 a second on average, 50 at once.
    /// const SEARCH: Limit = Limit::token_bucket("SEARCH", 5, Duration::from_secs(1), 50);
    /// ```
    pub const fn token_bucket(
        kind: &'static str,
        refill: u64,
        interval: Duration,
        burst: u64,
    ) -> Self {
        Self::or_panic(Self::build(
            Algorithm::TokenBucket,
            kind,
            burst,
            interval,
            refill,
        ))
    }

    /// The same limit with other numbers, worked out at run time: the plan of a customer, say. For a
    /// token bucket, `units` is both the burst and what each window brings back.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidValue`] for numbers with which [`Limit::sliding_window`] would panic.
    ///
    /// ```
    /// use millpond::limit;
    /// use std::time::Duration;
    ///
    /// let seats = 12;
    /// let limit = limit::GENERATION.checked(10 * seats, Duration::from_secs(60))?;
    /// assert_eq!(limit.units(), 120);
    /// assert!(limit::GENERATION.checked(0, Duration::from_secs(60)).is_err());
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn checked(self, units: u64, window: Duration) -> Result<Self, Error> {
        whole_ms(window)
            .and_then(|window| Rule::new(self.rule.algorithm, units, window, units))
            .map(|rule| Self {
                rule,
                computed: true,
                ..self
            })
            .map_err(|what| Error::new(ErrorKind::InvalidValue, what))
    }

    /// What to do while the store cannot answer; [`OnOutage::Local`] unless this says otherwise.
    ///
    /// ```
    /// use millpond::limit::{self, Limit, OnOutage};
    /// const PAYMENT: Limit = limit::AUTH.on_outage(OnOutage::Deny);
    /// ```
    #[must_use]
    pub const fn on_outage(self, on_outage: OnOutage) -> Self {
        Self {
            on_outage: Some(on_outage),
            ..self
        }
    }

    /// How many processes serve the same users: with [`OnOutage::Local`], each allows that part of
    /// the limit (at least 1) during an outage. 0 counts as 1, which is the default.
    ///
    /// ```
    /// use millpond::limit::{self, Limit};
    /// const API: Limit = limit::API.share(4); // an outage leaves 25 a minute to each of 4 processes
    /// ```
    #[must_use]
    pub const fn share(self, processes: u32) -> Self {
        Self {
            share: NonZeroU32::new(processes),
            ..self
        }
    }

    /// The same limit on the budgets of a limiter of `@upstash/ratelimit` that has this prefix, whatever it is:
    /// `new Ratelimit({ prefix: "@acme/ratelimit:export", … })`. The kind is then only what clients are told, and
    /// [`Builder::limit_prefix`](crate::Builder::limit_prefix) is not used; a namespace still stands in front.
    ///
    /// # Panics
    ///
    /// In a `const`, the build fails instead: the prefix is empty or ends in a colon.
    ///
    /// ```
    /// use millpond::limit::Limit;
    /// use std::time::Duration;
    ///
    /// const EXPORT: Limit = Limit::sliding_window("EXPORT", 5, Duration::from_secs(60 * 60))
    ///     .under("@hexwave/ratelimit:expensive");
    /// ```
    #[must_use]
    pub const fn under(self, prefix: &'static str) -> Self {
        let bytes = prefix.as_bytes();
        assert!(!bytes.is_empty(), "the prefix of a limit is empty");
        assert!(
            bytes[bytes.len() - 1] != b':',
            "the prefix of a limit ends in a colon; leave it out, since one follows anyway"
        );
        Self {
            under: Some(prefix),
            ..self
        }
    }

    /// What is counted, if that is not requests: the parameter `qu` of `RateLimit-Policy`, such as `content-bytes`.
    ///
    /// ```
    /// use millpond::limit::Limit;
    /// use std::time::Duration;
    ///
    /// const UPLOAD: Limit =
    ///     Limit::sliding_window("UPLOAD", 1 << 20, Duration::from_secs(60)).unit("content-bytes");
    /// ```
    #[must_use]
    pub const fn unit(self, unit: &'static str) -> Self {
        Self {
            quota_unit: Some(unit),
            ..self
        }
    }

    /// The kind; of a limit without one, a name made of where it stands and its numbers.
    ///
    /// ```
    /// assert_eq!(millpond::limit::API.kind(), "API");
    /// ```
    pub fn kind(&self) -> Cow<'static, str> {
        self.name.text(&self.rule)
    }

    /// The algorithm.
    ///
    /// ```
    /// use millpond::limit::{self, Algorithm};
    /// assert_eq!(limit::AUTH.algorithm(), Algorithm::SlidingWindow);
    /// ```
    pub const fn algorithm(&self) -> Algorithm {
        self.rule.algorithm
    }

    /// How many may be taken: in a window, or at once from a full bucket.
    ///
    /// ```
    /// assert_eq!(millpond::limit::AUTH.units(), 5);
    /// ```
    pub const fn units(&self) -> u64 {
        self.rule.units
    }

    /// The window; of a token bucket, the time between two refills.
    ///
    /// ```
    /// assert_eq!(millpond::limit::AUTH.window().as_secs(), 60);
    /// ```
    pub const fn window(&self) -> Duration {
        Duration::from_millis(self.rule.window)
    }

    /// A limit without a kind, for the attribute: `module` is `module_path!()`.
    #[doc(hidden)]
    pub const fn anonymous(
        algorithm: Algorithm,
        module: &'static str,
        function: &'static str,
        units: u64,
        window: Duration,
    ) -> Self {
        let limit = Self::or_panic(Self::build(algorithm, "anonymous", units, window, units));
        Self {
            name: LimitName::Place { module, function },
            ..limit
        }
    }

    pub(crate) const fn quota_unit(&self) -> Option<&'static str> {
        self.quota_unit
    }

    pub(crate) const fn whole_prefix(&self) -> Option<&'static str> {
        self.under
    }

    /// Equal for limits that have the same budgets in this process.
    pub(crate) fn of_budgets(&self) -> Self {
        Self {
            on_outage: None,
            share: None,
            computed: false,
            quota_unit: None,
            rule: Rule {
                units: 1,
                refill: 1,
                ..self.rule
            },
            ..*self
        }
    }

    pub(super) const fn name(&self) -> LimitName {
        self.name
    }

    /// What its budgets are named after.
    pub(crate) fn place(&self) -> Cow<'static, str> {
        self.under.map_or_else(|| self.kind(), Cow::Borrowed)
    }

    pub(crate) const fn rule(&self) -> Rule {
        self.rule
    }

    /// The part of the limit that one process allows on its own.
    pub(crate) fn shared_rule(&self) -> Rule {
        let share = self.share.map_or(1, |share| u64::from(share.get()));
        Rule {
            units: (self.rule.units / share).max(1),
            refill: (self.rule.refill / share).max(1),
            ..self.rule
        }
    }

    pub(crate) fn outage_policy(&self) -> OnOutage {
        self.on_outage.unwrap_or_default()
    }

    /// This limit, unless start-up has other numbers for its kind.
    pub(crate) fn overridden(self, by: &[Self]) -> Self {
        let same_kind = |other: &&Self| other.name == self.name && !self.computed;
        by.iter().rev().find(same_kind).map_or(self, |other| Self {
            on_outage: self.on_outage.or(other.on_outage),
            share: self.share.or(other.share),
            under: self.under.or(other.under),
            quota_unit: self.quota_unit.or(other.quota_unit),
            ..*other
        })
    }

    /// What a client may be told of the kind, or of where the limit stands.
    pub(crate) const fn short_name(&self) -> &'static str {
        self.name.short()
    }

    const fn build(
        algorithm: Algorithm,
        kind: &'static str,
        units: u64,
        window: Duration,
        refill: u64,
    ) -> Result<Self, &'static str> {
        if let Some(wrong) = kind::mistake(kind) {
            return Err(wrong);
        }
        let window = match whole_ms(window) {
            Ok(window) => window,
            Err(wrong) => return Err(wrong),
        };
        match Rule::new(algorithm, units, window, refill) {
            Ok(rule) => Ok(Self {
                name: LimitName::Kind(kind),
                rule,
                on_outage: None,
                share: None,
                computed: false,
                under: None,
                quota_unit: None,
            }),
            Err(wrong) => Err(wrong),
        }
    }

    const fn or_panic(built: Result<Self, &'static str>) -> Self {
        match built {
            Ok(limit) => limit,
            Err(wrong) => panic!("{}", wrong),
        }
    }
}

const fn whole_ms(window: Duration) -> Result<u64, &'static str> {
    let ms = window.as_millis();
    if !window.subsec_nanos().is_multiple_of(1_000_000) {
        return Err("the window of a limit must be a whole number of milliseconds");
    }
    if ms > u64::MAX as u128 {
        return Err("the window of a limit can be at most 100 years");
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked above; try_from is not const"
    )]
    Ok(ms as u64)
}
