use std::time::Duration;

use millpond::{RateLimited, rate_limited};

const WINDOW: Duration = Duration::from_micros(1500);

#[rate_limited(limit = 5, per = WINDOW)]
async fn export(user_id: u64) -> Result<(), RateLimited> {
    let _ = user_id;
    Ok(())
}

fn main() {}
