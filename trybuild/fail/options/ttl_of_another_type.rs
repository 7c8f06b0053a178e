use millpond::cached;
use std::time::Duration;

fn lifetime(text: &String) -> Duration {
    Duration::from_secs(text.len() as u64)
}

#[cached(prefix = "user", ttl_of = lifetime)]
async fn get_user(user_id: u64) -> u64 {
    user_id
}

fn main() {}
