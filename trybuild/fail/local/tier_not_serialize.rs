use millpond::cached;

#[derive(Clone)]
pub struct User {
    pub id: u64,
}

#[cached(prefix = "user", local = "5s")]
async fn get_user(id: u64) -> Option<User> {
    Some(User { id })
}

fn main() {}
