use millpond::{RateLimited, rate_limited};

#[rate_limited(limit = 5, per = 1h)]
async fn export(user_id: u64) -> Result<(), RateLimited> {
    let _ = user_id;
    Ok(())
}

fn main() {}
