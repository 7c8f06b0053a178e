use millpond::cached;

#[cached(prefix = "user")]
async fn get_user(user_id: u64) -> Option<Result<u64, String>> {
    Some(Ok(user_id))
}

fn main() {}
