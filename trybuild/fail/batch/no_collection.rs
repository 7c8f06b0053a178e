use millpond::cached;

#[cached(prefix = "user", key = "<id>")]
async fn get_user(id: u64) -> Option<String> {
    Some(id.to_string())
}

#[cached(batch = ids, of = get_user(ids))]
async fn get_users(ids: &[u64]) -> Vec<String> {
    ids.iter().map(u64::to_string).collect()
}

fn main() {}
