//! Functions that use the entries of another one on purpose.
#![deny(warnings)]
use millpond::cached;
use serde::{Serialize, de::DeserializeOwned};

mod users {
    #[millpond::cached(prefix = "user", key = "<id>")]
    pub(crate) async fn get_user(id: u64) -> Result<Option<String>, std::num::ParseIntError> {
        Ok(Some(id.to_string()))
    }
}

// Whether it can fail is not what is cached.
#[cached(prefix = "user", key = "<name>", shares = users::get_user)]
async fn find_user(name: &str) -> Option<String> {
    Some(name.to_owned())
}

#[cached(prefix = "row", key = "<id>", skip(T))]
async fn row<T: Default + Serialize + DeserializeOwned>(id: u64) -> T {
    let _ = id;
    T::default()
}

#[cached(prefix = "row", key = "<id>", shares = row::<u64>)]
async fn number(id: u64) -> Result<u64, String> {
    Ok(id)
}

struct Repo {
    name: &'static str,
}

impl Repo {
    #[cached(prefix = "repo", key = "<self.name>:<id>")]
    async fn get(&self, id: u64) -> String {
        id.to_string()
    }

    #[cached(prefix = "repo", key = "<self.name>:<id>", shares = Self::get, skip(page))]
    async fn find(&self, id: u64, page: u64) -> Result<String, String> {
        Ok(format!("{id}{page}"))
    }
}

#[cached(prefix = "repo", key = "<repo.name>:<id>", shares = Repo::get)]
async fn find_in(repo: &Repo, id: u64) -> String {
    repo.get(id).await
}

async fn calls() {
    let repo = Repo { name: "a" };
    let _ = (users::get_user(1).await, find_user("1").await, row::<u64>(1).await, number(1).await);
    let _ = (repo.get(1).await, repo.find(1, 2).await, find_in(&repo, 1).await);
}

fn main() {
    drop(calls());
}
