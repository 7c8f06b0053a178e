//! Which commands of one batch are sent again, so that those that change something still take effect
//! in the order in which they stand: a guard moves before the value goes.

use super::command::Effect;

/// What the server said to a command, as far as sending it again goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It ran, or failed for good.
    Settled,
    /// It did not run, and a later try may do better.
    NotNow,
    /// It did not run for want of the script, and goes out for the first time with it.
    NoScript,
}

/// For each command whether it is sent again, after those before it that are.
pub(crate) fn open_again(
    said: impl DoubleEndedIterator<Item = (Effect, Said)> + ExactSizeIterator + Clone,
) -> impl Iterator<Item = bool> {
    // What stands before a command that ran and must not run again would come after it.
    let ran_once = said
        .clone()
        .rposition(|it| it == (Effect::Once, Said::Settled));
    let first_free = ran_once.map_or(0, |at| at + 1);
    let mut change_is_open = false;
    let open = move |(index, (effect, said)): (usize, (Effect, Said))| {
        let is_free = index >= first_free;
        let open = match said {
            Said::NoScript => true,
            // Nothing was done, so even what must not run twice may be sent again.
            Said::NotNow => is_free,
            Said::Settled => is_free && effect != Effect::Once && change_is_open,
        };
        change_is_open |= open && effect != Effect::Read;
        open
    };
    said.enumerate().map(open)
}

#[cfg(test)]
mod tests {
    use super::Said::{NoScript, NotNow, Settled};
    use super::{Effect, Said};
    use Effect::{Once, Read, Repeatable};

    fn open_again(said: &[(Effect, Said)]) -> Vec<bool> {
        super::open_again(said.iter().copied()).collect()
    }

    #[test]
    fn what_follows_a_change_that_is_sent_again_follows_it_again() {
        let said = [
            (Repeatable, Settled),
            (Repeatable, NotNow),
            (Repeatable, Settled),
            (Read, Settled),
        ];
        assert_eq!(open_again(&said), [false, true, true, true]);
        let script = [(Once, NoScript), (Repeatable, Settled)];
        assert_eq!(open_again(&script), [true, true]);
        let reads = [(Read, NotNow), (Read, Settled), (Read, NotNow)];
        assert_eq!(open_again(&reads), [true, false, true]);
    }

    #[test]
    fn nothing_is_repeated_from_before_a_command_that_ran_and_must_not_run_twice() {
        let said = [
            (Repeatable, NotNow),
            (Read, NotNow),
            (Once, Settled),
            (Repeatable, NotNow),
            (Repeatable, Settled),
        ];
        assert_eq!(open_again(&said), [false, false, false, true, true]);
        let refused = [(Repeatable, NotNow), (Once, NotNow), (Repeatable, Settled)];
        assert_eq!(open_again(&refused), [true, true, true]);
        let ran = [(Once, NotNow), (Once, Settled), (Once, NotNow)];
        assert_eq!(open_again(&ran), [false, false, true]);
    }
}
