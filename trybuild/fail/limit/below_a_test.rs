use millpond::{RateLimited, rate_limited};

#[tokio::test]
#[rate_limited(kind = "API")]
async fn export() -> Result<(), RateLimited> {
    Ok(())
}

fn main() {}
