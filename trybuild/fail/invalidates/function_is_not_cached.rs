use millpond::invalidates;

pub async fn get_user(user_id: u64) -> u64 {
    user_id
}

#[invalidates(get_user(user_id))]
pub async fn rename(user_id: u64) -> Result<u64, String> {
    Ok(user_id)
}

fn main() {}
