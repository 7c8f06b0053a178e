use millpond::cached;

#[derive(serde::Serialize)]
pub struct User {
    pub id: u64,
}

#[cached(prefix = "user")]
async fn get_user(user_id: u64) -> Vec<User> {
    vec![User { id: user_id }]
}

fn main() {}
