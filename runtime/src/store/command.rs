//! What goes to an engine: commands, scripts, transactions.

use super::lua::script;
use crate::hex;
pub(crate) use crate::reply::Reply;
use bytes::Bytes;
use std::sync::OnceLock;

/// What may be done with a command whose answer did not come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Changes nothing. Goes with other reads and may be repeated.
    Read,
    /// Changes something, and twice is as good as once (a guarded fill, a lifetime).
    Repeatable,
    /// Once it may have left, it is never sent again (an increment, a limit check, the word of a guard or a tag).
    Once,
}

/// What a key is for. The embedded engine asks, since it ages keys by two clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A value of the cache, or of the user's own.
    #[default]
    Value,
    /// What stands beside a value: its guard, its doubt.
    Guard,
    /// A lock, a session, a budget of a limit: no value of the cache may cost it, and no step of the clock.
    Held,
}

/// The scripts that millpond runs. The embedded engine has each as native Rust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Script {
    /// `KEYS value, guard, tag…`; `ARGV seen-guard, seen-value, value, ttl ms, seen-nonce…`. Stores a loaded value
    /// if nothing moved since the read; 1 when it did, 0 when it was refused.
    Fill,
    /// `KEYS` and `ARGV` as the script says. As [`Self::Fill`] for several entries: 1 or 0 for each.
    FillMany,
    /// `KEYS value, guard, doubt, …`; `ARGV process, number, guard ms, ttl ms`, then for each value `value,
    /// number given up`. Moves the guards and stores: 1, or 0 if the write was given up.
    Put,
    /// `KEYS value, guard, doubt`; `ARGV process, number, removes, guard, guard ms`. Gives up what a process
    /// wrote up to a number; how many values it removed.
    GiveUp,
    /// `KEYS value, guard, tag…`; `ARGV seen-guard, nonce, guard ms, value, ttl ms`, then for each tag `seen-nonce,
    /// new nonce or nothing`. As [`Self::Put`] if nothing moved since it was seen: 1 when it stored, 0 when
    /// it was refused.
    Update,
    /// `KEYS` and `ARGV` as the script says. Takes from every limit or from none.
    LimitCheck,
    /// `KEYS` and `ARGV` as for [`Self::LimitCheck`]. Gives units back.
    LimitRefund,
    /// `KEYS events`; `ARGV` as the script says. Counts checks by the names of the callers, in a set that holds no
    /// more than so many names; how many it knows of.
    LimitEvents,
    /// `KEYS key, doubt`; `ARGV process, number, ttl ms or nothing, name of a command, its arguments behind the
    /// key`. Runs the command unless it was given up, and a key that it created expires; an array of its
    /// reply, or an empty one.
    Change,
    /// `KEYS lock, number`; `ARGV token, ttl ms, least number, number's ttl ms`. Takes a lock that is free
    /// or has this token: 1 and its number, or 0 and the milliseconds that it is still held for.
    Lock,
    /// `KEYS lock`; `ARGV token, ttl ms`. Gives a lock that has this token at least this lifetime: 1,
    /// or 0 if it has another.
    Extend,
    /// `KEYS key`; `ARGV text, name of a command, its arguments behind the key`. Runs the command if the
    /// key holds the text; its reply, else 0.
    IfEqual,
    /// `KEYS old, new, doubt`; `ARGV process, number, ttl ms`. Moves a value to another key: 1, or 0 if there
    /// is none, or -1 if it was given up.
    Rotate,
    /// `KEYS tag…`; `ARGV ttl ms, nonce`. Makes the tags that are absent; the nonces of all.
    Tags,
}

impl Script {
    /// What its keys are for, unless its caller or a part of it says more.
    fn purpose(self) -> Purpose {
        match self {
            Self::LimitCheck | Self::LimitRefund | Self::Lock | Self::Extend | Self::Rotate => {
                Purpose::Held
            }
            Self::Tags => Purpose::Guard,
            Self::Fill
            | Self::FillMany
            | Self::Put
            | Self::GiveUp
            | Self::Update
            | Self::LimitEvents
            | Self::Change
            | Self::IfEqual => Purpose::Value,
        }
    }

