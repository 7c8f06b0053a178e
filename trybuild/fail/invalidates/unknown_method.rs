use millpond::{cached, invalidates};

pub struct Repo;

impl Repo {
    #[cached(prefix = "user", skip(self))]
    async fn get_user(&self, user_id: u64) -> u64 {
        user_id
    }

    #[invalidates(self.get_usr(user_id))]
    pub async fn rename(&self, user_id: u64) -> Result<u64, String> {
        Ok(self.get_user(user_id).await)
    }
}

fn main() {}
