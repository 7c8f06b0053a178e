//! The commands that each event sends, as the table in the README has them.

#![cfg(feature = "upstash")]

mod support;

use millpond::{Millpond, cached, ttl};
use millpond_gateway::{Gateway, RedisServer, needs_redis};
use support::source::{Source, source};
use support::{gateway, settle, within_a_minute};

#[cached(prefix = "cost", key = "<id>")]
async fn read(id: u32) -> Option<u32> {
    (id > 0).then_some(id)
}

#[cached(prefix = "shared", key = "<id>", skip(source))]
async fn read_slowly(id: u32, source: &Source<u32>) -> u32 {
    source.answer().await
}

/// The names of the commands in each request since the last look.
fn sent(gateway: &Gateway) -> Vec<Vec<String>> {
    let requests = gateway.requests();
    gateway.clear();
    requests
        .into_iter()
        .map(|request| {
            let commands = request.commands.into_iter();
            commands.map(|command| command[0].clone()).collect()
        })
        .collect()
}

/// The row of the README's table, squeezed.
fn row(event: &str) -> String {
    let table = include_str!("../README.md");
    let row = table
        .lines()
        .find(|line| line.starts_with(&format!("| {event}")));
    row.unwrap_or_else(|| panic!("no row `{event}` in the README"))
        .to_owned()
}

/// What the README says that this event sends.
fn promised(event: &str) -> (usize, Vec<String>) {
    let row = row(event);
    let cell = row.split('|').nth(2).unwrap().trim();
    let (number, rest) = cell
        .split_once(|c: char| !c.is_ascii_digit())
        .unwrap_or((cell, ""));
    let names = rest
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    (number.parse().unwrap(), names)
}

fn assert_sent(gateway: &Gateway, event: &str, expected: &[&[&str]]) {
    assert_eq!(sent(gateway), expected, "{event}");
    let flat: Vec<&str> = expected.concat();
    let (number, names) = promised(event);
    assert_eq!(number, flat.len(), "{event}");
    assert_eq!(names, flat, "{event}");
}

async fn warm(pond: &Millpond) {
    pond.scope(async {
        read(99).await;
        read::entry(99).put(&7).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn each_event_sends_what_the_readme_says() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let pond = support::pond(&gateway);
    within_a_minute(pond.scope(async {
        warm(&pond).await;
        gateway.clear();

        read(1).await;
        assert_sent(&gateway, "miss and fill", &[&["MGET"], &["EVALSHA"]]);
        read(1).await;
        assert_sent(&gateway, "hit |", &[&["MGET"]]);
        read(0).await;
        assert_sent(&gateway, "miss and fill", &[&["MGET"], &["EVALSHA"]]);
        read(0).await;
        assert_sent(&gateway, "hit |", &[&["MGET"]]);
        read::invalidate(1).await.unwrap();
        assert_sent(&gateway, "`invalidate`, per key", &[&["SET", "DEL"]]);
        read::entry(1).put(&5).await.unwrap();
        assert_sent(&gateway, "`put`, `set`", &[&["EVALSHA"]]);
        pond.set("cost:2", &5, ttl::SHORT).await.unwrap();
        assert_sent(&gateway, "`put`, `set`", &[&["EVALSHA"]]);
    }))
    .await;
    let stats = pond.stats();
    assert_eq!(
        stats.commands,
        stats.cache.commands + 2,
        "the scripts were sent in full once"
    );
}

#[tokio::test]
async fn who_waited_for_anothers_load_sends_nothing() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let pond = support::pond(&gateway);
    warm(&pond).await;
    gateway.clear();
    within_a_minute(async {
        let (source, mut bodies) = source();
        let calls: Vec<_> = (0..10)
            .map(|_| {
                let source = source.clone();
                pond.spawn(async move { read_slowly(1, &source).await })
            })
            .collect();
        let body = bodies.next().await;
        settle().await;
        body.answer(1);
        for call in calls {
            assert_eq!(call.await.unwrap(), 1);
        }
    })
    .await;
    assert_eq!(sent(&gateway), [["MGET"], ["EVALSHA"]]);
    let (number, _) = promised("hit by a caller who waited");
    assert_eq!(number, 0);
    assert_eq!(pond.stats().prefix("shared").shared, 9);
}

#[tokio::test]
async fn a_script_that_the_server_does_not_know_is_sent_once() {
    let _ = needs_redis!();
    let server = RedisServer::start().unwrap();
    let gateway = gateway(&server).await;
    let pond = support::pond(&gateway);
    within_a_minute(pond.scope(async {
        read(1).await;
        assert_eq!(sent(&gateway), [["MGET"], ["EVALSHA"], ["EVAL"]]);
        read(2).await;
        assert_eq!(sent(&gateway), [["MGET"], ["EVALSHA"]]);
    }))
    .await;
}
