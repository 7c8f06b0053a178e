use millpond::cached;

#[derive(Clone)]
struct Repo;

impl Repo {
    #[cached(prefix = "user", key = "<id>", skip(self), companion = false, stale_if_error = "1h")]
    async fn get_user(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
