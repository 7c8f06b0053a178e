//! The limiter by hand: a limit, or several, of one `Millpond`.

use super::alone::{self, Question};
use super::decision::Decision;
use super::identifier::Identifier;
use super::pair::{Pair, Part, is_same_budget};
use super::resolve::parts;
use super::state::Limits;
use super::take::give_back;
use super::{Limit, check};
use crate::error::{Error, ErrorKind};
use crate::random;
use crate::reply::no_reply;
use crate::runtime;
use crate::store::command::{Command, Effect};
use bytes::Bytes;
use std::fmt::Display;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

/// The most that a wait is drawn out, so that callers do not come back in step.
const LONGEST_SPREAD: Duration = Duration::from_millis(50);

/// Checks callers against one limit or several. Created by [`Millpond::limiter`](crate::Millpond::limiter);
/// cheap to create and to clone.
///
/// An identifier is anything that implements `Display` and is not empty: a user id, an address, an e-mail
/// address. Each text has a budget of its own.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{Millpond, limit};
///
/// let pond = Millpond::memory();
/// let decision = pond.limiter(&limit::GENERATION).check("user-42").await?;
/// if !decision.is_allowed() {
///     println!("come back in {:?}", decision.retry_after());
/// }
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Limiter {
    state: Arc<Limits>,
    first: Limit,
    /// Those that count whoever the call is by.
    more: Vec<Limit>,
    /// Those that count somebody else for the same call.
    others: Vec<(Limit, Result<String, Error>)>,
    /// Whether two of the limits are on the same budgets.
    twice: bool,
}

impl Limiter {
    pub(crate) fn new(state: Arc<Limits>, limit: &Limit) -> Self {
        Self {
            first: *limit,
            more: Vec::new(),
            others: Vec::new(),
            twice: false,
            state,
        }
    }

