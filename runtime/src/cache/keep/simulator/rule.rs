//! The rules of the local tier and the backplane, and how the simulator leaves each of them out.

use super::super::{KEEPER, Near};

use crate::cache::load::{Keeper, Load};

/// A rule without which a process returns values that are too old. What is run is the code of the crate; a rule is
/// left out by what stands around that code: the server, the network, the clocks, the hooks of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// `Client::invalidate_all` removes what is kept before it sends.
    RemovesBeforeSending,
    /// `Client::deliver` removes it again when the server has answered.
    RemovesAtAnswer,
    /// A load is kept only if its key was not moved since its read left (`Keeper::sample`). Left out: since the
    /// answer.
    SamplesAtDeparture,
    /// An entry belongs to the subscription that stood when its read left (`Sample::subscription`). Left out: when
    /// the answer came.
    RemembersSubscription,
    /// An entry is as old as its read (`Sample::at`). Left out: as its answer.
    AgesFromDeparture,
    /// Ages are what the wall clock says, where that is more (`Coarse`): a suspended machine does not move the other
    /// one.
    ReadsWallClock,
    /// Ages are what the monotonic clock says, where that is more (`Coarse`): the wall clock can be set back.
    ReadsMonotonicClock,
    /// An invalidation of a function with `local` is told to others (`Client::is_told`), also by a process that keeps
    /// nothing.
    TellsOthers,
    /// What tells of it leaves last (`Client::send_and_tell`). Left out: the server runs it first.
    TellsLast,
    /// An invalidation is done when others were told of it, too, and is repeated until then (`Client::deliver`). Left
    /// out: the server claims that they were.
    OwesUntold,
    /// What is heard removes what is kept (`Ears::hear`).
    HearsOthers,
    /// What is heard keeps loads under way from being kept (`Stripes::move_on`). Left out: it only removes.
    MovesLoads,
    /// What is heard of a tag ends what is kept under it, and loads under way (`TagTable::move_on`).
    MovesTags,
    /// A proof comes through the subscription, behind the messages (`Heard::Proof`). Left out: beside it.
    ProvesInOrder,
    /// A proof is as old as its question (`Asked::take`). Left out: as its answer.
    ProofAgesFromQuestion,
    /// A subscription is believed until its last proof is older than `backplane_silence` (`Trust::holds`). Left out:
    /// for as long as it stands.
    EndsInSilence,
    /// With a connection its subscription ends, and what was read under it is no longer believed (`Trust::end`).
    /// Left out: another connection takes its place unnoticed.
    EndsWithConnection,
    /// Without trust, an entry is used up to the age of `local_unverified` (`Local::doubted`).
    DoubtsUnverified,
    /// An entry is not used after `local` (`Kept::life`), whatever was heard.
    EndsWithLocal,
}

impl Rule {
    /// Each of them, and the first seed whose history shows that it is needed.
    pub(super) const ALL: [(Self, u64); 19] = [
        (Self::RemovesBeforeSending, 1),
        (Self::RemovesAtAnswer, 1),
        (Self::SamplesAtDeparture, 3),
        (Self::RemembersSubscription, 182),
        (Self::AgesFromDeparture, 12),
        (Self::ReadsWallClock, 7),
        (Self::ReadsMonotonicClock, 8),
        (Self::TellsOthers, 8),
        (Self::TellsLast, 51),
        (Self::OwesUntold, 84),
        (Self::HearsOthers, 10),
        (Self::MovesLoads, 102),
        (Self::MovesTags, 26),
        (Self::ProvesInOrder, 9),
        (Self::ProofAgesFromQuestion, 15),
        (Self::EndsInSilence, 7),
        (Self::EndsWithConnection, 54),
        (Self::DoubtsUnverified, 6),
        (Self::EndsWithLocal, 85),
    ];

    /// Whether it is left out by what is done when a key changes.
    pub(super) fn is_of_changes(self) -> bool {
        matches!(
            self,
            Self::RemovesBeforeSending
                | Self::RemovesAtAnswer
                | Self::HearsOthers
                | Self::MovesLoads
                | Self::MovesTags
        )
    }
}

/// How loads keep their values without this rule.
pub(super) fn keeper(without: Option<Rule>) -> &'static Keeper {
    match without {
        Some(Rule::SamplesAtDeparture) => &SAMPLES_LATE,
        Some(Rule::RemembersSubscription) => &SUBSCRIBES_LATE,
        Some(Rule::AgesFromDeparture) => &AGES_LATE,
        _ => &KEEPER,
    }
}

static SAMPLES_LATE: Keeper = Keeper {
    keep_found: |load, plain, value| {
        load.sample_near();
        (KEEPER.keep_found)(load, plain, value);
    },
    ..KEEPER
};

static SUBSCRIBES_LATE: Keeper = Keeper {
    keep_found: |load, plain, value| {
        subscribe_anew(load);
        (KEEPER.keep_found)(load, plain, value);
    },
    ..KEEPER
};

static AGES_LATE: Keeper = Keeper {
    keep_found: |load, plain, value| {
        (KEEPER.departs)(load);
        (KEEPER.keep_found)(load, plain, value);
    },
    ..KEEPER
};

fn subscribe_anew(load: &mut Load) {
    let now = load.cache.client.backplane.trust.subscription();
    if let Some(Near { sample, .. }) = load.near_mut() {
        sample.set_subscription(now);
    }
}
