//! How finely what is delivered is divided.

use crate::store::line::Place;

/// What may share an exchange, or a command, made finer each time the server refuses one as a whole, so that in the
/// end only the culprit fails.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Apart {
    /// Reads leave as one command.
    Nothing,
    Together,
    Callers,
    Commands,
}

impl Apart {
    /// The way to divide these commands, if they can be divided. Whether some of them left as one.
    pub(super) fn finer(places: &[Place], merged: bool) -> Option<Self> {
        if merged {
            return Some(Self::Together);
        }
        let [first, .., last] = places else {
            return None;
        };
        Some(if first.0 == last.0 {
            Self::Commands
        } else {
            Self::Callers
        })
    }
}
