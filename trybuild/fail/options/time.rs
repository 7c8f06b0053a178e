use millpond::cached;

#[cached(prefix = "user", time = 60)]
async fn get_user(user_id: u64) -> u64 {
    user_id
}

fn main() {}
