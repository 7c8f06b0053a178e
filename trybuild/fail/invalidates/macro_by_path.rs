mod users {
    use millpond::cached;

    #[cached(prefix = "user")]
    pub async fn get_user(user_id: u64) -> u64 {
        user_id
    }
}

async fn forget(user_id: u64) {
    let _ = users::invalidate_user!(user_id).await;
}

fn main() {
    let _ = forget;
}
