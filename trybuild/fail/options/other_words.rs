use millpond::cached;

#[cached(name = "user", expires_in = "5m", condition = user_id > 3, ignore(page))]
async fn get_user(user_id: u64, page: u64) -> u64 {
    user_id + page
}

fn main() {}
