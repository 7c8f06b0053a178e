use millpond::{RateLimited, rate_limited};

#[rate_limited(limit = calls, per = "1h")]
async fn export(calls: u64) -> Result<(), RateLimited> {
    let _ = calls;
    Ok(())
}

fn main() {}
