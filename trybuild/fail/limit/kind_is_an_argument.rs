use millpond::{Limit, RateLimited, rate_limited};

#[rate_limited(kind = plan)]
async fn export(plan: Limit) -> Result<(), RateLimited> {
    let _ = plan;
    Ok(())
}

fn main() {}
