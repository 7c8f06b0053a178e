use millpond::{RateLimited, rate_limited as limited};

#[limited(kind = "API", id = user_id)]
#[limited(kind = "API", id = user_id)]
async fn export(user_id: u64) -> Result<(), RateLimited> {
    let _ = user_id;
    Ok(())
}

fn main() {}
