use millpond::cached;

trait Users {
    async fn get_user(&self, id: u64) -> u64;
}

#[derive(Clone)]
struct Repo;

impl Users for Repo {
    #[cached(prefix = "user", key = "<id>", skip(self), companion = false, stale_if_error = "1h")]
    async fn get_user(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
