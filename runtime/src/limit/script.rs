//! The limit scripts: how a call of them is written and read, and what they do, as native Rust for
//! an engine that runs no Lua. The Lua texts are `store/scripts/limit_*.lua`.

use super::algorithm::{Algorithm, Change, Held, Rule};
use crate::error::{Error, ErrorKind};
use crate::store::command::{Command, Effect, Reply, Script};
use bytes::Bytes;

/// A limit as a script sees it: numbers, and the keys that hold what was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) rule: Rule,
    pub(crate) keys: Vec<Bytes>,
    /// What has to be left.
    pub(crate) cost: u64,
    /// What is taken here; less than the cost where another budget has the same counter.
    pub(crate) add: u64,
    /// A fixed window is read before it is written, which costs a command less if it refuses.
    pub(crate) look_first: bool,
}

/// One budget that a check takes from, for an engine that is asked without commands.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taking<'a> {
    pub(crate) rule: Rule,
    /// Of the counter of this window, or of the bucket.
    pub(crate) key: &'a str,
    /// Of a window that slides: the counter of the one before.
    pub(crate) earlier: Option<&'a str>,
    pub(crate) cost: u64,
    pub(crate) add: u64,
}

/// Units that go back to one window or bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refund {
    pub(crate) rule: Rule,
    pub(crate) key: Bytes,
    pub(crate) units: u64,
}

/// Arguments of a check for each limit, after the time.
const CHECK_ARGS: usize = 6;

/// Arguments of a refund for each limit, after the time.
const REFUND_ARGS: usize = 5;

/// Takes from all of these, or from none.
pub(crate) fn check(budgets: &[Budget], now: u64) -> Command {
    let keys = budgets
        .iter()
        .flat_map(|budget| budget.keys.iter().cloned());
    let mut args = vec![digits(now)];
    for budget in budgets {
        let Rule {
            algorithm,
            units,
            window,
            refill,
        } = budget.rule;
        let takes_first = !budget.look_first && budget.add == budget.cost && budget.cost > 0;
        let word = match algorithm {
            Algorithm::FixedWindow if !takes_first => LOOK,
            _ => word(algorithm),
        };
        args.push(Bytes::from_static(word.as_bytes()));
        args.extend([units, window, refill, budget.cost, budget.add].map(digits));
    }
    Command::script(Script::LimitCheck, Effect::Once, keys, args)
}

/// Gives these back.
pub(crate) fn refund(refunds: &[Refund], now: u64) -> Command {
    let keys = refunds.iter().map(|refund| refund.key.clone());
    let mut args = vec![digits(now)];
    for Refund { rule, units, .. } in refunds {
        args.push(Bytes::from_static(word(rule.algorithm).as_bytes()));
        args.extend([rule.units, rule.window, rule.refill, *units].map(digits));
    }
    Command::script(Script::LimitRefund, Effect::Once, keys, args)
}

/// What each budget holds, without a script: one plain command a budget.
pub(crate) fn look(budget: &Budget) -> Command {
    let (name, fields): (_, &[&'static [u8]]) = match budget.rule.algorithm {
        Algorithm::TokenBucket => ("HMGET", &[REFILLED_AT, TOKENS]),
        Algorithm::FixedWindow | Algorithm::SlidingWindow => ("MGET", &[]),
    };
    let name = std::iter::once(Bytes::from_static(name.as_bytes()));
    let fields = fields.iter().map(|field| Bytes::from_static(field));
    Command::new(
        Effect::Read,
        name.chain(budget.keys.iter().cloned()).chain(fields),
    )
}

/// Reads the answer to [`check`]: whether it took, and what each budget held before.
pub(crate) fn read_check(reply: &Reply, budgets: usize) -> Result<(bool, Vec<Held>), Error> {
    let Reply::Array(items) = reply else {
        return Err(unexpected());
    };
    let Some((Reply::Int(took), numbers)) = items.split_first() else {
        return Err(unexpected());
    };
    if numbers.len() != budgets * 2 {
        return Err(unexpected());
    }
    let held = numbers.chunks(2).map(held).collect::<Result<_, _>>()?;
    Ok((*took == 1, held))
}

/// Reads the answer to [`look`].
pub(crate) fn read_look(reply: &Reply) -> Result<Held, Error> {
    match reply {
        Reply::Array(items) => held(items),
        _ => Err(unexpected()),
    }
}

fn held(items: &[Reply]) -> Result<Held, Error> {
    let number = |at: usize| items.get(at).map_or(Ok(None), number);
    Ok(Held(number(0)?, number(1)?))
}

fn number(reply: &Reply) -> Result<Option<i64>, Error> {
    match reply {
        Reply::Nil => Ok(None),
        Reply::Int(number) => Ok(Some(*number)),
        Reply::Bulk(text) => stored(text).map(Some),
        Reply::Array(_) | Reply::Error(_) => Err(unexpected()),
    }
}

/// A number as it is stored.
pub(crate) fn stored(text: &[u8]) -> Result<i64, Error> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok().or_else(|| whole(text)))
        .ok_or_else(unexpected)
}

