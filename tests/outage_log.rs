//! What the log says of a degradation: once when it begins, by its kind, and once when it is over, with a
//! count.

#![cfg(any(feature = "upstash", feature = "redis"))]

mod support;

use millpond::{ManualClock, Millpond};
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
        .filter(|line| line.contains(" INFO millpond::"));
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
