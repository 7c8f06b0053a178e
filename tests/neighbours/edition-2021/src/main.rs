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

// `gen` is a keyword in 2024 and a name here.
#[cached(prefix = "gen", key = "<gen>")]
async fn gen(gen: u64) -> u64 {
    gen
}

#[invalidates(gen(gen))]
async fn change(gen: u64) -> u64 {
    gen
}

#[rate_limited(limit = 1, per = "1h", id = gen)]
async fn limited(gen: u64) -> Result<u64, Error> {
    Ok(gen)
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
        assert_eq!(gen(1).await, 1);
        assert_eq!(change(1).await, 1);
        invalidate_gen!(1).await.unwrap();
        assert_eq!(limited(1).await, Ok(1));
        assert!(limited(1).await.is_err());
    })
    .await;
    let gen = 7;
    assert_eq!(key!("gen:<gen>").as_str(), "gen:7");
    let id = 7;
    assert_eq!(key!("user:<id>").as_str(), "user:7");
}
