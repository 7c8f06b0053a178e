//! `millpond-instructions <path> <calls> [<url> [<token>]]` makes so many calls on a hot path, in [`counted`]. What it
//! prepares does not count. `cargo test --test instructions` runs it under Callgrind.

use millpond::limit::{Limit, Limiter};
use millpond::{Millpond, cached, key, refresh, ttl};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const USERS: u64 = 1_000;
/// Coprime with the number of users, so that neighbours in time are none in memory.
const STRIDE: u64 = 379;
const ONE: Limit = Limit::fixed_window("ONE", 1, Duration::from_secs(3_600));
const MANY: Limit = Limit::fixed_window("MANY", 1_000_000_000, Duration::from_secs(3_600));
/// A busy machine, and Callgrind, must not look like a server that is down.
const PATIENCE: Duration = Duration::from_secs(60);

/// About 180 bytes of JSON.
#[derive(Clone, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
    email: String,
    city: String,
    roles: Vec<String>,
    active: bool,
    visits: u32,
}

fn load(id: u64) -> User {
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

#[cached(local = "only", prefix = "user", ttl = "1h", key = "<id>")]
fn local(id: u64) -> Arc<User> {
    Arc::new(load(id))
}

#[cached(local = "only", prefix = "name", ttl = "1h", key = "<name>")]
fn local_text(name: &str) -> Arc<User> {
    Arc::new(load(name.parse().unwrap_or(0)))
}

#[cached(local = "1h", prefix = "near", ttl = "1h", jitter = 0, key = "<id>")]
async fn near(id: u64) -> Arc<User> {
    Arc::new(load(id))
}

#[cached(prefix = "stored", ttl = "1h", key = "<id>")]
async fn stored(id: u64) -> User {
    load(id)
}

#[cached(batch = ids, of = stored(ids))]
async fn stored_all(ids: &[u64]) -> HashMap<u64, User> {
    ids.iter().map(|id| (*id, load(*id))).collect()
}

/// The only thing that is counted.
#[inline(never)]
fn counted<T>(work: impl FnOnce() -> T) -> T {
    work()
}

fn main() -> Outcome {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let [path, calls, ref server @ ..] = args[..] else {
        return Err("a path and a number of calls".into());
    };
    let calls = calls.parse()?;
    let builder = Millpond::builder().budget(PATIENCE);
    let pond = match server {
        [] => builder.memory(),
        [url] => builder.redis(*url),
        [url, token, ..] => builder.upstash(*url, *token),
    };
    let pond = pond.build()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    millpond::install(pond.clone())?;
    match path {
        "local" => each(calls, |id| drop(black_box(local(id)))),
        "local_text" => {
            let names: Vec<_> = (0..USERS).map(|id| id.to_string()).collect();
            each(calls, |id| {
                let name = usize::try_from(id).ok().and_then(|id| names.get(id));
                drop(black_box(local_text(name.map_or("", String::as_str))));
            });
        }
        "key" => each(calls, |id| {
            let name = black_box("ada-lovelace");
            drop(black_box(key!("user:<id>:<name>")));
        }),
        _ => runtime.block_on(prepared(path, &pond))?,
    }
    if !matches!(path, "local" | "local_text" | "key") {
        counted(|| runtime.block_on(called(path, calls, &pond)))?;
    }
    Ok(())
}

/// Every user once before it counts.
fn each(calls: u64, call: impl Fn(u64)) {
    (0..USERS).for_each(&call);
    counted(|| (0..calls).for_each(|number| call(black_box(number * STRIDE % USERS))));
}

async fn prepared(path: &str, pond: &Millpond) -> Outcome {
    match path {
        "blocked" => {
            let limiter = pond.limiter(&ONE);
            while limiter.check("user-42").await?.is_allowed() {}
        }
        _ => called(path, USERS, pond).await?,
    }
    Ok(())
}

async fn called(path: &str, calls: u64, pond: &Millpond) -> Outcome {
    let limiter = pond.limiter(&ONE);
    let ids = (0..calls).map(|number| black_box(number * STRIDE % USERS));
    match path {
        "near" => {
            for id in ids {
                drop(black_box(near(id).await));
            }
        }
        "hit" => {
            for id in ids {
                drop(black_box(stored(id).await));
            }
        }
        "batch_hit" | "batch_load" => {
            let all: Vec<u64> = (0..USERS).collect();
            for _ in 0..calls / USERS {
                let users = match path {
                    "batch_hit" => stored_all(&all).await,
                    _ => refresh(stored_all(&all)).await,
                };
                drop(black_box(users));
            }
        }
        "blocked" => blocked(&limiter, calls).await?,
        "check" => {
            let limiter = pond.limiter(&MANY);
            for _ in ids {
                drop(black_box(limiter.check(black_box("user-42")).await?));
            }
        }
        "encode" => {
            let user = load(42);
            for id in ids {
                pond.set(key!("set:<id>"), &user, ttl::LONG).await?;
            }
        }
        "decode" => {
            pond.set("set:42", &load(42), ttl::LONG).await?;
            for _ in ids {
                drop(black_box(pond.get::<User>("set:42").await?));
            }
        }
        other => return Err(format!("no path is called {other}").into()),
    }
    Ok(())
}

async fn blocked(limiter: &Limiter, calls: u64) -> Outcome {
    for _ in 0..calls {
        if limiter.check(black_box("user-42")).await?.is_allowed() {
            return Err("a refusal was expected".into());
        }
    }
    Ok(())
}
