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
}

/// One argument of a script: the time; and five for each limit.
const ARGS_PER_LIMIT: usize = 5;

/// Takes `cost` from all of these, or from none.
pub(crate) fn check(budgets: &[Budget], now: u64, cost: u64) -> Command {
    call(Script::LimitCheck, budgets, now, cost)
}

/// Gives `units` back to each of these.
pub(crate) fn refund(budgets: &[Budget], now: u64, units: u64) -> Command {
    call(Script::LimitRefund, budgets, now, units)
}

fn call(script: Script, budgets: &[Budget], now: u64, cost: u64) -> Command {
    let keys = budgets
        .iter()
        .flat_map(|budget| budget.keys.iter().cloned());
    let mut args = vec![digits(now)];
    for Budget { rule, .. } in budgets {
        args.push(Bytes::from_static(word(rule.algorithm).as_bytes()));
        args.extend([rule.units, rule.window, rule.refill, cost].map(digits));
    }
    Command::script(script, Effect::Once, keys, args)
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
        Reply::Bulk(text) => std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok().or_else(|| whole(text)))
            .map(Some)
            .ok_or_else(unexpected),
        Reply::Array(_) | Reply::Error(_) => Err(unexpected()),
    }
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

const REFILLED_AT: &[u8] = b"refilledAt";
const TOKENS: &[u8] = b"tokens";

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

/// [`Script::LimitCheck`] without Lua. Nothing else may touch the keys until it has returned.
pub(crate) fn run_check(
    keys: &[Bytes],
    args: &[Bytes],
    redis: &mut RedisCall<'_>,
) -> Result<Reply, Error> {
    let (now, calls) = parse(keys, args)?;
    let mut took = true;
    let mut before = Vec::with_capacity(calls.len() * 2);
    let mut changes = Vec::with_capacity(calls.len());
    for (budget, cost) in &calls {
        let held = read_look(&redis(&plain(look(budget)))?)?;
        if held.0.is_none() && calls.len() > 1 && budget.rule.algorithm != Algorithm::TokenBucket {
            // As in the script: MGET answers nil for a hash, and this fails for one.
            let get = Bytes::from_static(b"GET");
            redis(
                &std::iter::once(get)
                    .chain(budget.keys.first().cloned())
                    .collect::<Vec<_>>(),
            )?;
        }
        let verdict = budget.rule.check(held, now, *cost);
        took &= verdict.allowed;
        changes.extend(verdict.change.map(|change| (budget, change)));
        before.extend([held.0, held.1].map(|number| match number {
            Some(number) => Reply::Bulk(digits(number)),
            None => Reply::Nil,
        }));
    }
    if took {
        for (budget, change) in changes {
            apply(&budget.keys, change, redis)?;
        }
    }
    let mut reply = vec![Reply::Int(took.into())];
    reply.append(&mut before);
    Ok(Reply::Array(reply))
}

/// [`Script::LimitRefund`] without Lua. Nothing else may touch the keys until it has returned.
pub(crate) fn run_refund(
    keys: &[Bytes],
    args: &[Bytes],
    redis: &mut RedisCall<'_>,
) -> Result<Reply, Error> {
    let (now, calls) = parse(keys, args)?;
    for (budget, units) in calls {
        let held = read_look(&redis(&plain(look(&budget)))?)?;
        if let Some(change) = budget.rule.refund(held, now, units) {
            apply(&budget.keys, change, redis)?;
        }
    }
    Ok(Reply::Int(1))
}

fn parse(keys: &[Bytes], args: &[Bytes]) -> Result<(u64, Vec<(Budget, u64)>), Error> {
    let malformed = || Error::new(ErrorKind::Server, "a limit script got malformed arguments");
    let number = |text: &Bytes| std::str::from_utf8(text).ok()?.parse::<u64>().ok();
    let (now, limits) = args.split_first().ok_or_else(malformed)?;
    let now = number(now).ok_or_else(malformed)?;
    let mut keys = keys.iter().cloned();
    let mut calls = Vec::with_capacity(limits.len() / ARGS_PER_LIMIT);
    for limit in limits.chunks(ARGS_PER_LIMIT) {
        let [algorithm, units, window, refill, cost] = limit else {
            return Err(malformed());
        };
        let algorithm = [
            Algorithm::FixedWindow,
            Algorithm::SlidingWindow,
            Algorithm::TokenBucket,
        ]
        .into_iter()
        .find(|known| word(*known).as_bytes() == algorithm)
        .ok_or_else(malformed)?;
        let [Some(units), Some(window), Some(refill), Some(cost)] =
            [units, window, refill, cost].map(number)
        else {
            return Err(malformed());
        };
        let rule = Rule::new(algorithm, units, window, refill).map_err(|_| malformed())?;
        let count = if algorithm == Algorithm::SlidingWindow {
            2
        } else {
            1
        };
        let keys: Vec<_> = keys.by_ref().take(count).collect();
        if keys.len() != count {
            return Err(malformed());
        }
        calls.push((Budget { rule, keys }, cost));
    }
    Ok((now, calls))
}

fn apply(keys: &[Bytes], change: Change, redis: &mut RedisCall<'_>) -> Result<(), Error> {
    let mut run = |name: &'static str, args: &[Bytes]| {
        let mut command = vec![Bytes::from_static(name.as_bytes())];
        command.extend_from_slice(args);
        redis(&command)
    };
    let [key, rest @ ..] = keys else {
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
        Change::Uncount { current, previous } => {
            for (key, less) in std::iter::once(key).chain(rest).zip([current, previous]) {
                if less > 0 {
                    run("INCRBY", &[key.clone(), Bytes::from(format!("-{less}"))])?;
                }
            }
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
