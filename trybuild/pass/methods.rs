//! In an `impl`: every receiver, none, and what `self` gives to the key.
use std::{fmt, sync::Arc};

use millpond::{Millpond, RateLimited, cached, invalidates, rate_limited, updates};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

#[derive(Clone, Serialize, Deserialize)]
struct User {
    id: u64,
}

#[derive(Clone)]
struct Repo {
    tenant: String,
    pond: Millpond,
    reads: usize,
}

impl Repo {
    const TTL: std::time::Duration = std::time::Duration::from_secs(30);
    const PREFIX: &'static str = "repo";

    #[cached(prefix = "user", key = "<self.tenant>:<id>", on = self.pond)]
    pub async fn get_user(&self, id: u64) -> Result<Option<User>, String> {
        Ok((id > 0).then_some(User { id }))
    }

    #[cached(prefix = "shared", skip(self))]
    async fn shared(self: Arc<Self>, id: u64) -> u64 {
        id + u64::try_from(self.tenant.len()).unwrap_or_default()
    }

    #[cached(prefix = Self::PREFIX, ttl = Self::TTL, skip(self))]
    async fn counted(&mut self, id: u64) -> usize {
        self.reads += 1;
        self.reads + usize::try_from(id).unwrap_or_default()
    }

    #[cached(prefix = "owned", key = "<self.tenant>:<id>")]
    async fn owned(self, id: u64) -> String {
        format!("{}{id}", self.tenant)
    }

    #[cached(prefix = "owned", key = "<self.tenant>:<id>")]
    async fn changed(mut self, mut id: u64) -> String {
        id += 1;
        self.tenant.push('x');
        format!("{}{id}", self.tenant)
    }


    #[cached(prefix = "make", skip(this))]
    async fn make(this: &Self, id: u64) -> u64
    where
        Self: fmt::Display,
    {
        id + u64::try_from(this.tenant.len()).unwrap_or_default()
    }

    #[cached(prefix = "plain", in_impl)]
    async fn plain(id: u64) -> u64 {
        id
    }

    #[cached(prefix = "body")]
    async fn body(id: u64) -> u64 {
        Self::plain(id).await
    }

    #[cached(prefix = "static", companion = false, skip(self, Self))]
    async fn alone(&self, id: u64) -> u64 {
        id
    }

    #[cached(prefix = "named", companion = "other", skip(self))]
    async fn named(&self, id: u64) -> u64 {
        id
    }

    #[invalidates(self.get_user(id), Self::plain(id), Repo::body(id), self.clone().other(id))]
    async fn rename_user(&mut self, id: u64) -> Result<(), String> {
        self.reads = usize::try_from(id).unwrap_or_default();
        Ok(())
    }

    #[updates(self.get_user(user.id))]
    async fn save(&self, user: User) -> Result<User, String> {
        Ok(user)
    }
}

impl fmt::Display for Repo {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.tenant)
    }
}

struct Service {
    pond: Arc<Millpond>,
}

impl Service {
    #[cached(prefix = "pond", on = &self.pond, skip(self))]
    async fn by_reference(&self, id: u64) -> u64 {
        id
    }

    #[cached(prefix = "pond", on = self.pond, skip(self), version = 2)]
    async fn by_value(&self, id: u64) -> u64 {
        id
    }

    #[rate_limited(kind = "API", on = &self.pond)]
    async fn limited(&self) -> Result<(), RateLimited> {
        Ok(())
    }
}

struct Store<T> {
    name: &'static str,
    last: Option<T>,
}

impl<T: Clone + Serialize + DeserializeOwned + Send + Sync> Store<T> {
    #[cached(prefix = "store", key = "<self.name>")]
    async fn last(&self) -> Result<Option<T>, String> {
        Ok(self.last.clone())
    }

    #[invalidates(self.last())]
    async fn clear(&mut self) {
        self.last = None;
    }
}

async fn calls(mut repo: Repo) {
    let _ = repo.get_user(1).await;
    let _ = repo.get_user_entry(1).key();
    let _ = Arc::new(repo.clone()).shared(2).await;
    let _ = repo.counted(2).await;
    let _ = repo.rename_user(3).await;
    let _ = repo.save(User { id: 3 }).await;
    let _ = Repo::plain_entry(4).key();
    let _ = Repo::body_entry(4).key();
    let _ = repo.alone(2).await + repo.named(3).await + Repo::body(4).await;
    let _ = repo.other_entry(4).key();
    let _ = Repo::make(&repo, 4).await;
    let _ = Repo::make_entry(4).key();
    let _ = repo.clone().owned(4).await;
    let _ = repo.changed(4).await;
    let service = Service { pond: Arc::new(Millpond::memory()) };
    let _ = (service.by_reference(1).await, service.by_value(1).await, service.limited().await);
    let _ = (service.by_reference_entry(1).key(), service.by_value_entry(1).key());
    let mut store = Store { name: "a", last: Some(3_u8) };
    let _ = store.last().await;
    store.clear().await;
    let _ = store.last_entry().key();
}

fn main() {
    let _ = calls;
}
