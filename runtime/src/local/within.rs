//! For how long a function uses what this process keeps.

use std::time::Duration;

/// Up to which age a function uses a value, in ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Within(u64);

impl Within {
    /// As old as it may get.
    pub(crate) const ANY: Self = Self(u64::MAX);

    pub(crate) const fn of(time: Duration) -> Self {
        let nanoseconds = time.as_nanos();
        if nanoseconds > u64::MAX as u128 {
            return Self::ANY;
        }
        #[expect(clippy::cast_possible_truncation, reason = "was compared")]
        Self(nanoseconds as u64)
    }

    /// Whether a value of this age, in ns, is too old.
    #[inline]
    pub(super) const fn is_past(self, age: u64) -> bool {
        age >= self.0
    }
}
