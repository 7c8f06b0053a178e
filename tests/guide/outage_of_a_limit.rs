use millpond::limit::{self, Outcome};
use millpond::{Millpond, RateLimited, rate_limited};
use std::time::Duration;

#[rate_limited(kind = "API", id = user_id, on_outage = "deny")]
async fn pay(user_id: u64) -> Result<(), RateLimited> {
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), millpond::Error> {
    // Nobody listens there.
    let pond = Millpond::builder()
        .upstash("http://127.0.0.1:9", "token")
        .limit_budget(Duration::from_millis(100))
        .build()?;
    assert_eq!(
        pond.limiter(&limit::API).check("ada").await?.outcome(),
        Outcome::Degraded
    );
    assert_eq!(pond.scope(pay(1)).await.unwrap_err().status(), 503);
    Ok(())
}
