//! Every attribute and macro, for futures that stay on their thread: `tests/edge/check` builds it for the edge, where
//! nothing is `Send` that touches JavaScript.

use millpond::limit::{Limit, RateLimited};
use millpond::{Millpond, Tag, cached, invalidates, key, rate_limited, updates};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Stands for a value of JavaScript.
type Local = Rc<str>;

#[derive(Clone, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
}

async fn load(id: u64, local: Local) -> Result<Option<User>, std::fmt::Error> {
    std::future::ready(()).await;
    let name = local.to_string();
    Ok(Some(User { id, name }))
}

#[millpond::tag("org:<org>")]
fn org(org: u64) -> Tag;

#[millpond::tag("~name:<name>")]
fn named(name: &str) -> Tag;

#[cached(
    prefix = "user",
    ttl = "medium",
    null_ttl = "short",
    key = "<id>",
    skip(local),
    tags(org(7), "all"),
    all
)]
async fn get_user(id: u64, local: Local) -> Result<Option<User>, std::fmt::Error> {
    load(id, local).await
}

#[cached(prefix = "person", key = "<id>", tags_of = |user: &Option<User>| user.iter().map(|user| named(&user.name)).collect::<Vec<_>>(), skip(local))]
async fn get_person(id: u64, local: Local) -> Result<Option<User>, std::fmt::Error> {
    load(id, local).await
}

#[cached(batch = ids, of = get_person(ids))]
async fn get_people(ids: &[u64], local: Local) -> Result<HashMap<u64, User>, std::fmt::Error> {
    let mut people = HashMap::new();
    for id in ids {
        people.extend(load(*id, Rc::clone(&local)).await?.map(|user| (*id, user)));
    }
    Ok(people)
}

#[cached(
    prefix = "page",
    key = "<id>",
    ttl = "1m",
    stale_while_revalidate = "1h",
    stale_if_error = "1d",
    soft_timeout = "2s",
    refresh_ahead = 0.8
)]
async fn get_page(id: u64) -> Result<Option<u64>, std::fmt::Error> {
    std::future::ready(Ok(Some(id))).await
}

#[cached(local = "only", ttl = "1m")]
async fn shard(id: u64) -> Arc<str> {
    std::future::ready(()).await;
    id.to_string().into()
}

#[cached(local = "only", ttl = "1m")]
fn length(text: &str) -> usize {
    text.len()
}

#[cached(
    prefix = "answer",
    key = "<prompt:sha256>",
    ttl = "1h",
    guard = false,
    jitter = 0.1,
    compress,
    skip(local)
)]
async fn answer(prompt: &str, local: &Local) -> String {
    std::future::ready(()).await;
    format!("{prompt}: {local}")
}

#[cached(prefix = "token", key = "<id>", ttl_of = |life: &u64| Duration::from_secs(*life), unless = |life| *life == 1,
    when = id > 0, flight = "off", version = 2, share_errors = false)]
async fn token(id: u64) -> Result<u64, std::fmt::Error> {
    std::future::ready(Ok(id)).await
}

#[invalidates(get_user(id), get_user(..), org(7))]
async fn rename(id: u64, local: Local) -> Result<(), std::fmt::Error> {
    load(id, local).await.map(drop)
}

#[updates(get_user(id), org(8))]
async fn replace(id: u64, local: Local) -> Result<Option<User>, std::fmt::Error> {
    load(id, local).await
}

const EXPORT: Limit = Limit::sliding_window("EXPORT", 5, Duration::from_secs(60));

#[rate_limited(kind = EXPORT, id = id)]
#[rate_limited(
    limit = 100,
    per = "1m",
    algorithm = "token_bucket",
    cost = 2,
    on_outage = "allow"
)]
async fn export(id: u64, local: Local) -> Result<String, RateLimited> {
    std::future::ready(()).await;
    Ok(format!("{id}: {local}"))
}

struct Repo {
    pond: Millpond,
    shard: Local,
}

impl Repo {
    #[cached(prefix = "team", key = "<self.shard>:<id>", on = self.pond, all)]
    async fn team(&self, id: u64) -> Option<u64> {
        std::future::ready(Some(id)).await
    }

    #[invalidates(self.team(id), self.team(..))]
    async fn rename_team(&self, id: u64) -> Option<u64> {
        std::future::ready(Some(id)).await
    }
}

async fn all_of_it(pond: Millpond, local: Local) -> Result<(), Box<dyn std::error::Error>> {
    get_user(7, Rc::clone(&local)).await?;
    get_user::invalidate(7).await?;
    get_user::invalidate_all().await?;
    org::invalidate(7).await?;
    invalidate_user!(7).await?;
    millpond::refresh(get_user(7, Rc::clone(&local))).await?;
    get_person(7, Rc::clone(&local)).await?;
    get_people(&[7, 8], Rc::clone(&local)).await?;
    named::invalidate("Ada").await?;
    get_page(7).await?;
    answer("why", &local).await;
    length(&shard(7).await);
    token(7).await?;
    rename(7, Rc::clone(&local)).await?;
    replace(7, Rc::clone(&local)).await?;
    export(7, Rc::clone(&local)).await?;
    let repo = Repo {
        pond: pond.clone(),
        shard: local,
    };
    repo.team(7).await;
    repo.rename_team(7).await;
    let page = 7;
    pond.increment(key!("views:<page>"), 1, millpond::ttl::WEEK)
        .await?;
    pond.flush().await?;
    Ok(())
}

fn main() {
    // Never polled: what is held here is that it builds.
    drop(all_of_it(Millpond::memory(), "local".into()));
}
