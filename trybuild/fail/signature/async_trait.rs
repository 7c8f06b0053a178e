use millpond::cached;

use std::pin::Pin;

pub struct Repo;

impl Repo {
    // What #[async_trait] makes of `async fn get_user(&self, user_id: u64) -> u64`.
    #[cached(prefix = "user")]
    fn get_user<'life0, 'async_trait>(&'life0 self, user_id: u64) -> Pin<Box<dyn Future<Output = u64> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move { user_id })
    }
}

fn main() {}
