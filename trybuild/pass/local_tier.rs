//! `local = "5s"`, wherever a function can stand.
#![deny(unused)]

use std::{fmt::Display, sync::Arc, time::Duration};

use millpond::{Millpond, cached, invalidates, updates};
use serde::{Deserialize, Serialize};

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

    #[invalidates(self.find(id), self.find(..))]
    pub async fn forget(&self, id: u64) {
        let _ = id;
    }
}

#[cached(batch = ids, of = get_user(ids))]
pub async fn get_users(ids: Vec<u64>) -> Result<Vec<Option<User>>, Error> {
    Ok(ids.into_iter().map(|id| Some(User { id })).collect())
}

#[updates(get_user(id))]
pub async fn rename(id: u64) -> Result<User, Error> {
    Ok(User { id })
}

fn main() {
    let _ = (constant, old, sealed::<str>);
}
