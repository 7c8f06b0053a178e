use millpond::cached;

#[cached(prefix = "user", stale_while_revalidate = "1h")]
async fn get_user(user_id: u64) -> u64 {
    let unused = 1;
    user_id.to_string()
}

fn main() {}
