use millpond::{Limit, RateLimited, limit, rate_limited};

fn plan(_: u64) -> Limit {
    limit::API
}

#[rate_limited(kind = plan(user_id))]
async fn export(user_id: u64) -> Result<(), RateLimited> {
    let _ = user_id;
    Ok(())
}

fn main() {}
