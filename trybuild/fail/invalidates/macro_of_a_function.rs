use millpond::{cached, invalidates};

#[cached(prefix = "user")]
async fn get_user(user_id: u64) -> u64 {
    user_id
}

#[invalidates(invalidate_user!(user_id))]
async fn rename_user(user_id: u64) {
    let _ = user_id;
}

fn main() {}
