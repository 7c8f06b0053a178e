//! No `Debug` of this crate shows what a user stores, names a key with, or keeps secret: what is printed ends in logs.

#![cfg(all(
    feature = "axum",
    feature = "encrypt",
    feature = "redis",
    feature = "upstash"
))]

use millpond::limit::{Limit, RateLimitHeadersLayer, RateLimitLayer};
use millpond::{
    CurrentSession, Key, Lookup, ManualClock, Millpond, Pattern, SessionCookie, SessionId, Tag,
    cached, key, ttl,
};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

/// Stands for everything that must not be printed.
const SECRET: &str = "hunter2-hunter2-hunter2";

/// What holds nothing of a user's: closed words, numbers, and what the code itself names (prefixes, kinds, lifetimes, and
/// all that the catalogue lists).
/// `Lookup` and `ClientIp` print the value that they hold, as `Option` does.
const HOLD_NOTHING: [&str; 34] = [
    "Algorithm",
    "BatchStatus",
    "BypassReason",
    "CacheStats",
    "CallStatus",
    "CallerSession",
    "Certainty",
    "ClientAddress",
    "ClientIp",
    "Collision",
    "Collisions",
    "Durations",
    "Edge",
    "Effect",
    "ErrorKind",
    "Function",
    "GrpcAnswer",
    "HealthState",
    "Instance",
    "LimitStats",
    "Lookup",
    "Mutation",
    "OnOutage",
    "OnRefusal",
    "Outcome",
    "Place",
    "RateLimitHeadersLayer",
    "Reason",
    "StandardAnswer",
    "Target",
    "Tier",
    "TimeLeft",
    "Unidentified",
    "ValueKind",
];

#[derive(Default)]
struct Shown {
    types: BTreeSet<String>,
}

impl Shown {
    #[track_caller]
    fn hides<T: Debug>(&mut self, value: &T) {
        for text in [format!("{value:?}"), format!("{value:#?}")] {
            assert!(!text.contains(SECRET), "{text}");
        }
        let name = std::any::type_name::<T>();
        let name = name.split('<').next().unwrap_or_default();
        self.types
            .insert(name.rsplit("::").next().unwrap_or_default().to_owned());
    }
}

#[cached(prefix = "user", key = "<id>", all)]
async fn user(id: &str) -> Option<String> {
    Some(id.to_owned())
}

#[cached(local = "only", key = "<id>", all)]
async fn kept(id: &str) -> Option<String> {
    Some(id.to_owned())
}

const ONE: Limit = Limit::fixed_window("ONE", 1, Duration::from_secs(60));

