use millpond::cached;
use std::collections::HashMap;

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct User {
    name: String,
}

mod db {
    use super::User;
    use std::collections::HashMap;
    use std::sync::atomic::{AtomicUsize, Ordering};

    pub static ROWS: AtomicUsize = AtomicUsize::new(0);

    pub async fn users(ids: &[u64]) -> Result<HashMap<u64, User>, std::io::Error> {
        ROWS.fetch_add(ids.len(), Ordering::Relaxed);
        let known = ids.iter().filter(|id| **id < 1_000);
        let user = |id: &u64| {
            (
                *id,
                User {
                    name: format!("user {id}"),
                },
            )
        };
        Ok(known.map(user).collect())
    }
}

#[cached(prefix = "user", key = "<user_id>", ttl = "1h")]
async fn get_user(user_id: u64) -> Result<Option<User>, std::io::Error> {
    Ok(db::users(&[user_id]).await?.remove(&user_id))
}

// The same entries, many at once. In `of`, the name of the list stands for one item.
#[cached(batch = ids, of = get_user(ids))]
async fn get_users(ids: &[u64]) -> Result<HashMap<u64, User>, std::io::Error> {
    db::users(ids).await // only those that are not cached
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    get_user(1).await?;
    let users = get_users(&[1, 2, 3, 5_000]).await?;
    assert_eq!(users[&3].name, "user 3");
    assert_eq!(db::ROWS.load(std::sync::atomic::Ordering::Relaxed), 4); // one for the call, three for the batch

    get_user::invalidate(2).await?;
    get_users(&[1, 2, 3, 5_000]).await?; // that 5_000 is nobody is cached, too
    assert_eq!(db::ROWS.load(std::sync::atomic::Ordering::Relaxed), 5);
    Ok(())
}
