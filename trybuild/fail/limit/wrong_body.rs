use millpond::{RateLimited, rate_limited};

#[rate_limited(kind = "API")]
async fn export(user_id: u64) -> Result<u64, RateLimited> {
    if user_id > 3 {
        return None;
    }
    Ok(user_id.to_string())
}

fn main() {}
