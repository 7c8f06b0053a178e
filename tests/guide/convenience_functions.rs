use millpond::{Entry, Lookup, Millpond, cached, key, prefix, ttl};

#[cached(prefix = prefix::USER, key = "<id>")]
async fn user(id: u64) -> Option<String> {
    None // the database does not know anybody
}

fn config(pond: &Millpond, name: &str) -> Entry<Vec<String>> {
    pond.entry(key!(prefix::CONFIG, "<name>"), ttl::LONG)
}

#[tokio::main]
async fn main() -> Result<(), millpond::Error> {
    user::entry(123).put("Ada").await?; // cacheUserData
    assert_eq!(
        user::entry(123).get().await?,
        Lookup::Hit(Some("Ada".to_owned()))
    ); // getCachedUserData
    user::invalidate(123).await?; // invalidateUserCache; also invalidate_user!(123)
    assert_eq!(user(123).await, None);

    let pond = millpond::current();
    let models = vec!["small".to_owned()];
    config(&pond, "image-models").put(&models).await?; // cacheConfig
    assert_eq!(
        config(&pond, "image-models").get().await?,
        Lookup::Hit(models)
    ); // getCachedConfig
    Ok(())
}
