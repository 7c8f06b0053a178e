//! Commands on keys of any kind, and the two that walk.

use super::{Args, CommandResult, is, number_of, syntax};
use crate::error::Error;
use crate::store::command::Reply;
use crate::store::glob;
use crate::store::memory::keyspace::Keyspace;
use crate::store::memory::number::{integer, integer_or_error};
use crate::store::server_error::server_error;
use bytes::Bytes;

pub(crate) fn del(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    Ok(number_of(
        args.rest(1)
            .iter()
            .map(|key| keyspace.contains(key) && keyspace.remove(key)),
    ))
}

pub(crate) fn exists(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    Ok(number_of(
        args.rest(1).iter().map(|key| keyspace.contains(key)),
    ))
}

pub(crate) fn kind(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let kind = keyspace
        .value(args.at(1))
        .map_or("none", |value| value.kind());
    Ok(Reply::Bulk(Bytes::from_static(kind.as_bytes())))
}

pub(crate) fn scan(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let walk = Walk::parse(args.at(1), args.rest(2))?;
    let (next, page) = keyspace.scan(walk.cursor, walk.count);
    let keys = page
        .filter(|(key, value)| walk.wants(key) && walk.wants_kind(value.kind()))
        .map(|(key, _)| Reply::Bulk(key.clone()))
        .collect();
    Ok(walked(next, keys))
}

/// Where a walk stands and what it looks for.
pub(crate) struct Walk<'a> {
    pub(crate) cursor: usize,
    pub(crate) count: usize,
    pattern: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
}

impl<'a> Walk<'a> {
    pub(crate) fn parse(cursor: &[u8], mut rest: &'a [Bytes]) -> Result<Self, Error> {
        let cursor = integer(cursor)
            .and_then(|cursor| usize::try_from(cursor).ok())
            .ok_or_else(|| server_error("ERR invalid cursor"))?;
        let mut walk = Self {
            cursor,
            count: 10,
            pattern: None,
            kind: None,
        };
        while let Some((word, after)) = rest.split_first() {
            let (value, after) = after.split_first().ok_or_else(syntax)?;
            rest = after;
            match word {
                word if is(word, "MATCH") => walk.pattern = Some(value),
                word if is(word, "TYPE") => walk.kind = Some(value),
                word if is(word, "COUNT") => {
                    walk.count = usize::try_from(integer_or_error(value)?)
                        .ok()
                        .filter(|count| *count > 0)
                        .ok_or_else(syntax)?;
                }
                _ => return Err(syntax()),
            }
        }
        Ok(walk)
    }

    pub(crate) fn wants(&self, name: &[u8]) -> bool {
        self.pattern
            .is_none_or(|pattern| glob::matches(pattern, name))
    }

    fn wants_kind(&self, kind: &str) -> bool {
        self.kind.is_none_or(|wanted| is(wanted, kind))
    }
}

/// The reply of a walk: the next cursor and what this page held.
pub(crate) fn walked(next: usize, page: Vec<Reply>) -> Reply {
    Reply::Array(vec![
        Reply::Bulk(next.to_string().into()),
        Reply::Array(page),
    ])
}
