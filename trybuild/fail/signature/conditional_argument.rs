use millpond::cached;

#[cached(prefix = "user")]
async fn get_user(user_id: u64, #[cfg(not(unix))] page: u64) -> u64 {
    user_id
}

fn main() {}
