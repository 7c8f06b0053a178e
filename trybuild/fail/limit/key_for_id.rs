use millpond::{RateLimited, rate_limited};

#[rate_limited(kind = "API", key = user_id)]
async fn export(user_id: u64) -> Result<(), RateLimited> {
    let _ = user_id;
    Ok(())
}

fn main() {}