    /// Also checks against this limit: each call takes from all of them or from none, in one
    /// command, and the strictest is reported.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, limit::Limit};
    /// use std::time::Duration;
    ///
    /// const MINUTE: Limit = Limit::sliding_window("EXPORT", 10, Duration::from_secs(60));
    /// const DAY: Limit = Limit::fixed_window("EXPORT", 500, Duration::from_secs(24 * 60 * 60));
    ///
    /// let limiter = Millpond::memory().limiter(&MINUTE).and(&DAY);
    /// assert_eq!(limiter.check("user-42").await?.remaining(), Some(9));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn and(mut self, limit: &Limit) -> Self {
        let overridden = |limit: &Limit| limit.overridden(&self.state.overrides);
        let mut earlier = std::iter::once(&self.first).chain(&self.more);
        self.twice |= earlier.any(|other| is_same_budget(&overridden(other), &overridden(limit)));
        self.more.push(*limit);
        self
    }

    /// Also takes from this limit for somebody else: the receiver of a message, an organization. Each call takes
    /// from all of them or from none. Where both are the same counter (the sender is the receiver), it is checked
    /// with the sum.
    ///
    /// All of it is one command. On Redis Cluster, where different identifiers are on different nodes, the limits
    /// are taken in turn, and given back if a later one refuses; meanwhile another caller may be refused by what
    /// is given back, but never are too many admitted.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, limit::Limit};
    /// use std::time::Duration;
    ///
    /// const SENT: Limit = Limit::sliding_window("SENT", 10, Duration::from_secs(60));
    /// const RECEIVED: Limit = Limit::sliding_window("RECEIVED", 3, Duration::from_secs(60));
    ///
    /// let pond = Millpond::memory();
    /// for _ in 0..3 {
    ///     assert!(pond.limiter(&SENT).and_for(&RECEIVED, "grace").check("ada").await?.is_allowed());
    /// }
    /// let refused = pond.limiter(&SENT).and_for(&RECEIVED, "grace").check("ada").await?;
    /// assert_eq!(refused.kind(), "RECEIVED");
    /// assert_eq!(pond.limiter(&SENT).peek("ada").await?.remaining(), Some(7));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn and_for(mut self, limit: &Limit, id: impl Display) -> Self {
        let id = Identifier::new(id).map(|id| (*id).to_owned());
        self.others.push((*limit, id));
        self
    }

    /// Takes one unit, if there is one. While the store cannot answer, the limit's
    /// [`OnOutage`](super::OnOutage) decides, and the decision says so.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidKey`] for an identifier that is empty or does not display,
    /// [`ErrorKind::InvalidValue`] for two limits with the same budgets, see [`Limit`].
    ///
    /// # Cancel safety
    /// A check whose future is dropped may or may not have taken its unit.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, limit};
    /// let limiter = Millpond::memory().limiter(&limit::AUTH);
    /// assert_eq!(limiter.check("ada@example.com").await?.remaining(), Some(4));
    /// assert!(limiter.check("").await.is_err());
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn check(&self, id: impl Display) -> Result<Decision, Error> {
        let id = self.admissible(id)?;
        // Not by way of `check_n`: each future moves the decision once more.
        match self.at_once(&id, 1) {
            ControlFlow::Break(decided) => decided,
            ControlFlow::Continue(question) => self.ask(&id, 1, question).await,
        }
    }

    /// Takes `cost` units, if there are so many; a refused call takes none. One that costs more
    /// than the limit is refused for good, without a command. One that costs nothing is allowed,
    /// and takes nothing.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, limit};
    /// let limiter = Millpond::memory().limiter(&limit::GENERATION);
    /// assert!(limiter.check_n("user-42", 8).await?.is_allowed());
    /// assert!(!limiter.check_n("user-42", 3).await?.is_allowed());
    /// assert!(limiter.check_n("user-42", 2).await?.is_allowed());
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn check_n(&self, id: impl Display, cost: u64) -> Result<Decision, Error> {
        let id = self.admissible(id)?;
        match self.at_once(&id, cost) {
            ControlFlow::Break(decided) => decided,
            ControlFlow::Continue(question) => self.ask(&id, cost, question).await,
        }
    }

    /// What [`check`](Self::check) would decide, and how much is left now. Takes nothing.
    ///
    /// # Errors
    /// As [`check`](Self::check), and what can go wrong on the way to the store.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, limit};
    /// let limiter = Millpond::memory().limiter(&limit::API);
    /// limiter.check_n("user-42", 60).await?;
    /// assert_eq!(limiter.peek("user-42").await?.remaining(), Some(40));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn peek(&self, id: impl Display) -> Result<Decision, Error> {
        let id = self.admissible(id)?;
        check::look(&self.state, &self.pairs(&id, 1)?).await
    }

    /// Gives back what this decision took, to the windows that it was taken from: if the work was not done, for
    /// example. A unit of an earlier window is not given to this one, nothing is given back twice, and a decision
    /// that took nothing gives nothing back.
    ///
    /// # Errors
    /// What can go wrong on the way to the store. Of a refund whose outcome is unknown, nothing is repeated.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, limit};
    /// let limiter = Millpond::memory().limiter(&limit::GENERATION);
    /// let decision = limiter.check_n("user-42", 4).await?;
    /// limiter.refund(&decision).await?;
    /// assert_eq!(limiter.peek("user-42").await?.remaining(), Some(10));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn refund(&self, decision: &Decision) -> Result<(), Error> {
        self.refund_n(decision, u64::MAX).await
    }

    /// As [`refund`](Self::refund), but only so many of the units: if the work cost less than it seemed to.
    ///
    /// # Errors
    /// As [`refund`](Self::refund).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, limit};
    /// let limiter = Millpond::memory().limiter(&limit::GENERATION);
    /// let decision = limiter.check_n("user-42", 4).await?;
    /// limiter.refund_n(&decision, 3).await?;
    /// assert_eq!(limiter.peek("user-42").await?.remaining(), Some(9));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn refund_n(&self, decision: &Decision, units: u64) -> Result<(), Error> {
        match decision.receipt() {
            Some(receipt) => give_back(&self.state, receipt, units).await,
            None => Ok(()),
        }
    }

    /// Forgets what this caller has taken. Other processes that know the caller to be blocked
    /// learn it when their refusal ends.
    ///
    /// # Errors
    /// As [`peek`](Self::peek).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, limit};
    /// let limiter = Millpond::memory().limiter(&limit::AUTH);
    /// limiter.check_n("user-42", 5).await?;
    /// limiter.reset("user-42").await?;
    /// assert!(limiter.check("user-42").await?.is_allowed());
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn reset(&self, id: impl Display) -> Result<(), Error> {
        let id = self.admissible(id)?;
        let now = self.state.client.steady().now;
        let parts = parts(&self.state, &self.pairs(&id, 1)?, now)?;
        // On Redis Cluster, keys of different callers are in different slots.
        let groups: Vec<&[Part]> = if self.state.names.cluster {
            parts.chunks(1).collect()
        } else {
            vec![&parts]
        };
        for group in groups {
            let keys = group
                .iter()
                .flat_map(|part| part.budget(now.unix_ms()).keys);
            let args = std::iter::once(Bytes::from_static(b"DEL")).chain(keys);
            self.send(Command::new(Effect::Repeatable, args)).await?;
        }
        for part in parts {
            self.state.blocked.forget(&part.key);
            self.state.fallback.forget(&part.limit, &part.key);
        }
        Ok(())
    }

    /// Waits until a unit can be taken, and takes it; for no longer than `patience`, checks
    /// included. If the wait would be longer than that, the refusal comes at once. If the store has
    /// not even answered the first check by then, the call is refused, as degraded.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    ///
    /// # Cancel safety
    /// A future that is dropped while it waits has taken nothing. One that is dropped during a check,
    /// or whose patience ends there, may have taken a unit.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, limit};
    /// use std::time::Duration;
    ///
    /// let limiter = Millpond::memory().limiter(&limit::API);
    /// let decision = limiter.until_ready("job-7", Duration::from_secs(5)).await?;
    /// assert!(decision.is_allowed());
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn until_ready(
        &self,
        id: impl Display,
        patience: Duration,
    ) -> Result<Decision, Error> {
        let id = self.admissible(id)?;
        let pairs = self.pairs(&id, 1)?;
        let began = runtime::now();
        let left = || patience.saturating_sub(began.elapsed());
        let mut refused = None;
        loop {
            let check = check::check(&self.state, &pairs);
            let Some(decision) = runtime::timeout(left(), check).await else {
                return Ok(refused.unwrap_or_else(|| check::give_up(&self.state, &self.first)));
            };
            let decision = decision?;
            let left = left();
            let Some(wait) = decision.retry_after().filter(|wait| *wait <= left) else {
                return Ok(decision);
            };
            refused = Some(decision);
            // All who were refused would come back at the same moment, most of them in vain.
            let spread = random::jitter((wait / 16).min(LONGEST_SPREAD));
            runtime::sleep(wait.saturating_add(spread).min(left)).await;
        }
    }

    /// What one limit can decide without a server, or what to ask of it; for several, nothing is known yet.
    fn at_once(
        &self,
        id: &str,
        cost: u64,
    ) -> ControlFlow<Result<Decision, Error>, Option<Box<Question>>> {
        if !self.more.is_empty() || !self.others.is_empty() {
            return ControlFlow::Continue(None);
        }
        alone::at_once(&self.state, &Pair::new(self.first, id, cost)).map_continue(Some)
    }

    async fn ask(
        &self,
        id: &str,
        cost: u64,
        question: Option<Box<Question>>,
    ) -> Result<Decision, Error> {
        match question {
            Some(question) => {
                let pair = Pair::new(self.first, id, cost);
                check::ask(&self.state, &pair, question).await
            }
            None => check::check(&self.state, &self.pairs(id, cost)?).await,
        }
    }

    async fn send(&self, command: Command) -> Result<(), Error> {
        let mut replies = self
            .state
            .client
            .send(vec![command], self.state.budget)
            .await;
        replies.pop().unwrap_or_else(|| Err(no_reply())).map(|_| ())
    }

    fn pairs<'a>(&'a self, id: &'a str, cost: u64) -> Result<Vec<Pair<'a>>, Error> {
        let own = std::iter::once(&self.first).chain(&self.more);
        let own = own.map(|limit| Ok(Pair::new(*limit, id, cost)));
        let others = self.others.iter().map(|(limit, id)| {
            let id = id.as_ref().map_err(Error::clone)?;
            Ok(Pair::new(*limit, id.as_str(), cost))
        });
        own.chain(others).collect()
    }

    fn admissible(&self, id: impl Display) -> Result<Identifier, Error> {
        if self.twice {
            let text = "two limits of one check have the same budgets: kind and window are equal";
            return Err(Error::new(ErrorKind::InvalidValue, text));
        }
        Identifier::new(id)
    }
}
