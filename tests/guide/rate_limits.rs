use millpond::{RateLimited, limit, rate_limited};

#[rate_limited(kind = "GENERATION", id = user_id)]
async fn generate(user_id: &str) -> Result<&'static str, RateLimited> {
    Ok("an image")
}

#[tokio::main]
async fn main() -> Result<(), millpond::Error> {
    for _ in 0..10 {
        assert!(generate("ada").await.is_ok());
    }
    let refused = generate("ada").await.unwrap_err();
    assert_eq!(refused.status(), 429);

    let pond = millpond::current();
    let result = pond.limiter(&limit::API).check("ada").await?;
    assert!(result.is_allowed());
    assert_eq!((result.limit(), result.remaining()), (Some(100), Some(99)));
    assert!(result.reset().is_some());
    pond.flush().await // at shutdown, or before a serverless runtime freezes
}
