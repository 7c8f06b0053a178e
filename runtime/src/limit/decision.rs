//! What a check answers.

mod outcome;
mod policy;

use super::Limit;
use super::algorithm::LAST_TIME;
use super::receipt::Receipt;
use crate::error::ErrorKind;
pub use outcome::{Outcome, Reason};
use policy::Policies;
pub(crate) use policy::{BudgetName, Counted, Policy, PolicyRef, digest};
use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The result of a check.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{Millpond, limit};
///
/// let pond = Millpond::memory();
/// let decision = pond.limiter(&limit::API).check("user-42").await?;
/// assert!(decision.is_allowed());
/// assert_eq!(decision.remaining(), Some(99));
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    outcome: Outcome,
    allowed: bool,
    reason: Option<Reason>,
    limit: Limit,
    budget: Option<Counted>,
    retry_at: Option<u64>,
    now: u64,
    /// Every limit that the call had to pass.
    policies: Policies,
    receipt: Option<Receipt>,
}

impl Decision {
    /// What the store, or what is known of it, says of these budgets: the refusal that lasts longest, else
    /// the limit with the fewest units left. `None` if nobody counted.
    pub(crate) fn counted(policies: Vec<Policy>, reason: Reason, now: u64) -> Option<Self> {
        let found = policies
            .iter()
            .filter_map(|policy| Some((policy.limit, policy.counted?)));
        let (limit, budget) = found.reduce(|strict, other| {
            if other.1.is_stricter_than(&strict.1) {
                other
            } else {
                strict
            }
        })?;
        let policies = Policies::from(policies);
        Some(Self::with(&limit, policies, budget, reason, now, None))
    }

    /// What is said of one budget.
    pub(crate) fn of_one(
        limit: &Limit,
        name: BudgetName,
        budget: Counted,
        reason: Reason,
        now: u64,
        receipt: Option<Receipt>,
    ) -> Self {
        Self::with(limit, Policies::Own(name), budget, reason, now, receipt)
    }

    fn with(
        limit: &Limit,
        policies: Policies,
        budget: Counted,
        reason: Reason,
        now: u64,
        receipt: Option<Receipt>,
    ) -> Self {
        let allowed = budget.allowed;
        Self {
            outcome: if allowed {
                Outcome::Allowed
            } else {
                Outcome::Refused
            },
            allowed,
            reason: (!allowed).then_some(reason),
            limit: *limit,
            budget: Some(budget),
            retry_at: budget.retry_at,
            now,
            policies,
            receipt,
        }
    }

    /// With the times of a clock that is so many milliseconds ahead of the one that it was made by.
    pub(crate) fn tell_at(&mut self, wall_ahead: i64) {
        if wall_ahead == 0 {
            return;
        }
        let shift = |at: &mut u64| *at = at.saturating_add_signed(wall_ahead);
        let counted = |counted: &mut Counted| {
            shift(&mut counted.reset);
            counted.retry_at.as_mut().map(shift);
        };
        shift(&mut self.now);
        self.retry_at.as_mut().map(shift);
        self.budget.as_mut().map(counted);
        self.each()
            .iter_mut()
            .filter_map(|policy| policy.counted.as_mut())
            .for_each(counted);
    }

    /// With what was taken, so that it can be given back.
    pub(crate) fn with_receipt(mut self, receipt: Receipt) -> Self {
        self.receipt = Some(receipt);
        self
    }

    /// A call that costs more than this limit; the store was not asked.
    pub(crate) fn too_costly(limit: &Limit, policies: Vec<Policy>, now: u64) -> Self {
        Self::hopeless(limit, policies, Reason::CostAboveLimit, now)
    }

    /// A call by nobody.
    pub(crate) fn unidentified(limit: &Limit, now: u64) -> Self {
        Self::hopeless(limit, Vec::new(), Reason::NoIdentifier, now)
    }

    fn hopeless(limit: &Limit, policies: Vec<Policy>, reason: Reason, now: u64) -> Self {
        let policies = Policies::from(policies);
        Self {
            outcome: Outcome::Refused,
            allowed: false,
            reason: Some(reason),
            limit: *limit,
            budget: None,
            retry_at: None,
            now,
            policies,
            receipt: None,
        }
    }

    /// What was decided without the store; `retry_at` if a limiter in this process refused.
    pub(crate) fn degraded(
        limit: &Limit,
        allowed: bool,
        retry_at: Option<u64>,
        cause: ErrorKind,
        now: u64,
    ) -> Self {
        Self {
            outcome: Outcome::Degraded,
            allowed,
            reason: Some(Reason::Outage(cause)),
            limit: *limit,
            budget: None,
            retry_at: retry_at.filter(|_| !allowed),
            now,
            policies: Policies::Each(Vec::new()),
            receipt: None,
        }
    }

    /// Whether a limit of this kind had too few units.
    pub(crate) fn is_refused_by(&self, kind: &str) -> bool {
        let refuses = |policy: &PolicyRef<'_>| policy.counted.is_some_and(|it| !it.allowed);
        let mut policies = self.policies();
        policies.any(|policy| refuses(&policy) && policy.limit.kind() == kind)
    }

    /// Of two decisions on one call, the one to report.
    #[cfg(feature = "tower")]
    pub(crate) fn stricter(self, other: Self) -> Self {
        if other.is_stricter_than(&self) {
            other
        } else {
            self
        }
    }

    #[cfg(feature = "tower")]
    fn is_stricter_than(&self, other: &Self) -> bool {
        match (self.allowed, other.allowed) {
            (true, false) => false,
            (false, true) => true,
            _ => match (&self.budget, &other.budget) {
                (Some(this), Some(other)) => this.is_stricter_than(other),
                // Nobody counted in a decision that was made without the store.
                (None, Some(_)) => !self.allowed && self.retry_at.is_none(),
                (Some(_), None) => self.allowed,
                (None, None) => {
                    let until = |decision: &Self| decision.retry_at.unwrap_or(u64::MAX);
                    until(self) > until(other)
                }
            },
        }
    }

