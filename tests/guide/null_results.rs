use millpond::{Lookup, NULL_SENTINEL, cached};

#[cached(prefix = "user", key = "<user_id>", null_ttl = "30s")]
async fn get_user_or_null(user_id: u64) -> Option<String> {
    None
}

#[tokio::main]
async fn main() -> Result<(), millpond::Error> {
    assert_eq!(get_user_or_null(404).await, None);
    assert_eq!(get_user_or_null(404).await, None);
    let pond = millpond::current();
    assert_eq!(pond.stats().cache.loads, 1);
    assert_eq!(get_user_or_null::entry(404).get().await?, Lookup::Null);
    let stored: String = pond.command(["GET", "user:404"]).await?.parse()?;
    assert_eq!(stored, NULL_SENTINEL);
    Ok(())
}
