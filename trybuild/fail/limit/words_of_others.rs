use millpond::{RateLimited, rate_limited};

#[rate_limited(max_requests = 5, window = "1h", by = user, strategy = "fixed_window", fallback = "deny")]
async fn export(user: u64) -> Result<(), RateLimited> {
    let _ = user;
    Ok(())
}

#[rate_limited(rate = 5, period = "1h", tokens = 2, redis = pond)]
async fn import() -> Result<(), RateLimited> {
    Ok(())
}

fn main() {}
