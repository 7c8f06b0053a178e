use millpond::{key, prefix, ttl};

#[tokio::main]
async fn main() -> Result<(), millpond::Error> {
    let (pond, id) = (millpond::current(), 123);

    // Set
    pond.set("user:123", "Ada", ttl::MEDIUM).await?;
    pond.set("config:models", &["small", "large"], ttl::LONG)
        .await?;
    pond.set(key!(prefix::USER, "<id>"), "Ada", ttl::MEDIUM)
        .await?;

    // Get
    match pond.get::<String>("user:123").await? {
        Some(user) => assert_eq!(user, "Ada"), // a hit
        None => unreachable!("a miss: ask the database"),
    }

    // Check
    assert!(pond.exists("user:123").await?);

    // Several at once, in one command
    let found: Vec<Option<String>> = pond.get_many(["user:123", "user:124"]).await?;
    assert_eq!(found, [Some("Ada".to_owned()), None]);

    // Delete
    assert!(pond.delete("user:123").await?);
    assert_eq!(pond.delete_many(["user:123", "config:models"]).await?, 1);
    assert_eq!(pond.invalidate_pattern("user:*").await?, 0); // sparingly: it walks through all keys
    Ok(())
}
