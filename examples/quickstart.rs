//! What millpond does, told by the function bodies that run and the commands that are sent.
//!
//! `cargo run --example quickstart` uses the embedded engine. With `UPSTASH_REDIS_REST_URL` and
//! `UPSTASH_REDIS_REST_TOKEN` set it runs against that database.

use millpond::{Millpond, cached, invalidates};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
}

#[derive(Debug)]
struct DbError;

/// A database that takes its time.
static DATABASE: LazyLock<Mutex<HashMap<u64, User>>> = LazyLock::new(|| {
    let ada = User {
        id: 1,
        name: "Ada".to_owned(),
    };
    Mutex::new(HashMap::from([(1, ada)]))
});

/// How many function bodies ran.
static BODIES: AtomicU32 = AtomicU32::new(0);

#[cached(prefix = "quickstart-user", ttl = "medium", key = "<user_id>")]
async fn get_user(user_id: u64) -> Result<Option<User>, DbError> {
    BODIES.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(30)).await;
    Ok(DATABASE
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&user_id)
        .cloned())
}

#[invalidates(get_user(user_id))]
async fn rename_user(user_id: u64, name: &str) -> Result<(), DbError> {
    let mut users = DATABASE.lock().unwrap_or_else(PoisonError::into_inner);
    let user = users.get_mut(&user_id).ok_or(DbError)?;
    name.clone_into(&mut user.name);
    Ok(())
}

/// Runs a step and prints what came out, how long it took and what it cost.
async fn step<T: std::fmt::Debug>(pond: &Millpond, what: &str, call: impl Future<Output = T>) {
    let (commands, bodies) = (pond.stats().commands, BODIES.load(Ordering::Relaxed));
    let start = Instant::now();
    let result = call.await;
    let took = start.elapsed();
    let commands = pond.stats().commands - commands;
    let bodies = BODIES.load(Ordering::Relaxed) - bodies;
    println!("{what}");
    println!("    {result:?}");
    println!("    {took:.2?}, {bodies} bodies run, {commands} commands sent\n");
}

#[tokio::main]
async fn main() -> Result<(), millpond::Error> {
    let pond = Millpond::from_env()?;
    let remote = [
        "UPSTASH_REDIS_REST_URL",
        "KV_REST_API_URL",
        "UPSTASH_REDIS_URL",
    ]
    .iter()
    .any(|name| std::env::var(name).is_ok_and(|url| !url.trim().is_empty()));
    if remote {
        println!("Running against the Upstash database that the environment names.\n");
    } else {
        println!(
            "Running on the embedded engine; nothing is configured, nothing leaves this process."
        );
        println!("Set UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN to use a database.\n");
    }
    millpond::install(pond.clone())?;
    // What an earlier run may have left.
    for user_id in [1, 404] {
        get_user::invalidate(user_id).await?;
    }

    step(
        &pond,
        "A miss: the body runs, and its result is stored.",
        get_user(1),
    )
    .await;
    step(&pond, "A hit: the body does not run.", get_user(1)).await;
    step(&pond, "Nobody there: `None` is cached too …", get_user(404)).await;
    step(&pond, "… so asking again costs no query.", get_user(404)).await;
    step(
        &pond,
        "#[invalidates(get_user(user_id))] on the function that changes it.",
        async { rename_user(1, "Ada Lovelace").await },
    )
    .await;
    step(&pond, "The next read sees the change.", get_user(1)).await;
    step(&pond, "invalidate_user!(1), by hand.", async {
        invalidate_user!(1).await
    })
    .await;
    step(
        &pond,
        "A hundred callers at once of a key that is not cached: one body.",
        async {
            let calls: Vec<_> = (0..100).map(|_| pond.spawn(get_user(1))).collect();
            let mut answers = 0;
            for call in calls {
                answers += usize::from(matches!(call.await, Ok(Ok(Some(_)))));
            }
            answers
        },
    )
    .await;

    let stats = pond.stats();
    println!(
        "In all: {} hits, {} cached nothings, {} misses, {} shared loads; {} commands in {} requests.",
        stats.cache.hits,
        stats.cache.null_hits,
        stats.cache.misses,
        stats.cache.shared,
        stats.commands,
        stats.requests,
    );
    Ok(())
}
