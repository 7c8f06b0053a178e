use millpond::cached;

#[cached(prefix = "user", unless = user_id == 0)]
async fn get_user(user_id: u64) -> u64 {
    user_id
}

fn main() {}
