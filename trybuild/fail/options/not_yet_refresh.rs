use millpond::cached;

#[cached(prefix = "user", refresh = 0.8)]
async fn get_user(user_id: u64) -> u64 {
    user_id
}

fn main() {}