    /// All of them, for tests and warm-up.
    pub(crate) const ALL: [Self; 14] = [
        Self::Fill,
        Self::FillMany,
        Self::Put,
        Self::GiveUp,
        Self::Update,
        Self::LimitCheck,
        Self::LimitRefund,
        Self::LimitEvents,
        Self::Change,
        Self::Lock,
        Self::Extend,
        Self::IfEqual,
        Self::Rotate,
        Self::Tags,
    ];

    /// The Lua text as plain Redis takes it.
    pub(crate) fn source(self) -> &'static str {
        match self {
            Self::Fill => script!("scripts/fill.lua"),
            Self::FillMany => script!("scripts/fill_many.lua"),
            Self::Put => script!("scripts/put.lua"),
            Self::GiveUp => script!("scripts/give_up.lua"),
            Self::Update => script!("scripts/update.lua"),
            Self::LimitCheck => script!("scripts/limit_check.lua"),
            Self::LimitRefund => script!("scripts/limit_refund.lua"),
            Self::LimitEvents => script!("scripts/limit_events.lua"),
            Self::Change => script!("scripts/change.lua"),
            Self::Lock => script!("scripts/lock.lua"),
            Self::Extend => script!("scripts/extend.lua"),
            Self::IfEqual => script!("scripts/if_equal.lua"),
            Self::Rotate => script!("scripts/rotate.lua"),
            Self::Tags => script!("scripts/tags.lua"),
        }
    }

    /// The text for Upstash, where the flag lets scripts on other keys run beside this one.
    /// Source: <https://upstash.com/docs/redis/features/consistency>, "allow-key-locking".
    pub(crate) fn upstash_source(self) -> &'static str {
        static TEXTS: [OnceLock<String>; Script::ALL.len()] =
            [const { OnceLock::new() }; Script::ALL.len()];
        TEXTS[self as usize]
            .get_or_init(|| format!("#!lua flags=allow-key-locking\n{}", self.source()))
    }

    /// SHA-1 of [`Self::source`], in hexadecimal, as `EVALSHA` takes it.
    pub(crate) fn sha(self) -> &'static str {
        static SHAS: [OnceLock<String>; Script::ALL.len()] =
            [const { OnceLock::new() }; Script::ALL.len()];
        SHAS[self as usize].get_or_init(|| hex::sha1_hex(self.source().as_bytes()))
    }

    /// SHA-1 of [`Self::upstash_source`].
    pub(crate) fn upstash_sha(self) -> &'static str {
        static SHAS: [OnceLock<String>; Script::ALL.len()] =
            [const { OnceLock::new() }; Script::ALL.len()];
        SHAS[self as usize].get_or_init(|| hex::sha1_hex(self.upstash_source().as_bytes()))
    }
}

/// Commands that only read. Source: the read set of `@upstash/redis`, `pkg/auto-pipeline.ts`.
const READS: &str = " GET GETRANGE MGET STRLEN BITCOUNT BITPOS GETBIT HEXISTS HGET HGETALL HKEYS HLEN \
    HMGET HRANDFIELD HSCAN HSTRLEN HVALS LINDEX LLEN LPOS LRANGE SCARD SDIFF SINTER SINTERCARD \
    SISMEMBER SMEMBERS SMISMEMBER SRANDMEMBER SSCAN SUNION ZCARD ZCOUNT ZLEXCOUNT ZMSCORE ZRANGE \
    ZRANK ZREVRANK ZSCAN ZSCORE ZUNION EXISTS TYPE TTL PTTL RANDOMKEY PFCOUNT XINFO XLEN XPENDING \
    XRANGE XREVRANGE GEODIST GEOHASH GEOPOS GEOSEARCH DBSIZE ECHO PING TIME SCAN ";

