use millpond::{RateLimited, cached, rate_limited};

#[rate_limited(limit = 5, per = "hour")]
async fn export() -> Result<(), RateLimited> {
    Ok(())
}

#[rate_limited(limit = 5, per = minute)]
async fn import() -> Result<(), RateLimited> {
    Ok(())
}

#[cached(prefix = "user", ttl = "1h30m")]
async fn get_user(user_id: u64) -> u64 {
    user_id
}

fn main() {}
