//! A hit that stays in this process.

use crate::Outcome;
use crate::contestant::Contestant;
use crate::subject::{USERS, User, load};
use millpond::Millpond;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const TTL: Duration = Duration::from_hours(1);

/// JSON under a rendered key, decoded on every hit; single flight, guards, counters.
#[millpond::cached(prefix = "user", ttl = "1h", key = "<id>")]
async fn attribute(id: u64) -> User {
    load(id)
}

/// Values as they are, by a function that sends nothing.
#[millpond::cached(prefix = "local-user", ttl = "1h", key = "<id>", local = "only")]
async fn local(id: u64) -> User {
    load(id)
}

/// The same storage with nothing around it: JSON, a rendered key, a deadline; no bound on memory,
/// no single flight, no counters.
#[derive(Default)]
struct ByHand(Mutex<HashMap<String, (Vec<u8>, Instant)>>);

impl ByHand {
    fn get(&self, id: u64) -> Outcome<User> {
        let key = format!("user:{id}");
        let mut users = self.0.lock().map_err(|_| "poisoned")?;
        if let Some((json, until)) = users.get(&key)
            && *until > Instant::now()
        {
            return Ok(serde_json::from_slice(json)?);
        }
        let user = load(id);
        let json = serde_json::to_vec(&user)?;
        users.insert(key, (json, Instant::now() + TTL));
        Ok(user)
    }
}

/// A bound and a lifetime, values cloned on a hit, no codec; concurrent callers load twice.
#[cached::macros::cached(
    max_size = 10_000,
    ttl_secs = 3_600,
    key = "String",
    convert = { format!("user:{id}") }
)]
#[allow(clippy::unused_async, reason = "the contestants are async functions")]
async fn peer(id: u64) -> User {
    std::future::ready(load(id)).await
}

/// The first is what the others are compared with.
pub(crate) fn contestants() -> Outcome<Vec<Contestant>> {
    millpond::install(Millpond::memory())?;
    let by_hand = ByHand::default();
    // A bound and a lifetime, values cloned on a hit, no codec; `get` alone loads nothing.
    let moka = moka::future::Cache::builder()
        .max_capacity(10_000)
        .time_to_live(TTL)
        .build();
    Ok(vec![
        Contestant::new("by hand", async move |id| {
            by_hand.get(id).unwrap_or_else(|_| load(id))
        }),
        Contestant::new("millpond", attribute),
        Contestant::new("moka", async move |id| {
            let key = format!("user:{id}");
            if let Some(user) = moka.get(&key).await {
                return user;
            }
            let user = load(id);
            moka.insert(key, User::clone(&user)).await;
            user
        }),
        Contestant::new("cached", peer),
    ])
}

/// What each hit of a cache does that decodes: the JSON is read, and the caller frees the user.
pub(crate) const JSON: &str = "`serde_json` alone";

pub(crate) fn json_alone() -> Outcome<Contestant> {
    let texts: Result<Vec<String>, _> = (0..USERS)
        .map(|id| serde_json::to_string(&load(id)))
        .collect();
    let texts = texts?;
    Ok(Contestant::new(JSON, async move |id| {
        let text = usize::try_from(id).ok().and_then(|id| texts.get(id));
        let user = text.and_then(|text| serde_json::from_str(text).ok());
        user.unwrap_or_else(|| load(id))
    }))
}

/// Those of millpond, for what changes with its features.
pub(crate) const OWN: [&str; 2] = ["millpond", "millpond, `local = \"only\"`"];

/// One contestant with everything in its cache: what to run under a profiler.
pub(crate) async fn filled(name: &str) -> Outcome<Contestant> {
    let mut contestants = contestants()?;
    contestants.push(Contestant::new(OWN[1], local));
    contestants.push(json_alone()?);
    let at = contestants.iter().position(|it| it.name == name);
    let contestant = contestants.swap_remove(at.ok_or("a name that the tables have")?);
    contestant.fill().await;
    Ok(contestant)
}
