use millpond::cached;

trait Users {
    async fn get_user(&self, user_id: u64) -> u64;
}

struct Repo;

impl Users for Repo {
    #[cached(prefix = "user", skip(self))]
    async fn get_user(&self, user_id: u64) -> u64 {
        user_id
    }
}

fn main() {}
