//! Sorted sets. They are sorted when they are read: here they hold a few hundred members at most.

use super::{Args, CommandResult, bulk_or_nil, count, is, number_of, span, syntax};
use crate::error::Error;
use crate::store::command::Reply;
use crate::store::memory::keyspace::Keyspace;
use crate::store::memory::number::{float, score};
use crate::store::memory::value::Sorted;
use crate::store::server_error::server_error;
use bytes::Bytes;

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "one for each option")]
struct AddOptions {
    only_new: bool,
    only_present: bool,
    only_greater: bool,
    only_less: bool,
    count_changed: bool,
    increment: bool,
}

impl AddOptions {
    /// The options, and the pairs that follow them.
    fn parse(mut rest: &[Bytes]) -> Result<(Self, &[[Bytes; 2]]), Error> {
        let mut options = Self::default();
        while let Some((word, after)) = rest.split_first() {
            let option = match word {
                word if is(word, "NX") => &mut options.only_new,
                word if is(word, "XX") => &mut options.only_present,
                word if is(word, "GT") => &mut options.only_greater,
                word if is(word, "LT") => &mut options.only_less,
                word if is(word, "CH") => &mut options.count_changed,
                word if is(word, "INCR") => &mut options.increment,
                _ => break,
            };
            *option = true;
            rest = after;
        }
        let (pairs, odd) = rest.as_chunks::<2>();
        if pairs.is_empty() || !odd.is_empty() {
            return Err(syntax());
        }
        if options.only_new && options.only_present {
            return Err(server_error(
                "ERR XX and NX options at the same time are not compatible",
            ));
        }
        let compares = u8::from(options.only_new)
            + u8::from(options.only_greater)
            + u8::from(options.only_less);
        if compares > 1 {
            return Err(server_error(
                "ERR GT, LT, and/or NX options at the same time are not compatible",
            ));
        }
        if options.increment && pairs.len() > 1 {
            return Err(server_error(
                "ERR INCR option supports a single increment-element pair",
            ));
        }
        Ok((options, pairs))
    }

    fn allows(&self, old: Option<f64>, new: f64) -> bool {
        match old {
            None => !self.only_present,
            Some(old) => {
                !(self.only_new || self.only_greater && new <= old || self.only_less && new >= old)
            }
        }
    }
}

pub(crate) fn zadd(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let (options, pairs) = AddOptions::parse(args.rest(2))?;
    let scores = pairs
        .iter()
        .map(|[score, _]| float(score).ok_or_else(not_a_float))
        .collect::<Result<Vec<f64>, _>>()?;
    keyspace.edit(args.at(1), |sorted: &mut Sorted| {
        let (mut added, mut changed, mut last) = (0, 0, Reply::Nil);
        for ([_, member], given) in pairs.iter().zip(scores) {
            let old = sorted.get(member).copied();
            let new = if options.increment {
                given + old.unwrap_or(0.0)
            } else {
                given
            };
            if new.is_nan() {
                return Err(server_error("ERR resulting score is not a number (NaN)"));
            }
            if options.allows(old, new) {
                added += usize::from(sorted.insert(member, new));
                changed += usize::from(old.is_none_or(|old| old.total_cmp(&new).is_ne()));
                last = Reply::Bulk(score(new));
            }
        }
        Ok(if options.increment {
            last
        } else if options.count_changed {
            count(changed)
        } else {
            count(added)
        })
    })?
}

pub(crate) fn zincrby(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let by = float(args.at(2)).ok_or_else(not_a_float)?;
    keyspace.edit(args.at(1), |sorted: &mut Sorted| {
        let sum = sorted.get(args.at(3)).copied().unwrap_or(0.0) + by;
        if sum.is_nan() {
            return Err(server_error("ERR resulting score is not a number (NaN)"));
        }
        sorted.insert(args.at(3), sum);
        Ok(Reply::Bulk(score(sum)))
    })?
}

pub(crate) fn zrange(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let (mut reversed, mut with_scores) = (false, false);
    for word in args.rest(4) {
        match word {
            word if is(word, "REV") => reversed = true,
            word if is(word, "WITHSCORES") => with_scores = true,
            _ => return Err(syntax()),
        }
    }
    let mut members: Vec<(&Bytes, f64)> = keyspace
        .collection::<Sorted>(args.at(1))?
        .into_iter()
        .flat_map(Sorted::iter)
        .map(|(member, score)| (member, *score))
        .collect();
    members.sort_by(|left, right| left.1.total_cmp(&right.1).then(left.0.cmp(right.0)));
    if reversed {
        members.reverse();
    }
    let (start, end) = span(args.at(2), args.at(3), members.len())?;
    let mut replies = Vec::new();
    for (member, value) in members.into_iter().skip(start).take(end - start) {
        replies.push(Reply::Bulk(member.clone()));
        if with_scores {
            replies.push(Reply::Bulk(score(value)));
        }
    }
    Ok(Reply::Array(replies))
}

pub(crate) fn zrem(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    keyspace.edit(args.at(1), |sorted: &mut Sorted| {
        number_of(args.rest(2).iter().map(|member| sorted.remove(member)))
    })
}

pub(crate) fn zscore(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let sorted = keyspace.collection::<Sorted>(args.at(1))?;
    let held = sorted.and_then(|sorted| sorted.get(args.at(2)));
    Ok(bulk_or_nil(held.map(|held| score(*held))))
}

pub(crate) fn zcard(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    Ok(count(
        keyspace
            .collection::<Sorted>(args.at(1))?
            .map_or(0, Sorted::len),
    ))
}

fn not_a_float() -> Error {
    server_error("ERR value is not a valid float")
}