#[tokio::test]
async fn no_debug_shows_a_secret_a_value_or_what_a_key_is_made_of() {
    let mut shown = Shown::default();
    let builder = Millpond::builder()
        .upstash(format!("https://{SECRET}.example.com"), SECRET)
        .clock(ManualClock::new());
    shown.hides(&builder);
    shown.hides(&ManualClock::new());
    shown.hides(&Millpond::builder().redis(format!("redis://u:{SECRET}@127.0.0.1:9")));
    shown.hides(
        &Millpond::builder()
            .encryption_key(SECRET, SECRET)
            .decryption_key(SECRET, SECRET),
    );
    shown.hides(&builder.build().unwrap());

    let pond = Millpond::memory();
    pond.scope(user(SECRET)).await;
    let entry = pond.scope(async { user::entry(SECRET) }).await;
    shown.hides(&entry);
    shown.hides(&*entry);
    shown.hides(&entry.invalidate());
    let made = key!("user:<SECRET>");
    shown.hides(&made);
    shown.hides(&Key::from(format!("user:{SECRET}")));
    shown.hides(&Key::from(SECRET));
    shown.hides(&Pattern::from(format!("user:{SECRET}:*")));
    shown.hides(&Pattern::under(&made));
    shown.hides(&Tag::new(SECRET));
    shown.hides(&pond.scope(async { user::all_entries() }).await);
    let found = Lookup::Hit(Some(SECRET.to_owned()));
    assert_eq!(entry.get().await.unwrap(), found);

    pond.scope(kept(SECRET)).await;
    let entry = pond.scope(async { kept::entry(SECRET) }).await;
    shown.hides(&entry);
    shown.hides(&*entry);
    shown.hides(&entry.explain());
    shown.hides(&entry.invalidate());
    shown.hides(&pond.scope(async { kept::all_entries() }).await);

    pond.set(&made, SECRET, ttl::SHORT).await.unwrap();
    shown.hides(&pond);
    shown.hides(&pond.stats());
    let health = pond.health().probe().await;
    shown.hides(&health);
    shown.hides(health.engine());
    shown.hides(&pond.explain(&made).await.unwrap());
    // An error may name the key, which the caller gave, but not the value.
    pond.set("name", SECRET, ttl::SHORT).await.unwrap();
    shown.hides(&pond.get::<u8>("name").await.unwrap_err());
    shown.hides(&pond.command(["GET", made.as_str()]).await.unwrap());
    shown.hides(&pond.command(["KEYS", "*"]).await);
    shown.hides(&pond.command(["NONSENSE", SECRET]).await.unwrap_err());
    shown.hides(&pond.pipeline().command(["SET", SECRET, SECRET]));
    shown.hides(&pond.transaction().command(["SET", SECRET, SECRET]));

    let hash = pond.hash(format!("hash:{SECRET}"));
    hash.set(SECRET, SECRET).await.unwrap();
    shown.hides(&hash);
    let lock = pond.lock(format!("lock:{SECRET}"), ttl::SHORT);
    shown.hides(&lock);
    shown.hides(&lock.await.unwrap());
    shown.hides(&pond.sessions::<String>(ttl::SHORT));
    let id: SessionId = SECRET.parse().unwrap();
    shown.hides(&id);
    let value = SECRET.to_owned();
    shown.hides(&CurrentSession { id, value });
    let sessions = pond.sessions::<String>(ttl::SHORT).hashed();
    shown.hides(&SessionCookie::new("sid", sessions));

    let limiter = pond.limiter(&ONE);
    shown.hides(&ONE);
    limiter.check(SECRET).await.unwrap();
    let refused = limiter.check(SECRET).await.unwrap();
    shown.hides(&limiter);
    shown.hides(&refused);
    shown.hides(&refused.into_result().unwrap_err());
    shown.hides(&pond);
    layers(&mut shown);
    scopes(&pond, &mut shown);
    #[cfg(feature = "catalogue")]
    shown.hides(&millpond::catalogue());
    #[cfg(feature = "dashboard")]
    page(&pond, &mut shown).await;

    assert_eq!(
        missing(&shown),
        Vec::<String>::new(),
        "types that no line above shows"
    );
}

#[cfg(feature = "dashboard")]
async fn page(pond: &Millpond, shown: &mut Shown) {
    let mut service = millpond::dashboard::service().of(pond.clone());
    shown.hides(&service);
    let request = http::Request::get("/?data").body(()).unwrap();
    let answer = tower_service::Service::call(&mut service, request).await;
    shown.hides(answer.unwrap().body());
    let stats = pond.stats();
    let window = stats.windows().next().expect("something happened");
    shown.hides(window);
}

fn layers(shown: &mut Shown) {
    use tower_layer::Layer;
    let layer = RateLimitLayer::new(ONE, millpond::limit::ClientAddress::direct());
    shown.hides(&layer);
    shown.hides(&layer.layer(()));
    shown.hides(&RateLimitHeadersLayer::new().layer(()));
}

fn scopes(pond: &Millpond, shown: &mut Shown) {
    use tower_layer::Layer;
    let layer = millpond::ScopeLayer::new(pond.clone());
    shown.hides(&layer);
    let mut service = layer.layer(Handler);
    shown.hides(&service);
    shown.hides(&tower_service::Service::call(&mut service, ()));
}

#[derive(Debug)]
struct Handler;

impl tower_service::Service<()> for Handler {
    type Response = ();
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<(), Self::Error>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        std::future::ready(Ok(()))
    }
}

/// The public types with a `Debug` that were not shown.
fn missing(shown: &Shown) -> Vec<String> {
    let api = include_str!("public_api/millpond.txt");
    api.lines()
        .filter_map(|line| {
            let (_, of) = line.split_once(" core::fmt::Debug for millpond::")?;
            let name = of.split('<').next()?.rsplit("::").next()?;
            Some(name.to_owned())
        })
        .filter(|name| !shown.types.contains(name) && !HOLD_NOTHING.contains(&name.as_str()))
        .collect()
}
