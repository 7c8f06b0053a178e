use millpond::cached;

#[cached(prefix = "user")]
async fn get_user(user_id: u64) -> Result<impl std::fmt::Display, String> {
    Ok(user_id)
}

fn main() {}
