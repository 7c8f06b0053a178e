//! What is cached: a user, 176 bytes as JSON, of a thousand.

use serde::{Deserialize, Serialize};

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

/// Stands for the database; a benchmark of hits comes here once for each user.
pub(crate) fn load(id: u64) -> User {
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
