use std::time::Duration;

use millpond::cached;

fn lifetime(_: &String) -> Duration {
    Duration::from_secs(1)
}

#[cached(local = "only", ttl_of = lifetime)]
fn get_user(id: u64) -> u64 {
    id
}

fn main() {}
