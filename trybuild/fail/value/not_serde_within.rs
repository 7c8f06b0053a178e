use millpond::cached;
use std::{collections::HashMap, path::Path, sync::Arc};

pub struct User {
    pub id: u64,
}

#[derive(serde::Serialize, serde::Deserialize)]
pub struct Page<T> {
    pub rows: T,
}

#[cached(prefix = "by_id", ttl = "short")]
async fn users_by_id(team: u64) -> Result<HashMap<u64, Vec<User>>, String> {
    Ok(HashMap::from([(1, vec![User { id: team }])]))
}

#[cached(prefix = "users", unless = |page| page.0.rows.is_empty())]
async fn get_users(team: u64) -> (Page<Arc<[User]>>, Box<Path>) {
    (Page { rows: Arc::new([User { id: team }]) }, Path::new("").into())
}

fn main() {}
