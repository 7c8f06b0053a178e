use millpond::{cached, updates};

#[cached(prefix = "user")]
async fn get_user(user_id: u64, page: u32) -> Result<Option<String>, String> {
    Ok(Some(format!("{user_id}{page}")))
}

#[updates(get_user(user_id, 1), after = "always")]
async fn rename(user_id: u64) -> Result<String, String> {
    Ok(user_id.to_string())
}

fn main() {}
