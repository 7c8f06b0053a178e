use millpond::cached;

#[cached(prefix = "user", tll = "5m")]
async fn get_user(user_id: u64) -> u64 {
    user_id
}

pub async fn forget(user_id: u64) {
    let _ = get_user::invalidate(user_id).await;
    let _ = invalidate_user!(user_id).await;
    let _ = get_user::entry(user_id).key();
    let _ = get_user(user_id).await;
}

fn main() {}
