//! The order in which callers join a flight, and the moments at which its steps leave.
//!
//! What a step finds is as current as the moment at which the step left, and no more. It may be given
//! to callers who joined before that moment: a change that one of them must see was acknowledged
//! before it called, so before the step left. A caller who joined later may have seen a change that
//! the step missed.

/// A caller's place in the order in which callers joined. The order goes on when waiters are moved
/// to another flight, so tickets and departures stay comparable there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(pub(super) u64);

/// The moment at which a step of a load left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Departure(u64);

impl Departure {
    /// After everybody who ever joins.
    pub(super) const LAST: Self = Self(u64::MAX);

    /// The moment before this ticket is given out.
    pub(super) fn before(next: Ticket) -> Self {
        Self(next.0)
    }

    /// Whether the holder of this ticket joined before the step left.
    pub(super) fn is_after(self, ticket: Ticket) -> bool {
        ticket.0 < self.0
    }

    /// The first ticket that was given out after the step left.
    pub(super) fn first_after(self) -> Ticket {
        Ticket(self.0)
    }
}
