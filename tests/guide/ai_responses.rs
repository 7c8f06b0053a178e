use millpond::{RateLimited, cached, rate_limited};

// Above `#[cached]`, a limit counts misses only: an answer that is cached costs nothing.
#[rate_limited(kind = "GENERATION", id = user_id)]
#[cached(
    prefix = "ai",
    ttl = "1h",
    key = "<prompt:sha256>",
    skip(user_id),
    compress,
    encrypt
)]
async fn cached_ai_call(user_id: u64, prompt: &str) -> Result<String, RateLimited> {
    Ok(format!("a long answer to {prompt}")) // the call that costs money
}

#[tokio::main]
async fn main() -> Result<(), millpond::Error> {
    let pond = millpond::Millpond::builder()
        .encryption_key("2026-11", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
        .build()?;
    pond.scope(async {
        let first = cached_ai_call(1, "Why is the sky blue?").await.unwrap();
        assert_eq!(
            cached_ai_call(2, "Why is the sky blue?").await.unwrap(),
            first
        );
        assert_eq!(pond.stats().cache.loads, 1);
    })
    .await;
    Ok(())
}
