use millpond::{cached, invalidates};

#[cached(prefix = "user")]
async fn get_user(user_id: u64, page: u32) -> Result<Option<String>, String> {
    Ok(Some(format!("{user_id}{page}")))
}

#[invalidates(get_user(user_id, 1), tag = "org:<user_id>")]
async fn rename(user_id: u64) -> Result<u64, String> {
    Ok(user_id)
}

fn main() {}
