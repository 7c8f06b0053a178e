use millpond::cached;

#[cached(prefix = "user")]
fn get_user(user_id: u64) -> impl Future<Output = u64> {
    async move { user_id }
}

fn main() {}
