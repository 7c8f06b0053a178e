use millpond::cached;
use std::time::Duration;

const LIFETIME: Duration = Duration::from_secs(1);

#[cached(prefix = "user", ttl = LIFETIME, local = "5s")]
async fn get_user(id: u64) -> u64 {
    id
}

fn main() {}
