use millpond::{Limit, RateLimited, rate_limited};

#[rate_limited(limit = plan, algorithm = "fixed_window")]
async fn export(plan: Limit) -> Result<(), RateLimited> {
    let _ = plan;
    Ok(())
}

fn main() {}
