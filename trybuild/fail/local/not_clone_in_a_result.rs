use millpond::cached;

pub struct User {
    pub id: u64,
}

#[cached(local = "only", key = "<id>")]
async fn get_user(id: u64) -> Result<User, String> {
    Ok(User { id })
}

fn main() {}
