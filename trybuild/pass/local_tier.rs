//! `local = "5s"`, wherever a function can stand.
#![deny(unused)]

use std::{collections::HashMap, fmt::Display, sync::Arc, time::Duration};

use millpond::{Millpond, cached, invalidates, updates};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    pub id: u64,
}

/// Neither `Send` nor `Clone`.
pub struct Error(#[allow(dead_code)] std::rc::Rc<u8>);

const NEAR: Duration = Duration::from_secs(5);

#[cached(prefix = "user", key = "<id>", local = "5s")]
pub async fn get_user(id: u64) -> Result<Option<User>, Error> {
    Ok(Some(User { id }))
}

#[cached(prefix = "near", local = NEAR)]
async fn constant(id: u64) -> u64 {
    id
}

#[cached(prefix = "old", key = "<id>", local = "5s", stale_while_revalidate = "1m", skip(log))]
async fn old(id: u64, log: &str) -> String {
    format!("{id}{log}")
}

#[cached(prefix = "text", key = "<id>", local = "5s", companion = false, encrypt, local_plain)]
async fn sealed<T: Display + ?Sized + Sync>(id: &T) -> Option<String> {
    Some(id.to_string())
}

pub struct Repo<K> {
    pub pond: Millpond,
    pub kind: K,
}

impl<K: Display + Send + Sync> Repo<K> {
    #[cached(
        prefix = "repo",
        key = "<self.kind>:<id>",
        on = self.pond,
        local = "5s",
        tags("kind:<self.kind>"),
        all
    )]
    pub async fn find(&self, id: u64) -> Result<Arc<str>, String> {
        Ok(format!("{}{id}", self.kind).into())
    }

    #[cached(batch = ids, of = self.find(*ids))]
    pub async fn find_many(&self, ids: &[u64]) -> Result<HashMap<u64, Arc<str>>, String> {
        let name = |id: &u64| (*id, format!("{}{id}", self.kind).into());
        Ok(ids.iter().map(name).collect())
    }

    #[invalidates(self.find(id), self.find(..))]
    pub async fn forget(&self, id: u64) {
        let _ = id;
    }
}

#[cached(batch = ids, of = get_user(ids))]
pub async fn get_users(ids: Vec<u64>) -> Result<Vec<Option<User>>, Error> {
    Ok(ids.into_iter().map(|id| Some(User { id })).collect())
}

#[cached(prefix = "any", key = "<id>", local = "5s", skip(T))]
async fn get_any<T>(id: u64) -> Option<T>
where
    T: Clone + Default + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    (id > 0).then(T::default)
}

#[cached(batch = ids, of = get_any::<T>(ids))]
async fn get_all<T>(ids: &[u64]) -> Vec<Option<T>>
where
    T: Clone + Default + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    ids.iter().map(|id| (*id > 0).then(T::default)).collect()
}

#[updates(get_user(id))]
pub async fn rename(id: u64) -> Result<User, Error> {
    Ok(User { id })
}

fn main() {
    let _ = (constant, old, sealed::<str>, get_any::<u64>, get_all::<u64>);
}
