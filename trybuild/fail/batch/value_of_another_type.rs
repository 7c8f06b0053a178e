use millpond::cached;
use std::collections::HashMap;

#[cached(prefix = "user", key = "<id>")]
async fn get_user(id: u64) -> Option<String> {
    Some(id.to_string())
}

#[cached(batch = ids, of = get_user(ids))]
async fn get_users(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

fn main() {}
