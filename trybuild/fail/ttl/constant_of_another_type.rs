use millpond::cached;

const SECONDS: u64 = 90;

#[cached(prefix = "user", ttl = SECONDS)]
async fn get_user(user_id: u64) -> u64 {
    user_id
}

fn main() {}
