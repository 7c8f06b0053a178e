use millpond::{RateLimited, rate_limited};

#[rate_limited(limit = 5, per = "1m", id = user_id)]
#[rate_limited(limit = 5, per = "60s", id = user_id + 1)]
async fn export(user_id: u64) -> Result<(), RateLimited> {
    let _ = user_id;
    Ok(())
}

fn main() {}