/// Buckets of `@upstash/ratelimit` hold fractions where the refill rate is one.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the cast saturates, as it should"
)]
fn whole(text: &str) -> Option<i64> {
    text.parse::<f64>()
        .ok()
        .filter(|number| number.is_finite())
        .map(|number| number.floor() as i64)
}

fn unexpected() -> Error {
    Error::new(
        ErrorKind::Protocol,
        "the stored value of a limit is not one that a limit writes",
    )
}

/// The fields of a bucket.
pub(crate) const REFILLED_AT: &[u8] = b"refilledAt";
pub(crate) const TOKENS: &[u8] = b"tokens";

/// A fixed window that is read before it is written.
const LOOK: &str = "look";

fn word(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::FixedWindow => "fixed",
        Algorithm::SlidingWindow => "sliding",
        Algorithm::TokenBucket => "bucket",
    }
}

fn digits(number: impl Into<i128>) -> Bytes {
    Bytes::from(number.into().to_string())
}

/// Runs one command where a script would say `redis.call`.
pub(crate) type RedisCall<'a> = dyn FnMut(&[Bytes]) -> Result<Reply, Error> + 'a;

/// The keys that a check takes from; the counters of earlier windows are not among them.
pub(crate) fn taken_from(keys: &[Bytes], args: &[Bytes]) -> Result<Vec<Bytes>, Error> {
    let (_, budgets) = parse_check(keys, args)?;
    Ok(budgets
        .into_iter()
        .filter_map(|budget| budget.keys.into_iter().next())
        .collect())
}

/// [`Script::LimitCheck`] without Lua, and how much of each budget is used then (see [`Rule::level`]). Nothing else
/// may touch the keys until it has returned.
pub(crate) fn run_check(
    keys: &[Bytes],
    args: &[Bytes],
    redis: &mut RedisCall<'_>,
) -> Result<(Reply, Vec<(Bytes, usize)>), Error> {
    let (now, budgets) = parse_check(keys, args)?;
    let mut took = true;
    let mut before = Vec::with_capacity(budgets.len() * 2);
    let mut changes = Vec::with_capacity(budgets.len());
    let mut found = Vec::with_capacity(budgets.len());
    for budget in &budgets {
        let held = read_look(&redis(&plain(look(budget)))?)?;
        if held.0.is_none() && budget.rule.algorithm != Algorithm::TokenBucket {
            // MGET answers nil for a hash; this fails for one, before anything is written.
            let get = Bytes::from_static(b"GET");
            let key = budget.keys.first().cloned();
            redis(&std::iter::once(get).chain(key).collect::<Vec<_>>())?;
        }
        let verdict = budget.rule.check(held, now, budget.cost);
        took &= verdict.allowed;
        found.push((held, verdict));
        changes.extend(verdict.change.map(|change| (budget, change)));
        before.extend([held.0, held.1].map(|number| match number {
            Some(number) => Reply::Bulk(digits(number)),
            None => Reply::Nil,
        }));
    }
    if took {
        for (budget, change) in changes {
            let change = match change {
                Change::Count { lifetime, .. } => Change::Count {
                    add: budget.add,
                    lifetime,
                },
                change => change,
            };
            if budget.add > 0 {
                apply(&budget.keys, change, redis)?;
            }
        }
    }
    let mut reply = vec![Reply::Int(took.into())];
    reply.append(&mut before);
    let levels = budgets
        .iter()
        .zip(found)
        .filter_map(|(budget, (held, verdict))| {
            let left = if took {
                verdict.remaining
            } else {
                budget.rule.check(held, now, 0).remaining
            };
            Some((budget.keys.first()?.clone(), budget.rule.level(left)))
        });
    let levels = levels.collect();
    Ok((Reply::Array(reply), levels))
}

