use millpond::cached;

#[cached(prefix = "user")]
async fn get_user(user_id: u64) -> Result<Result<u64, String>, String> {
    Ok(Ok(user_id))
}

fn main() {}
