//! Sorted sets, as far as the events of limits need them. They are sorted when they are read: here they
//! hold a few hundred members at most.

use super::{Args, CommandResult, count, is, number_of, span, syntax};
use crate::error::Error;
use crate::store::command::Reply;
use crate::store::memory::keyspace::Keyspace;
use crate::store::memory::number::{float, score};
use crate::store::memory::value::Sorted;
use crate::store::server_error::server_error;
use bytes::Bytes;

/// Without its options: none of ours needs them.
pub(crate) fn zadd(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let (pairs, odd) = args.rest(2).as_chunks::<2>();
    if !odd.is_empty() {
        return Err(syntax());
    }
    let scores = pairs
        .iter()
        .map(|[score, _]| float(score).ok_or_else(not_a_float))
        .collect::<Result<Vec<f64>, _>>()?;
    keyspace.edit(args.at(1), |sorted: &mut Sorted| {
        let pairs = pairs.iter().zip(scores);
        number_of(pairs.map(|([_, member], score)| sorted.insert(member, score)))
    })
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
