use millpond::cached;

#[cached(prefix = "user")]
async fn get_user(user_id: u64) -> &'static str {
    if user_id > 0 { "a" } else { "b" }
}

fn main() {}
