use millpond::cached;

pub struct UserId(u64);

#[cached(prefix = "user")]
async fn get_user(user_id: &UserId) -> u64 {
    user_id.0
}

fn main() {}
