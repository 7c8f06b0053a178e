use millpond::cached;

struct Repo;

impl Repo {
    #[cached(prefix = "user")]
    async fn get_user(&self, user_id: u64) -> u64 {
        user_id
    }
}

fn main() {}
