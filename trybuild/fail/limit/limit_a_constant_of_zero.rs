use millpond::{RateLimited, rate_limited};

const CALLS: u64 = 0;

#[rate_limited(limit = CALLS, per = "1h")]
async fn export(user_id: u64) -> Result<(), RateLimited> {
    let _ = user_id;
    Ok(())
}

fn main() {}
