use millpond::{cached, updates};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
}

#[cached(prefix = "user", ttl = "medium", key = "<user_id>")]
async fn get_user_by_id(user_id: u64) -> Result<Option<User>, std::io::Error> {
    Ok(None)
}

/// Stores what it returned, instead of only removing what was there.
#[updates(get_user_by_id(user_id))]
async fn update_user(user_id: u64, name: &str) -> Result<User, std::io::Error> {
    Ok(User {
        id: user_id,
        name: name.to_owned(),
    })
}

#[tokio::main]
async fn main() -> Result<(), std::io::Error> {
    assert_eq!(get_user_by_id(1).await?, None); // cached, too
    let ada = update_user(1, "Ada").await?;
    assert_eq!(get_user_by_id(1).await?, Some(ada));
    Ok(())
}
