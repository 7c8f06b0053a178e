use millpond::rate_limited;

#[rate_limited(limit = 5, per = 1 h, id = user_id)]
async fn get_user(user_id: u64) -> Result<u64, millpond::RateLimited> {
    Ok(user_id)
}

fn main() {}
