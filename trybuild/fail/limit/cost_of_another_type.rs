use millpond::{RateLimited, rate_limited};

#[rate_limited(kind = "API", cost = prompt)]
async fn export(prompt: &str) -> Result<(), RateLimited> {
    let _ = prompt;
    Ok(())
}

fn main() {}
