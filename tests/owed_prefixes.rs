//! More undelivered invalidations than their keys may take up in memory: prefixes wait instead, nothing under them
//! is believed that was to go, and the keys are walked through when the server is back.

#![cfg(all(feature = "upstash", feature = "redis"))]

mod support;

use millpond::{Builder, ErrorKind, ManualClock, Millpond, cached, invalidates, ttl};
use millpond_gateway::{Database, StallingProxy, needs_redis};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use support::{log, within_a_minute};

/// The longest key there is has 31 KiB, so a few thousand take up the 64 MiB that keys may.
const LONG_KEY: usize = 30 * 1024;
const MANY: usize = 2_500;

#[cached(prefix = "wide", key = "<id>", ttl = "long", skip(row))]
async fn read(id: u32, row: &AtomicU32) -> u32 {
    row.load(Ordering::SeqCst)
}

#[invalidates(read(id))]
async fn change(id: u32, row: &AtomicU32) -> Result<(), Infallible> {
    row.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

/// A cache whose server can go away, another process, and the database itself.
struct Stage {
    pond: Millpond,
    clock: ManualClock,
    proxy: StallingProxy,
    other: Millpond,
    database: Database,
}

impl Stage {
    /// `builder`: a cache at this port.
    async fn new(port: u16, builder: impl Fn(u16) -> Builder, database: &Database) -> Self {
        let proxy = StallingProxy::start(port).await.unwrap();
        let clock = ManualClock::new();
        let named = |builder: Builder| builder.budget(support::LONG).namespace("app");
        let mine = named(builder(proxy.port())).retries(0).clock(clock.clone());
        Self {
            pond: mine.build().unwrap(),
            clock,
            other: named(builder(port)).build().unwrap(),
            proxy,
            database: database.clone(),
        }
    }

    async fn stored(&self, key: &str) -> Option<String> {
        let key = format!("app:{key}");
        let reply = self.database.command(["GET", &key]).await;
        reply.unwrap().text()
    }
}

#[tokio::test]
async fn over_rest_prefixes_wait_where_keys_are_too_many() {
    let gateway = support::gateway(needs_redis!()).await;
    let builder = |port: u16| {
        let url = format!("http://127.0.0.1:{port}");
        Millpond::builder().upstash(url, gateway.token())
    };
    let stage = Stage::new(gateway.port(), builder, gateway.database()).await;
    within_a_minute(too_many_invalidations(&stage)).await;
}

#[tokio::test]
async fn over_resp_prefixes_wait_where_keys_are_too_many() {
    let redis = needs_redis!();
    let database = redis.database();
    let builder = |port: u16| Millpond::builder().redis(database.behind(port).url());
    let stage = Stage::new(redis.port(), builder, &database).await;
    within_a_minute(too_many_invalidations(&stage)).await;
}

/// The server goes away, more is invalidated than is remembered by key, and it comes back.
async fn too_many_invalidations(stage: &Stage) {
    let Stage {
        pond,
        clock,
        proxy,
        other,
        ..
    } = stage;
    let (log, _logging) = log::Log::of_this_thread();
    let (first, last, kept) = (AtomicU32::new(1), AtomicU32::new(1), AtomicU32::new(1));
    pond.scope(async {
        for (id, row) in [(1, &first), (2, &last), (3, &kept)] {
            assert_eq!(read(id, row).await, 1);
        }
        other.set("unrelated:1", "value", ttl::LONG).await.unwrap();
        let hash = other.hash("wide:4");
        hash.set("field", "value").await.unwrap();
        other.increment("wide:5", 7, ttl::LONG).await.unwrap();

        proxy.refuse();
        change(1, &first).await.unwrap();
        for n in 0..MANY {
            let key = format!("wide:{n}:{}", "x".repeat(LONG_KEY));
            pond.delete(key).await.unwrap_err();
        }
        change(2, &last).await.unwrap();
        pond.delete("few:1").await.unwrap_err();
        let stats = pond.stats();
        assert_eq!(stats.pending_prefixes, 1);
        let waiting = stats.pending_invalidations;
        assert!((2..1_500).contains(&waiting), "{waiting}");

        proxy.accept();
        // Past the time for which nobody asks a server that fails.
        clock.advance(Duration::from_secs(10));
        // Another process has not heard of it yet; this one does not believe what it knows better.
        assert_eq!(read(1, &first).await, 2);
        assert_eq!(read(2, &last).await, 2);
        // A connection that was refused may still be met.
        while let Err(error) = pond.flush().await {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            clock.advance(Duration::from_secs(10));
        }
        for key in ["wide:1", "wide:2"] {
            let seen: Option<u32> = other.get(key).await.unwrap();
            assert_ne!(seen, Some(1), "{key}");
        }
        // What nobody invalidated is still there, for everybody, whatever its prefix.
        assert_eq!(stage.stored("wide:3").await.as_deref(), Some("1"));
        assert_eq!(stage.stored("wide:5").await.as_deref(), Some("7"));
        let unrelated: Option<String> = pond.get("unrelated:1").await.unwrap();
        assert_eq!(unrelated.as_deref(), Some("value"));
        let field: Option<String> = hash.get("field").await.unwrap();
        assert_eq!(field.as_deref(), Some("value"));

        // A load of another process that began before may still be stored: under a key that was not there to be
        // walked through.
        assert_eq!(pond.stats().pending_prefixes, 1);
        let late = format!("app:wide:7:{}", "x".repeat(LONG_KEY));
        let fill = stage.database.command(["SET", &late, "old"]);
        fill.await.unwrap();
        clock.advance(Duration::from_secs(150));
        pond.flush().await.unwrap();
        let stats = pond.stats();
        assert_eq!(
            (stats.pending_prefixes, stats.pending_invalidations),
            (0, 0)
        );
        assert_eq!(
            stage.database.command(["GET", &late]).await.unwrap().text(),
            None
        );
        assert_eq!(read(1, &first).await, 2);
        assert_eq!(
            log.text()
                .matches("prefixes wait instead, and the keys under them")
                .count(),
            1
        );
    })
    .await;
}