/// [`Script::LimitRefund`] without Lua. Nothing else may touch the keys until it has returned.
pub(crate) fn run_refund(
    keys: &[Bytes],
    args: &[Bytes],
    redis: &mut RedisCall<'_>,
) -> Result<Reply, Error> {
    let (now, limits) = args.split_first().ok_or_else(malformed)?;
    let now = argument(now)?;
    let mut keys = keys.iter();
    for limit in limits.chunks(REFUND_ARGS) {
        let [word, units, window, refill, back] = limit else {
            return Err(malformed());
        };
        let rule = rule(word, [units, window, refill])?;
        let key = keys.next().ok_or_else(malformed)?.clone();
        let budget = Budget {
            rule,
            keys: vec![key],
            cost: 0,
            add: 0,
            look_first: true,
        };
        let held = read_look(&redis(&plain(look(&budget)))?)?;
        if let Some(change) = rule.refund(held, now, argument(back)?) {
            apply(&budget.keys, change, redis)?;
        }
    }
    Ok(Reply::Int(1))
}

fn malformed() -> Error {
    Error::new(ErrorKind::Server, "a limit script got malformed arguments")
}

fn argument(text: &Bytes) -> Result<u64, Error> {
    let number = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok());
    number.ok_or_else(malformed)
}

fn rule(name: &Bytes, numbers: [&Bytes; 3]) -> Result<Rule, Error> {
    let known = [
        Algorithm::FixedWindow,
        Algorithm::SlidingWindow,
        Algorithm::TokenBucket,
    ];
    let algorithm = match name {
        name if name == LOOK => Algorithm::FixedWindow,
        name => known
            .into_iter()
            .find(|known| word(*known).as_bytes() == name)
            .ok_or_else(malformed)?,
    };
    let [units, window, refill] = numbers.map(argument);
    Rule::new(algorithm, units?, window?, refill?).map_err(|_| malformed())
}

fn parse_check(keys: &[Bytes], args: &[Bytes]) -> Result<(u64, Vec<Budget>), Error> {
    let (now, limits) = args.split_first().ok_or_else(malformed)?;
    let now = argument(now)?;
    let mut keys = keys.iter().cloned();
    let mut budgets = Vec::with_capacity(limits.len() / CHECK_ARGS);
    for limit in limits.chunks(CHECK_ARGS) {
        let [word, units, window, refill, cost, add] = limit else {
            return Err(malformed());
        };
        let rule = rule(word, [units, window, refill])?;
        let count = if rule.algorithm == Algorithm::SlidingWindow {
            2
        } else {
            1
        };
        let keys: Vec<_> = keys.by_ref().take(count).collect();
        if keys.len() != count {
            return Err(malformed());
        }
        budgets.push(Budget {
            rule,
            keys,
            cost: argument(cost)?,
            add: argument(add)?,
            look_first: false,
        });
    }
    Ok((now, budgets))
}

fn apply(keys: &[Bytes], change: Change, redis: &mut RedisCall<'_>) -> Result<(), Error> {
    let mut run = |name: &'static str, args: &[Bytes]| {
        let mut command = vec![Bytes::from_static(name.as_bytes())];
        command.extend_from_slice(args);
        redis(&command)
    };
    let [key, ..] = keys else {
        return Ok(());
    };
    match change {
        Change::Count { add, lifetime } => {
            let sum = run("INCRBY", &[key.clone(), digits(add)])?;
            if number(&sum)?.is_some_and(|sum| u64::try_from(sum) == Ok(add)) {
                run("PEXPIRE", &[key.clone(), digits(lifetime)])?;
            }
        }
        Change::Fill {
            refilled_at,
            tokens,
            lifetime,
        } => {
            let [at, tokens] = [refilled_at, tokens].map(digits);
            let [at_field, tokens_field] = [REFILLED_AT, TOKENS].map(Bytes::from_static);
            run("HSET", &[key.clone(), at_field, at, tokens_field, tokens])?;
            if let Some(lifetime) = lifetime {
                run("PEXPIRE", &[key.clone(), digits(lifetime)])?;
            }
        }
        Change::Uncount(less) => {
            let less = Bytes::from(format!("-{less}"));
            run("INCRBY", &[key.clone(), less])?;
        }
    }
    Ok(())
}

fn plain(command: Command) -> Vec<Bytes> {
    match command.call {
        crate::store::command::Call::Plain(args) => args,
        _ => Vec::new(),
    }
}
