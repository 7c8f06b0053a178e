use millpond::cached;

pub struct User {
    pub id: u64,
}

#[cached(local = "only")]
fn get_user(id: u64) -> Option<User> {
    Some(User { id })
}

fn main() {}
