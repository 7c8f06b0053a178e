use millpond::cached;

#[cached(prefix = "user", ttl = 5 m)]
async fn get_user(user_id: u64) -> u64 {
    user_id
}

fn main() {}
