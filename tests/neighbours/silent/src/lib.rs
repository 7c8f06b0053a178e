//! A crate that the program depends on and never names, so that it is not linked.

#[millpond::cached(prefix = "silent", key = "<id>")]
pub async fn nobody_calls(id: u64) -> u64 {
    id
}
