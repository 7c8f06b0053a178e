use millpond::cached;

#[cached(prefix = "user", shares = "users::get_user")]
async fn find_user(user_id: u64) -> u64 {
    user_id
}

fn main() {}
