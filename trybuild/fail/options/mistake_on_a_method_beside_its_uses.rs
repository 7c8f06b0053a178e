use millpond::{cached, invalidates};

struct Repo {
    tenant: u64,
}

impl Repo {
    #[cached(prefix = "user", key = "<self.tenant>:<user_id>", ttl = "5 min")]
    async fn get_user(&self, user_id: u64) -> u64 {
        user_id
    }

    #[invalidates(self.get_user(user_id))]
    async fn rename_user(&self, user_id: u64) {
        let _ = user_id;
    }
}

async fn calls(repo: &Repo) {
    let _ = repo.get_user_entry(3).get().await;
    let _ = repo.get_user(3).await;
    repo.rename_user(3).await;
}

fn main() {
    let _ = calls;
}
