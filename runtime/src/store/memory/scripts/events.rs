//! The script that counts checks by the names of the callers.

use super::writes::wrong_number;
use crate::error::Error;
use crate::store::command::Reply;
use crate::store::memory::commands::{self, expiry};
use crate::store::memory::keyspace::Keyspace;
use crate::store::memory::number::integer_or_error;
use crate::store::memory::value::Sorted;
use bytes::Bytes;
use std::collections::HashSet;

pub(super) fn count(
    keyspace: &mut Keyspace,
    keys: &[Bytes],
    args: &[Bytes],
) -> Result<Reply, Error> {
    let ([key], [lifetime, first, most, others, sums @ ..]) = (keys, args) else {
        return Err(wrong_number());
    };
    let (first, most) = (number(first)?, number(most)?);
    let (sums, odd) = sums.as_chunks::<4>();
    if !odd.is_empty() {
        return Err(wrong_number());
    }
    let held = keyspace.collection::<Sorted>(key)?;
    let held = held.into_iter().flat_map(Sorted::iter);
    let mut known: HashSet<Bytes> = held.filter_map(|(held, _)| name_in(held)).collect();
    let is_new = sums.iter().any(|[_, name, ..]| !known.contains(name));
    known.remove(others);
    for [sum, name, success, is_frequent] in sums {
        let room = if is_frequent == "1" { most } else { first };
        let name = if name == others || known.contains(name) {
            name
        } else if known.len() < room {
            known.insert(name.clone());
            name
        } else {
            others
        };
        let add = [
            "ZINCRBY".into(),
            key.clone(),
            sum.clone(),
            member(name, success),
        ];
        commands::run(keyspace, &add)?;
    }
    if is_new {
        let until = expiry::after_millis(keyspace, lifetime)?;
        keyspace.set_deadline(key, Some(until));
    }
    Ok(Reply::Int(i64::try_from(known.len()).unwrap_or(i64::MAX)))
}

fn number(text: &Bytes) -> Result<usize, Error> {
    Ok(usize::try_from(integer_or_error(text)?).unwrap_or(0))
}

const BEFORE: &[u8] = b"{\"identifier\":";
const BETWEEN: &[u8] = b",\"success\":";

fn member(name: &Bytes, success: &Bytes) -> Bytes {
    [BEFORE, name, BETWEEN, success, b"}"].concat().into()
}

fn name_in(member: &Bytes) -> Option<Bytes> {
    let rest = member.strip_prefix(BEFORE)?.strip_suffix(b"}")?;
    let at = rest
        .windows(BETWEEN.len())
        .rposition(|window| window == BETWEEN)?;
    let (name, outcome) = (&rest[..at], &rest[at + BETWEEN.len()..]);
    let is_ours = !outcome.is_empty() && outcome.iter().all(u8::is_ascii_alphabetic);
    is_ours.then(|| Bytes::copy_from_slice(name))
}
