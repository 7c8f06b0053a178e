//! What `on` borrows from lives no longer than it takes to find the cache.

use millpond::{Millpond, cached};
use std::sync::{Arc, Mutex, RwLock};

struct State {
    pond: Millpond,
}

impl State {
    fn pond(&self) -> &Millpond {
        &self.pond
    }
}

struct Repo {
    state: Arc<State>,
    shared: RwLock<Millpond>,
    locked: Mutex<Millpond>,
}

impl Repo {
    fn state(&self) -> Arc<State> {
        Arc::clone(&self.state)
    }

    #[cached(prefix = "state", key = "<id>", skip(self), on = self.state().pond())]
    async fn state_of(&self, id: u64) -> u64 {
        id
    }

    #[cached(prefix = "shared", key = "<id>", skip(self), on = self.shared.read().unwrap())]
    async fn shared_of(&self, id: u64) -> u64 {
        id
    }

    #[cached(prefix = "near", key = "<id>", local = "1m", skip(self), on = self.shared.read().unwrap())]
    async fn near_of(&self, id: u64) -> u64 {
        id
    }

    #[cached(local = "only", key = "<id>", skip(self), on = self.shared.read().unwrap())]
    async fn kept_of(&self, id: u64) -> u64 {
        drop(self.shared.write().unwrap());
        id
    }

    #[cached(local = "only", key = "<id>", skip(self), on = self.locked.lock().unwrap())]
    fn kept_here_of(&self, id: u64) -> u64 {
        drop(self.locked.lock().unwrap());
        id
    }
}

#[cached(prefix = "owned", key = "<id>", skip(pond), on = pond.read().unwrap())]
async fn owned(pond: Arc<RwLock<Millpond>>, id: u64) -> u64 {
    drop(pond);
    id
}

#[cached(
    prefix = "stale",
    key = "<id>",
    stale_while_revalidate = "1m",
    skip(pond),
    on = pond.read().unwrap()
)]
async fn stale(pond: Arc<RwLock<Millpond>>, id: u64) -> u64 {
    drop(pond);
    id
}

fn sent<T: Send>(future: T) -> T {
    future
}

fn main() {
    let pond = Millpond::memory();
    let shared = Arc::new(RwLock::new(pond.clone()));
    let repo = Repo {
        state: Arc::new(State { pond: pond.clone() }),
        shared: RwLock::new(pond.clone()),
        locked: Mutex::new(pond),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for _ in 0..2 {
            assert_eq!(sent(repo.state_of(7)).await, 7);
            assert_eq!(sent(repo.shared_of(7)).await, 7);
            assert_eq!(sent(repo.near_of(7)).await, 7);
            assert_eq!(sent(repo.kept_of(7)).await, 7);
            assert_eq!(repo.kept_here_of(7), 7);
            assert_eq!(sent(owned(Arc::clone(&shared), 7)).await, 7);
            assert_eq!(sent(stale(Arc::clone(&shared), 7)).await, 7);
        }
    });
    assert_eq!(repo.state.pond.stats().prefix("state").hits, 1);
}
