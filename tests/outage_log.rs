//! What the log says of a degradation: once when it begins, by its kind, and once when it is over, with a
//! count.

#![cfg(any(feature = "upstash", feature = "redis"))]

mod support;

use millpond::{ManualClock, Millpond, cached};
use millpond_gateway::{RedisServer, needs_redis};
use std::time::Duration;
use support::log::Log;

const MINUTE: Duration = Duration::from_secs(60);

fn warnings(log: &Log, of: &str) -> Vec<String> {
    let text = log.text();
    let ours = text.lines().filter(|line| line.contains(" millpond::"));
    let level = ours.filter(|line| line.contains(" WARN ") || line.contains(" ERROR "));
    level
        .filter(|line| line.contains(of))
        .map(str::to_owned)
        .collect()
}

fn infos(log: &Log, of: &str) -> usize {
    let text = log.text();
    let lines = text
        .lines()
        .filter(|line| line.contains(" INFO ") && line.contains(" millpond::"));
    lines.filter(|line| line.contains(of)).count()
}

async fn load(pond: &Millpond, key: &str) -> u32 {
    let load = async || Ok::<_, std::io::Error>(7);
    pond.get_or_set(key, MINUTE, load).await.unwrap()
}

#[cfg(feature = "upstash")]
#[tokio::test]
async fn a_thousand_failed_invalidations_are_one_warning_and_their_end_another_line() {
    let gateway = support::gateway(needs_redis!()).await;
    let clock = ManualClock::new();
    let builder = Millpond::builder().upstash(gateway.url(), gateway.token());
    let builder = builder.retries(0).budget(MINUTE).clock(clock.clone());
    let pond = builder.build().unwrap();
    let (log, _guard) = Log::of_this_thread();
    gateway.refuse().await;
    for n in 0..1_000 {
        pond.delete(format!("k{n}").as_str()).await.unwrap_err();
        load(&pond, "elsewhere").await;
    }
    assert_eq!(
        warnings(&log, "an invalidation is delivered later").len(),
        1
    );
    assert_eq!(warnings(&log, "the cache did not answer").len(), 1);
    // One for each of these, and one of the circuit.
    let all = warnings(&log, "");
    assert_eq!(all.len(), 3, "{all:#?}");
    gateway.accept().await;
    clock.advance(MINUTE);
    pond.flush().await.unwrap();
    load(&pond, "elsewhere").await;
    assert_eq!(
        infos(&log, "invalidations are delivered again failures=1000"),
        1,
        "{}",
        log.text()
    );
    assert_eq!(infos(&log, "the cache answers again failures=1000"), 1);
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn a_server_without_memory_is_one_warning_that_says_so() {
    let _ = needs_redis!();
    let server = RedisServer::start().unwrap();
    let clock = ManualClock::new();
    let builder = Millpond::builder().redis(server.database().url());
    let pond = builder.budget(MINUTE).clock(clock.clone()).build().unwrap();
    let (log, _guard) = Log::of_this_thread();
    let config = |limit: &'static str| {
        let database = server.database();
        async move {
            let command = ["CONFIG", "SET", "maxmemory", limit];
            database.command(command).await.unwrap();
        }
    };
    config("1").await;
    for n in 0..50 {
        assert_eq!(load(&pond, &format!("k{n}")).await, 7);
    }
    let all = warnings(&log, "");
    assert_eq!(all.len(), 1, "{all:#?}");
    assert!(
        all[0].contains("the server refused to store a value"),
        "{all:?}"
    );
    assert!(all[0].contains("OOM"), "{all:?}");
    config("0").await;
    clock.advance(MINUTE);
    assert_eq!(load(&pond, "k").await, 7);
    assert_eq!(
        infos(&log, "values are stored again failures=50"),
        1,
        "{}",
        log.text()
    );
}

#[derive(Clone, Debug, PartialEq)]
struct Failed;

#[cached(
    prefix = "aging",
    ttl = "1m",
    key = "<id>",
    skip(fails),
    stale_if_error = "1d"
)]
async fn aging(id: u32, fails: bool) -> Result<u32, Failed> {
    if fails { Err(Failed) } else { Ok(id) }
}

#[tokio::test]
async fn a_source_that_is_down_is_one_warning_however_many_keys_have_old_values() {
    let clock = ManualClock::new();
    let pond = Millpond::builder().memory().clock(clock.clone());
    let pond = pond.build().unwrap();
    let (log, _guard) = Log::of_this_thread();
    let call = async |fails| {
        for id in 0..100 {
            assert_eq!(pond.scope(aging(id, fails)).await, Ok(id));
        }
    };
    call(false).await;
    clock.advance(2 * MINUTE);
    // The second hundred does not ask the source again so soon, and gets old values all the same.
    call(true).await;
    call(true).await;
    let all = warnings(&log, "");
    assert_eq!(all.len(), 1, "{all:#?}");
    assert!(all[0].contains("a load failed, and an old value is used"));
    assert!(all[0].contains(r#"prefix="aging""#));
    clock.advance(MINUTE);
    call(false).await;
    assert_eq!(warnings(&log, "").len(), 1);
    assert_eq!(infos(&log, "loads succeed again"), 1);
    let over = r#"loads succeed again prefix="aging" failures=200"#;
    assert_eq!(infos(&log, over), 1, "{}", log.text());
}

#[cfg(feature = "upstash")]
#[tokio::test]
async fn values_that_cannot_be_read_are_one_warning_for_each_prefix() {
    let gateway = support::gateway(needs_redis!()).await;
    let clock = ManualClock::new();
    let builder = Millpond::builder().upstash(gateway.url(), gateway.token());
    let pond = builder.clock(clock.clone()).build().unwrap();
    let (log, _guard) = Log::of_this_thread();
    for n in 0..100 {
        for key in [format!("one:{n}"), format!("other:{n}")] {
            let command = ["SET", &key, r#"{"no":"number"}"#];
            gateway.database().command(command).await.unwrap();
            load(&pond, &key).await;
        }
    }
    assert_eq!(warnings(&log, "cannot be read").len(), 2);
    clock.advance(MINUTE / 2);
    for _ in 0..3 {
        load(&pond, "one:1").await;
    }
    assert_eq!(infos(&log, "cached values can be read again"), 1);
    let over = r#"cached values can be read again prefix="one" failures=100"#;
    assert_eq!(infos(&log, over), 1, "{}", log.text());
}
