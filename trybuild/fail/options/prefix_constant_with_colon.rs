use millpond::cached;

const PREFIX: &str = "user:posts";

#[cached(prefix = PREFIX)]
async fn get_user(user_id: u64) -> u64 {
    user_id
}

fn main() {}
