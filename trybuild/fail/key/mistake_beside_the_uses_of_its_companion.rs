use millpond::{cached, invalidates};

#[cached(prefix = "user", key = "<user_id")]
async fn get_user(user_id: u64) -> Result<Option<String>, String> {
    Ok(Some(user_id.to_string()))
}

#[invalidates(get_user(user_id))]
async fn rename_user(user_id: u64) -> Result<(), String> {
    drop(invalidate_user!(user_id).await);
    Ok(())
}

async fn calls() {
    let _ = get_user::entry(3).get().await;
    let _ = get_user::invalidate(3).await;
    let _ = rename_user(3).await;
}

fn main() {
    let _ = calls;
}
