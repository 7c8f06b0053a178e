//! A library of the same workspace, which knows nothing of the catalogue.
#![forbid(unsafe_code)]
#![deny(warnings)]

use house::pond::{self, cached, Tag};

#[pond::tag("shelf:<shelf>", crate = house::pond)]
pub fn shelf(shelf: u64) -> Tag;

#[cached(prefix = "record", key = "<id>", tags(shelf(id / 10)), crate = house::pond)]
pub async fn record(id: u64) -> Option<String> {
    Some(id.to_string())
}
