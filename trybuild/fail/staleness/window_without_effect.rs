use millpond::cached;

#[cached(prefix = "user", stale_while_revalidate = "1h", stale_if_error = "10m")]
async fn get_user(user_id: u64) -> u64 {
    user_id
}

fn main() {}
