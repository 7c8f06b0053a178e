use millpond::{cached, invalidates, key, rate_limited, updates, Millpond, RateLimited};

#[derive(Debug, PartialEq)]
struct Error(String);

impl From<RateLimited> for Error {
    fn from(refused: RateLimited) -> Self {
        Error(refused.to_string())
    }
}

#[cached(prefix = "user", ttl = "short", key = "<id>")]
async fn get_user(id: u64) -> Result<Option<String>, String> {
    Ok(Some(id.to_string()))
}

#[invalidates(get_user(id))]
async fn rename(id: u64) -> Result<(), String> {
    Ok(())
}

#[updates(get_user(id))]
async fn replace(id: u64, name: &str) -> Result<Option<String>, String> {
    Ok(Some(name.to_owned()))
}

#[rate_limited(limit = 1, per = "1h", id = id)]
async fn export(id: u64) -> Result<u64, Error> {
    Ok(id)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let pond = Millpond::memory();
    pond.scope(async {
        assert_eq!(get_user(7).await.unwrap().unwrap(), "7");
        rename(7).await.unwrap();
        replace(7, "seven").await.unwrap();
        assert_eq!(get_user(7).await.unwrap().unwrap(), "seven");
        invalidate_user!(7).await.unwrap();
        assert_eq!(get_user(7).await.unwrap().unwrap(), "7");
        assert_eq!(export(7).await, Ok(7));
        assert!(export(7).await.is_err());
    })
    .await;
    let id = 7;
    assert_eq!(key!("user:<id>").as_str(), "user:7");
}
