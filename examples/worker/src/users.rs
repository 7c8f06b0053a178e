//! Users, who are kept by the origin and cached here.

use crate::answer::{self, Answer};
use crate::origin::{Origin, OriginError};
use millpond::{cached, invalidates};

#[cached(prefix = "user", ttl = "medium", key = "<id>", skip(origin))]
async fn find_user(origin: &Origin, id: u64) -> Result<Option<String>, OriginError> {
    origin.get(&format!("/users/{id}")).await
}

#[invalidates(find_user(id))]
async fn rename_user(origin: &Origin, id: u64, name: &str) -> Result<(), OriginError> {
    origin
        .send("PUT", &format!("/users/{id}"), Some(name))
        .await
        .map(drop)
}

pub async fn show(origin: &Origin, id: u64) -> Answer {
    match find_user(origin, id).await {
        Ok(Some(name)) => answer::text(200, &name),
        Ok(None) => answer::text(404, "no such user"),
        Err(OriginError(what)) => answer::text(502, &what),
    }
}

pub async fn rename(origin: &Origin, id: u64, name: &str) -> Answer {
    match rename_user(origin, id, name).await {
        Ok(()) => answer::text(204, ""),
        Err(OriginError(what)) => answer::text(502, &what),
    }
}
