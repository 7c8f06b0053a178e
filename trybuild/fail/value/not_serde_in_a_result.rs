use millpond::cached;

pub struct User {
    pub id: u64,
}

#[cached(prefix = "user")]
async fn get_user(user_id: u64) -> Result<Option<User>, String> {
    Ok(Some(User { id: user_id }))
}

fn main() {}
