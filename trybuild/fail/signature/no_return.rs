use millpond::cached;

#[cached(prefix = "user")]
async fn get_user(user_id: u64) {
    let _ = user_id;
}

fn main() {}
