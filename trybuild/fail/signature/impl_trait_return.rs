use millpond::cached;

#[cached(prefix = "user")]
async fn get_user(user_id: u64) -> impl Iterator<Item = u64> {
    [user_id].into_iter()
}

fn main() {}
