use millpond::cached;

#[cached(prefix = "user")]
async fn get_user(user_id: u64) -> Result<Option<String>, String> {
    if user_id == 0 {
        return None;
    }
    Ok(user_id.to_string())
}

fn main() {}
