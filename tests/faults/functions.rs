//! The functions that are called: what their bodies return stands in a row that the test changes.

use millpond::{Tag, cached, invalidates};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

#[cached(prefix = "faults", key = "<id>", skip(row))]
pub(crate) async fn read(id: u32, row: &AtomicU32) -> u32 {
    row.load(Ordering::SeqCst)
}

#[millpond::tag("group:<id>")]
pub(crate) fn group(id: u32) -> Tag;

#[cached(prefix = "grouped", key = "<id>", tags(group(id)), skip(row))]
pub(crate) async fn read_grouped(id: u32, row: &AtomicU32) -> u32 {
    row.load(Ordering::SeqCst)
}

/// Old values are returned while one load runs in the background.
#[cached(
    prefix = "aged",
    key = "<id>",
    ttl = "1h",
    stale_while_revalidate = "10h",
    skip(row)
)]
pub(crate) async fn read_aged(id: u32, row: &Arc<AtomicU32>) -> u32 {
    row.load(Ordering::SeqCst)
}

#[cached(batch = ids, of = read(*ids))]
pub(crate) async fn read_many(ids: &[u32], row: &AtomicU32) -> BTreeMap<u32, u32> {
    let value = row.load(Ordering::SeqCst);
    ids.iter().map(|id| (*id, value)).collect()
}

#[invalidates(read(id))]
pub(crate) async fn change(id: u32, row: &AtomicU32) -> u32 {
    row.fetch_add(1, Ordering::SeqCst) + 1
}

#[invalidates(group(id))]
pub(crate) async fn change_group(id: u32, row: &AtomicU32) -> u32 {
    row.fetch_add(1, Ordering::SeqCst) + 1
}
