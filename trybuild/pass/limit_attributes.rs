//! Beside other attributes, and under another name of the runtime.
#![deny(warnings)]
pub mod reexports {
    pub use ::millpond as pond;
}

use reexports::pond::{RateLimited, cached, invalidates, rate_limited};

// Nothing may reach for `::millpond` by a name that is taken.
#[allow(unused)]
mod millpond {}

/// Documented.
#[rate_limited(kind = "API", id = id, crate = reexports::pond)]
#[cached(prefix = "above", crate = reexports::pond)]
#[inline]
pub async fn above(/* an argument */ id: u64) -> Result<u64, RateLimited> {
    Ok(id)
}

#[cached(prefix = "below", crate = reexports::pond)]
#[rate_limited(limit = 3, per = "1m", id = id, crate = reexports::pond)]
pub async fn below(id: u64) -> Result<u64, RateLimited> {
    Ok(id)
}

#[invalidates(below(id), crate = reexports::pond)]
#[rate_limited(kind = "API", crate = reexports::pond)]
#[must_use]
async fn change(id: u64) -> Result<(), RateLimited> {
    #![allow(unused_variables)]
    let unused = 3;
    Ok(())
}

#[deprecated(note = "gone soon")]
#[rate_limited(kind = "API", crate = crate::reexports::pond)]
#[expect(unused_variables)]
async fn id_of(id: u64) -> Result<u64, RateLimited> {
    let unused = 3;
    Ok(id)
}

#[rate_limited(kind = "API", id = address, crate = reexports::pond)]
#[cfg(any())]
async fn absent(address: NoSuchType) -> NoSuchType {
    address
}

#[rate_limited(kind = "API", crate = reexports::pond)]
#[tokio::test]
async fn tested() -> Result<(), RateLimited> {
    Ok(())
}

#[allow(deprecated)]
async fn calls() {
    let _ = (above(1).await, below(2).await, change(3).await, id_of(4).await);
    let _ = (above::entry(3).key(), invalidate_below!(3));
}

fn main() {
    drop(calls());
}
