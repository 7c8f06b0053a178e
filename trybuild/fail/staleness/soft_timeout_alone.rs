use millpond::cached;

#[cached(prefix = "user", soft_timeout = "200ms", stale_while_revalidate = "30s")]
async fn get_user(user_id: u64) -> u64 {
    user_id
}

fn main() {}
