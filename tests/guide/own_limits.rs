use millpond::limit::Limit;
use millpond::{RateLimited, rate_limited};
use std::time::Duration;

const EXPENSIVE: Limit = Limit::sliding_window("EXPENSIVE", 5, Duration::from_secs(3_600));

#[rate_limited(kind = EXPENSIVE, id = user_id)]
async fn train(user_id: u64) -> Result<(), RateLimited> {
    Ok(())
}

#[rate_limited(limit = 5, per = "1h", id = user_id)] // the same, without a name
async fn tune(user_id: u64) -> Result<(), RateLimited> {
    Ok(())
}

#[tokio::main]
async fn main() {
    for _ in 0..5 {
        assert!(train(1).await.is_ok() && tune(1).await.is_ok());
    }
    assert!(train(1).await.is_err() && tune(1).await.is_err());
}
