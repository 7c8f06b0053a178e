use millpond::{RateLimited, rate_limited};

#[rate_limited(kind = "API", id = "<org>:{user}")]
async fn export(org: u64, user: u64) -> Result<(), RateLimited> {
    let _ = (org, user);
    Ok(())
}

#[rate_limited(kind = "API", id = "user")]
async fn import(user: u64) -> Result<(), RateLimited> {
    let _ = user;
    Ok(())
}

fn main() {}
