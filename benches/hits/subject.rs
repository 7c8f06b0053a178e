//! What is cached: a user, about 180 bytes as JSON, one of a thousand.

use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) const USERS: u64 = 1_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    id: u64,
    name: String,
    email: String,
    city: String,
    roles: Vec<String>,
    active: bool,
    visits: u32,
}

static LOADS: AtomicU64 = AtomicU64::new(0);

/// Stands for the database; a benchmark of hits comes here once for each user.
pub(crate) fn load(id: u64) -> User {
    LOADS.fetch_add(1, Ordering::Relaxed);
    expected(id)
}

/// How often it was asked.
pub(crate) fn loads() -> u64 {
    LOADS.load(Ordering::Relaxed)
}

pub(crate) fn expected(id: u64) -> User {
    User {
        id,
        name: format!("Ada Lovelace the {id}th"),
        email: format!("ada.lovelace.{id:04}@example.org"),
        city: "Marylebone, London".to_owned(),
        roles: ["reader", "editor", "administrator"]
            .map(str::to_owned)
            .into(),
        active: true,
        visits: 1_815,
    }
}
