use millpond::cached;

#[cached(prefix = "user", stale_while_revalidate = "0s")]
async fn get_user(user_id: u64) -> u64 {
    user_id
}

fn main() {}
