use millpond::cached;

#[cached(prefix = "user", key = "<user_id>")]
async fn get_user(user_id: u64) -> Result<Option<String>, String> {
    Ok(Some(user_id.to_string()))
}

#[cached(prefix = "user", key = "<user_id>", shares = get_user)]
async fn count_users(user_id: u64) -> Option<u64> {
    Some(user_id)
}

fn main() {}