impl Effect {
    /// What may be done with a command of the user's, by its name.
    pub(crate) fn of(name: &[u8]) -> Self {
        let known = std::str::from_utf8(name).is_ok_and(|name| {
            !name.contains(' ')
                && !name.is_empty()
                && READS.contains(&format!(" {} ", name.to_ascii_uppercase()))
        });
        if known { Self::Read } else { Self::Once }
    }
}

/// One command, or one script call.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) call: Call,
    pub(crate) effect: Effect,
    /// Of the keys that it makes.
    pub(crate) purpose: Purpose,
}

#[derive(Clone, Debug)]
pub(crate) enum Call {
    /// The name and its arguments.
    Plain(Vec<Bytes>),
    /// `MGET` of two keys: of a value and its guard, as the read of every call is.
    Pair([Bytes; 2]),
    Script {
        script: Script,
        keys: Vec<Bytes>,
        args: Vec<Bytes>,
    },
    /// Commands that run without others in between, or not at all. It stands alone in its batch. The
    /// reply is an array, with [`Reply::Error`] for what failed in it.
    Transaction(Vec<Vec<Bytes>>),
}

impl Call {
    /// How many commands of the caller's it stands for.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Plain(_) | Self::Pair(_) | Self::Script { .. } => 1,
            Self::Transaction(commands) => commands.len(),
        }
    }
}

impl Command {
    pub(crate) fn new<A: Into<Bytes>>(effect: Effect, args: impl IntoIterator<Item = A>) -> Self {
        Self {
            call: Call::Plain(args.into_iter().map(Into::into).collect()),
            effect,
            purpose: Purpose::Value,
        }
    }

    /// `MGET` of two keys.
    pub(crate) fn pair(keys: [Bytes; 2]) -> Self {
        Self {
            call: Call::Pair(keys),
            effect: Effect::Read,
            purpose: Purpose::Value,
        }
    }

    /// The keys of an `MGET`, and nothing of any other command.
    pub(crate) fn mget(&self) -> Option<&[Bytes]> {
        match &self.call {
            Call::Pair(keys) => Some(keys),
            Call::Plain(words) => {
                let (name, keys) = words.split_first()?;
                (name == "MGET" && !keys.is_empty()).then_some(keys)
            }
            Call::Script { .. } | Call::Transaction(_) => None,
        }
    }

    /// It may be repeated only if nothing in it changes anything.
    pub(crate) fn transaction(commands: Vec<Vec<Bytes>>) -> Self {
        let name = |command: &Vec<Bytes>| command.first().map(|name| Effect::of(name));
        let reads = commands.iter().all(|it| name(it) == Some(Effect::Read));
        Self {
            effect: if reads { Effect::Read } else { Effect::Once },
            call: Call::Transaction(commands),
            purpose: Purpose::Value,
        }
    }

    pub(crate) fn script(
        script: Script,
        effect: Effect,
        keys: impl IntoIterator<Item = Bytes>,
        args: impl IntoIterator<Item = Bytes>,
    ) -> Self {
        let call = Call::Script {
            script,
            keys: keys.into_iter().collect(),
            args: args.into_iter().collect(),
        };
        Self {
            call,
            effect,
            purpose: script.purpose(),
        }
    }

    /// Says what the keys are for that it makes.
    pub(crate) fn made_for(self, purpose: Purpose) -> Self {
        Self { purpose, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::Effect;

    #[test]
    fn only_a_command_that_is_known_to_read_is_taken_for_a_read() {
        for read in ["GET", "get", "Mget", "zrange", "TIME"] {
            assert_eq!(Effect::of(read.as_bytes()), Effect::Read, "{read}");
        }
        for other in [
            "SET", "INCR", "GETDEL", "EVAL", "", " ", "GET MGET", "nonsense",
        ] {
            assert_eq!(Effect::of(other.as_bytes()), Effect::Once, "{other}");
        }
    }
}
