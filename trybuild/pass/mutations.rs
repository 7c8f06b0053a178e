//! Entries of free functions and methods, before the body and after it.
use millpond::{cached, invalidates, updates};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct User {
    id: u64,
    org: String,
}

#[cached(prefix = "user")]
async fn get_user(id: u64) -> Result<Option<User>, String> {
    Ok(Some(User { id, org: String::new() }))
}

#[cached(prefix = "org")]
async fn get_org(org: &str, id: u64) -> Vec<User> {
    vec![User { id, org: org.to_owned() }]
}

#[cached(prefix = "plain")]
async fn get_plain(id: u64) -> User {
    User { id, org: String::new() }
}

#[cached(prefix = "owned")]
async fn get_owned(org: String) -> User {
    User { id: 1, org }
}

#[invalidates(get_user(user.id), get_org(&user.org, user.id), get_owned(user.org.clone()))]
async fn save(user: User) -> Result<(), String> {
    drop(user);
    Ok(())
}

#[invalidates(get_user(output.id), get_org(&org.clone(), output.id), get_plain(1), after = "always")]
async fn create(org: String) -> Result<User, String> {
    Ok(User { id: 3, org })
}

#[invalidates(get_user(output.id), crate = ::millpond)]
async fn touch(id: u64) -> User {
    User { id, org: String::new() }
}

#[invalidates(get_user(id))]
async fn nothing(id: u64) {
    let _ = id;
}

#[invalidates(get_user(*id))]
async fn borrowed<'a>(id: &'a u64) -> Result<&'a u64, &'a str> {
    Ok(id)
}

#[updates(get_user(user.id), get_plain(user.id), crate = ::millpond)]
async fn replace(user: User) -> Result<User, String> {
    Ok(user)
}

#[updates(get_user(id))]
async fn replace_maybe(id: u64) -> Option<User> {
    get_user(id).await.ok().flatten()
}

#[updates(get_user(id))]
#[invalidates(get_plain(id))]
async fn both(id: u64) -> Result<User, String> {
    get_user(id).await?.ok_or_else(String::new)
}

async fn calls() {
    let user = User { id: 1, org: String::new() };
    let _ = save(user.clone()).await;
    let _ = create(String::new()).await;
    let _ = touch(1).await;
    nothing(1).await;
    let _ = borrowed(&1).await;
    let _ = replace(user).await;
    let _ = replace_maybe(1).await;
    let _ = both(1).await;
    let _ = get_org("a", 1).await;
    let _ = get_owned(String::new()).await;
}

fn main() {
    drop(calls());
}
