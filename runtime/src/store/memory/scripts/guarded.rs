//! The scripts that store a value if its guard and its tags have not moved.

use super::writes::{set_guard, wrong_number};
use crate::error::Error;
use crate::hex::sha1_hex;
use crate::store::command::Reply;
use crate::store::memory::commands::{self, expiry};
use crate::store::memory::keyspace::Keyspace;
use bytes::Bytes;

pub(super) fn fill(
    keyspace: &mut Keyspace,
    keys: &[Bytes],
    args: &[Bytes],
) -> Result<Reply, Error> {
    let ([value, guard, tags @ ..], [seen_guard, seen_value, new, ttl, nonces @ ..]) = (keys, args)
    else {
        return Err(wrong_number());
    };
    if nonce(keyspace, guard) != seen_guard {
        return Ok(Reply::Int(0));
    }
    for (tag, seen) in tags.iter().zip(nonces) {
        if nonce(keyspace, tag) != seen {
            return Ok(Reply::Int(0));
        }
    }
    let (seen_value, was_due) = match seen_value.strip_prefix(b"?") {
        Some(seen) => (seen, true),
        None => (&seen_value[..], false),
    };
    let is_same = match keyspace.text(value)? {
        Some(held) => sha1_hex(&held).as_bytes() == seen_value,
        None => seen_value.is_empty() || was_due,
    };
    if !is_same {
        return Ok(Reply::Int(0));
    }
    let expires_at = expiry::after_millis(keyspace, ttl)?;
    keyspace.set_text(value, new, Some(expires_at));
    lengthen(keyspace, tags, ttl)?;
    Ok(Reply::Int(1))
}

pub(super) fn update(
    keyspace: &mut Keyspace,
    keys: &[Bytes],
    args: &[Bytes],
) -> Result<Reply, Error> {
    let ([value, guard, tags @ ..], [seen_guard, guard_nonce, guard_ttl, new, ttl, nonces @ ..]) =
        (keys, args)
    else {
        return Err(wrong_number());
    };
    let expires_at = expiry::after_millis(keyspace, ttl)?;
    let mut is_same = nonce(keyspace, guard) == seen_guard;
    for (tag, [seen, next]) in tags.iter().zip(nonces.as_chunks::<2>().0) {
        is_same &= nonce(keyspace, tag) == seen;
        if !next.is_empty() {
            set_guard(keyspace, tag, next, guard_ttl)?;
        }
    }
    if !is_same {
        return Ok(Reply::Int(0));
    }
    set_guard(keyspace, guard, guard_nonce, guard_ttl)?;
    keyspace.set_text(value, new, Some(expires_at));
    lengthen(keyspace, tags, ttl)?;
    Ok(Reply::Int(1))
}

pub(super) fn make_tags(
    keyspace: &mut Keyspace,
    tags: &[Bytes],
    args: &[Bytes],
) -> Result<Reply, Error> {
    let [ttl, new] = args else {
        return Err(wrong_number());
    };
    for tag in tags {
        if !keyspace.contains(tag) {
            set_guard(keyspace, tag, new, ttl)?;
        }
    }
    lengthen(keyspace, tags, ttl)?;
    let name = Bytes::from_static(b"MGET");
    let words: Vec<Bytes> = std::iter::once(name).chain(tags.iter().cloned()).collect();
    commands::run(keyspace, &words)
}

/// As `MGET` reads it: what is no text is absent.
fn nonce(keyspace: &mut Keyspace, key: &Bytes) -> Bytes {
    keyspace.text(key).ok().flatten().unwrap_or_default()
}

/// Gives tags at least this life.
fn lengthen(keyspace: &mut Keyspace, tags: &[Bytes], ttl: &Bytes) -> Result<(), Error> {
    let until = expiry::after_millis(keyspace, ttl)?;
    for tag in tags {
        let new = keyspace.left(tag, until);
        let current = keyspace.deadline(tag);
        if current.is_some_and(|current| keyspace.left(tag, current) < new) {
            keyspace.set_deadline(tag, Some(until));
        }
    }
    Ok(())
}
