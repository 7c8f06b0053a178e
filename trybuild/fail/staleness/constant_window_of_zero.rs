use millpond::cached;
use std::time::Duration;

const NONE: Duration = Duration::ZERO;

#[cached(prefix = "user", stale_if_error = NONE)]
async fn get_user(user_id: u64) -> u64 {
    user_id
}

fn main() {}
