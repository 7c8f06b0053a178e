//! Every return type that can be cached, and what stands beside a free function.
use std::sync::Arc;

use millpond::cached;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct User {
    id: u64,
}

#[derive(Debug)]
pub struct DbError;

type DbResult<T> = Result<T, DbError>;
type Lookup = Result<Option<User>, DbError>;

/// A value.
#[cached(prefix = "count")]
async fn count_users(team: &str) -> usize {
    team.len()
}

#[cached(prefix = "maybe", key = "<id>", invalidate = false)]
async fn find_user(id: u64) -> Option<User> {
    (id > 0).then_some(User { id })
}

#[cached(prefix = "user", ttl = "medium", key = "<id>:profile")]
pub async fn get_user(id: u64) -> Result<Option<User>, DbError> {
    let found = find_user(id).await;
    if found.is_none() {
        return Err(DbError);
    }
    Ok(found)
}

#[cached(prefix = "alias", invalidate = "forget_user")]
async fn load_user(id: u64) -> DbResult<User> {
    let user = get_user(id).await?.ok_or(DbError)?;
    Ok(user)
}

#[cached(prefix = "hidden_alias")]
async fn lookup(id: u64) -> Lookup {
    get_user(id).await
}

#[cached(prefix = "shared")]
async fn shared(id: u64) -> Arc<Vec<User>> {
    Arc::new(vec![User { id }])
}

#[cached(prefix = "full")]
async fn full(id: u64) -> std::result::Result<Arc<str>, std::num::ParseIntError> {
    Ok(Arc::from(id.to_string().parse::<u64>()?.to_string()))
}

#[cached(prefix = "constant")]
async fn constant() -> u8 {
    7
}

#[cached(prefix = "done")]
async fn verify(token: &str) -> Result<(), DbError> {
    if token.is_empty() { Err(DbError) } else { Ok(()) }
}

#[cached(prefix = "never")]
async fn not_written(id: u64) -> Result<User, DbError> {
    let _ = id;
    unreachable!("nobody calls it")
}

async fn calls() {
    let _: usize = count_users("a").await;
    let _: Option<User> = find_user(1).await;
    let _: Result<Option<User>, DbError> = get_user(1).await;
    let _: Result<User, DbError> = load_user(1).await;
    let _: Lookup = lookup(1).await;
    let _: Arc<Vec<User>> = shared(1).await;
    let _ = full(1).await;
    let _: u8 = constant().await;
    let _ = verify("x").await;
    let _ = not_written(1).await;
    let _ = get_user::entry(1).key();
    let _ = millpond::refresh(get_user(1)).await;
    let _ = millpond::uncached(get_user(1)).await;
    let _ = get_user::invalidate(1).await;
    let _ = invalidate_user!(1,).await;
    let _ = forget_user!(1).await;
    let _ = invalidate_constant!().await;
    let _ = invalidate_count_users!("a").await;
}

fn main() {
    drop(calls());
}
