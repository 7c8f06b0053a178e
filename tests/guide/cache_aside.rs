use millpond::{key, ttl};

#[tokio::main]
async fn main() -> Result<(), std::io::Error> {
    let (pond, user_id) = (millpond::current(), 123);
    let user = pond
        .get_or_set(key!("user:<user_id>"), ttl::MEDIUM, async || {
            Ok::<_, std::io::Error>(Some("Ada".to_owned())) // runs on a miss only
        })
        .await?;
    assert_eq!(user.as_deref(), Some("Ada"));
    Ok(())
}
