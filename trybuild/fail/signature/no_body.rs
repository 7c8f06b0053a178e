use millpond::cached;

pub trait Users {
    #[cached(prefix = "user")]
    async fn get_user(&self, user_id: u64) -> u64;
}

fn main() {}
