use millpond::cached;

use std::time::Duration;

const TTL: Duration = Duration::ZERO;

#[cached(prefix = "user", ttl = TTL)]
async fn get_user(user_id: u64) -> u64 {
    user_id
}

fn main() {}