    /// What the numbers are after so many units went back.
    #[cfg(feature = "tower")]
    pub(crate) fn after_refund(mut self, units: u64) -> Self {
        let back = |limit: &Limit, counted: &mut Option<Counted>| {
            if let Some(counted) = counted {
                counted.remaining = counted.remaining.saturating_add(units).min(limit.units());
            }
        };
        for policy in self.each() {
            back(&policy.limit, &mut policy.counted);
        }
        back(&self.limit, &mut self.budget);
        self
    }

    /// Allowed, refused, or decided without the store.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, limit::{self, Outcome}};
    ///
    /// let decision = Millpond::memory().limiter(&limit::API).check("user-42").await?;
    /// assert_eq!(decision.outcome(), Outcome::Allowed);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether the call may go on.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, limit};
    ///
    /// let pond = Millpond::memory();
    /// for _ in 0..5 {
    ///     assert!(pond.limiter(&limit::AUTH).check("mallory").await?.is_allowed());
    /// }
    /// assert!(!pond.limiter(&limit::AUTH).check("mallory").await?.is_allowed());
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn is_allowed(&self) -> bool {
        self.allowed
    }

    /// Why it was refused or is degraded; `None` if the store allowed it.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, limit::{self, Reason}};
    ///
    /// let decision = Millpond::memory().limiter(&limit::AUTH).check_n("user-42", 6).await?;
    /// assert_eq!(decision.reason(), Some(Reason::CostAboveLimit));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn reason(&self) -> Option<Reason> {
        self.reason
    }

    /// The kind of the limit that decided; of several, the strictest.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, limit};
    /// let decision = Millpond::memory().limiter(&limit::API).check("user-42").await?;
    /// assert_eq!(decision.kind(), "API");
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn kind(&self) -> Cow<'static, str> {
        self.limit.kind()
    }

    /// The units of the limit; `None` if the decision is degraded.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, limit};
    /// let decision = Millpond::memory().limiter(&limit::API).check("user-42").await?;
    /// assert_eq!(decision.limit(), Some(100));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn limit(&self) -> Option<u64> {
        (self.outcome != Outcome::Degraded).then(|| self.limit.units())
    }

    /// The units that are left; `None` if nobody counted.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, limit};
    /// let decision = Millpond::memory().limiter(&limit::API).check_n("user-42", 30).await?;
    /// assert_eq!(decision.remaining(), Some(70));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn remaining(&self) -> Option<u64> {
        self.budget.map(|budget| budget.remaining)
    }

    /// When the window ends, or the next tokens come; `None` if nobody counted.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, limit};
    /// let decision = Millpond::memory().limiter(&limit::API).check("user-42").await?;
    /// assert!(decision.reset().is_some());
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn reset(&self) -> Option<SystemTime> {
        self.budget.map(|budget| time(budget.reset))
    }

    /// Of a refusal: the earliest time at which this cost can be allowed. `None` if that is never,
    /// or unknown.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, limit};
    /// let pond = Millpond::memory();
    /// pond.limiter(&limit::AUTH).check_n("mallory", 5).await?;
    /// let refused = pond.limiter(&limit::AUTH).check("mallory").await?;
    /// assert!(refused.retry_at() > Some(std::time::SystemTime::now()));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn retry_at(&self) -> Option<SystemTime> {
        self.retry_at.map(time)
    }

    /// How long after the decision [`Decision::retry_at`] is. Of a refusal for which no command was sent, up to 10 ms
    /// too long, never too short.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, limit};
    /// # use std::time::Duration;
    /// let pond = Millpond::memory();
    /// pond.limiter(&limit::AUTH).check_n("mallory", 5).await?;
    /// let refused = pond.limiter(&limit::AUTH).check("mallory").await?;
    /// assert!(refused.retry_after() <= Some(Duration::from_secs(120)));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_at
            .map(|at| Duration::from_millis(at.saturating_sub(self.now)))
    }

    pub(crate) fn of(&self) -> &Limit {
        &self.limit
    }

    /// Every limit that the call had to pass.
    pub(crate) fn policies(&self) -> impl Iterator<Item = PolicyRef<'_>> {
        let (own, each) = match &self.policies {
            Policies::Own(name) => (Some(name), &[][..]),
            Policies::Each(each) => (None, &each[..]),
        };
        let own = own.map(|name| PolicyRef {
            limit: &self.limit,
            name,
            counted: self.budget,
        });
        let each = each.iter().map(|policy| PolicyRef {
            limit: &policy.limit,
            name: &policy.name,
            counted: policy.counted,
        });
        own.into_iter().chain(each)
    }

    /// Those that have numbers of their own.
    fn each(&mut self) -> &mut [Policy] {
        match &mut self.policies {
            Policies::Own(_) => &mut [],
            Policies::Each(policies) => policies,
        }
    }

    pub(crate) fn receipt(&self) -> Option<&Receipt> {
        self.receipt.as_ref()
    }

    pub(crate) fn reset_ms(&self) -> u64 {
        self.budget.map_or(0, |budget| budget.reset)
    }

    pub(crate) fn retry_at_ms(&self) -> Option<u64> {
        self.retry_at
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.now
    }
}

fn time(ms: u64) -> SystemTime {
    // No platform's clock ends before the year 9999.
    UNIX_EPOCH
        .checked_add(Duration::from_millis(ms.min(LAST_TIME)))
        .unwrap_or(UNIX_EPOCH)
}
