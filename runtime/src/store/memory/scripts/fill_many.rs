//! Several guarded fills at once.

use super::guarded;
use super::writes::wrong_number;
use crate::error::Error;
use crate::store::command::Reply;
use crate::store::memory::keyspace::Keyspace;
use bytes::Bytes;

pub(super) fn fill_many(
    keyspace: &mut Keyspace,
    keys: &[Bytes],
    args: &[Bytes],
) -> Result<Reply, Error> {
    let mut args = args.iter();
    let entries = number(args.next())?;
    let mut stored = Vec::with_capacity(entries);
    for at in 0..entries {
        let mut next = || args.next().cloned().ok_or_else(wrong_number);
        let mut own = vec![next()?, next()?, next()?, next()?];
        let tags = number(args.next())?;
        let mut touched = keys
            .get(2 * at..2 * at + 2)
            .ok_or_else(wrong_number)?
            .to_vec();
        for _ in 0..tags {
            // Places count from 1, as in Lua.
            let place = 2 * entries + number(args.next())?;
            let tag = place.checked_sub(1).and_then(|place| keys.get(place));
            touched.push(tag.cloned().ok_or_else(wrong_number)?);
            own.push(args.next().cloned().ok_or_else(wrong_number)?);
        }
        // What is no value there is for the next load to find.
        let reply = guarded::fill(keyspace, &touched, &own);
        stored.push(reply.unwrap_or(Reply::Int(0)));
    }
    Ok(Reply::Array(stored))
}

fn number(arg: Option<&Bytes>) -> Result<usize, Error> {
    let text = arg.and_then(|arg| std::str::from_utf8(arg).ok());
    text.and_then(|text| text.parse().ok())
        .ok_or_else(wrong_number)
}
