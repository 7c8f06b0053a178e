//! The targets of the local tier.

use crate::names::{
    AMALGAM, BY_HAND, CONCURRENT, FULL, MOKA, NUMBER, NUMBER_ONLY, PEER, SYNC, SYNC_FULL, TEXT,
    TEXT_BY_HAND, TEXT_FULL, TEXT_ONLY,
};

/// At most this share of what the peer takes.
pub(crate) struct Target {
    pub(crate) own: &'static str,
    pub(crate) peer: &'static str,
    pub(crate) time: Option<f64>,
    pub(crate) instructions: Option<f64>,
}

const fn target(
    own: &'static str,
    peer: &'static str,
    time: Option<f64>,
    instructions: Option<f64>,
) -> Target {
    Target {
        own,
        peer,
        time,
        instructions,
    }
}

pub(crate) const TARGETS: [Target; 11] = [
    target(NUMBER, BY_HAND, Some(1.35), Some(1.3)),
    target(TEXT, TEXT_BY_HAND, Some(1.35), Some(1.3)),
    target(NUMBER_ONLY, BY_HAND, Some(1.35), Some(1.3)),
    target(TEXT_ONLY, TEXT_BY_HAND, Some(1.35), Some(1.3)),
    target(NUMBER, MOKA, Some(0.5), Some(0.5)),
    target(TEXT, MOKA, Some(0.5), Some(0.5)),
    target(NUMBER, AMALGAM, Some(0.4), Some(0.4)),
    target(TEXT, AMALGAM, Some(0.4), Some(0.4)),
    target(NUMBER, CONCURRENT, Some(0.85), Some(0.55)),
    target(TEXT, CONCURRENT, Some(0.85), Some(0.55)),
    target(SYNC, PEER, Some(0.8), Some(0.55)),
];

/// What a cache with `quick_cache` beneath it takes at least that does everything a hit promises.
pub(crate) const FLOORS: [Target; 3] = [
    target(FULL, CONCURRENT, Some(0.85), Some(0.55)),
    target(TEXT_FULL, CONCURRENT, Some(0.85), Some(0.55)),
    target(SYNC_FULL, PEER, Some(0.8), Some(0.55)),
];

/// Two threads that ask for the same user.
pub(crate) const TOGETHER: [Target; 3] = [
    target(NUMBER, BY_HAND, Some(1.1), None),
    target(TEXT, TEXT_BY_HAND, Some(1.1), None),
    target(SYNC, BY_HAND, Some(1.1), None),
];

/// The same with all promises by hand.
pub(crate) const FLOORS_TOGETHER: [Target; 2] = [
    target(FULL, BY_HAND, Some(1.1), None),
    target(TEXT_FULL, TEXT_BY_HAND, Some(1.1), None),
];
