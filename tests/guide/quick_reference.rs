use millpond::limit;
use millpond::{RateLimited, cached, invalidates, key, prefix, rate_limited, ttl};

// ===== CACHING =====
#[cached(prefix = prefix::USER, ttl = "medium", key = "<user_id>")] // RECOMMENDED
async fn user(user_id: u64) -> Option<String> {
    Some("Ada".to_owned())
}

#[invalidates(user(user_id))]
async fn rename(user_id: u64, name: &str) {}

// ===== RATE LIMITING =====
#[rate_limited(kind = "GENERATION", id = user_id)]
async fn generate(user_id: u64) -> Result<(), RateLimited> {
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), millpond::Error> {
    let (pond, user_id) = (millpond::current(), 123);

    // ===== BY HAND =====
    pond.set("key", &1, ttl::MEDIUM).await?;
    let data: Option<u32> = pond.get("key").await?;
    pond.delete("key").await?;
    let loaded = pond
        .get_or_set("key", ttl::MEDIUM, async || Ok::<_, std::fmt::Error>(2))
        .await;
    assert_eq!((data, loaded), (Some(1), Ok(2)));
    assert!(pond.limiter(&limit::API).check(user_id).await?.is_allowed());

    // ===== KEY BUILDING =====
    assert_eq!(key!(prefix::USER, "<user_id>").as_str(), "user:123");

    user(user_id).await;
    rename(user_id, "Grace").await;
    assert!(generate(user_id).await.is_ok());
    Ok(())
}
