use millpond::cached;

#[cached(prefix = "user", null_ttl = "30")]
async fn get_user(user_id: u64) -> Option<u64> {
    Some(user_id)
}

fn main() {}
