//! Other attributes stay where they are, and the companions follow those that they need.
#![deny(warnings)]
use millpond::{cached, invalidates};

/// Documented.
#[cached(prefix = "must_use")]
#[must_use]
#[inline]
pub async fn must_use(/* an argument */ id: u64) -> u64 {
    id
}

#[deprecated(note = "gone soon")]
#[cached(prefix = "old")]
pub async fn old(id: u64) -> u64 {
    id
}

#[cached(prefix = "older")]
#[deprecated(note = "gone soon")]
pub async fn older(id: u64) -> u64 {
    id
}

#[allow(unused_variables, deprecated)]
#[cached(prefix = "allowed", skip(extra))]
async fn allowed(id: u64, extra: u64) -> u64 {
    old(id).await
}

#[cached(prefix = "expected", skip(extra))]
#[expect(unused_variables)]
async fn expected(id: u64, extra: u64) -> u64 {
    id
}

#[cached(prefix = "inner")]
async fn inner(id: u64) -> u64 {
    #![allow(unused_variables)]
    let unused = 3;
    id
}

#[cached(prefix = "cfg")]
#[cfg(any())]
async fn absent(id: NoSuchType) -> NoSuchType {
    id
}

#[invalidates(allowed(id))]
#[doc(hidden)]
#[allow(clippy::unused_async)]
pub async fn mutation(#[allow(unused)] id: u64) -> u64 {
    3
}

#[allow(deprecated)]
async fn calls() {
    let _ = must_use(1).await + old(2).await + older(2).await + allowed(3, 4).await + expected(4, 5).await + inner(5).await;
    let _ = mutation(6).await;
    let _ = older::entry(3).key();
}

fn main() {
    drop(calls());
}
