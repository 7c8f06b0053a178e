//! Hits that leave together are read with one `MGET`: one command to pay for. What the server refuses together is read apart.

#![cfg(feature = "upstash")]

mod support;

use futures_util::future::join_all;
use millpond::{CacheStats, Millpond};
use millpond_gateway::{Fault, Matcher, needs_redis};
use support::{gateway, pond};

const CALLERS: u32 = 100;

#[millpond::cached(prefix = "merged", ttl = "1h", key = "<id>", skip(length))]
async fn merged(id: u32, length: usize) -> Option<String> {
    // One in three is cached as nothing.
    (!id.is_multiple_of(3)).then(|| format!("{id}:{}", "x".repeat(length)))
}

/// Whether a command reads more than one value and its guard.
fn is_merged(command: &[String]) -> bool {
    command.len() > 3
}

/// Every caller has what its own key has, and no body ran for it.
async fn all_hit(pond: &Millpond, length: usize) {
    let before = pond.stats().cache;
    let found = pond.scope(join_all((0..CALLERS).map(|id| merged(id, length))));
    for (id, found) in (0..CALLERS).zip(found.await) {
        let expected = (id % 3 != 0).then(|| format!("{id}:{}", "x".repeat(length)));
        assert_eq!(found, expected, "{id}");
    }
    let after = pond.stats().cache;
    assert_eq!(after.loads, before.loads);
    let hits = |stats: &CacheStats| stats.hits + stats.null_hits;
    assert_eq!(hits(&after) - hits(&before), u64::from(CALLERS));
}

async fn fill(pond: &Millpond, length: usize) {
    pond.scope(join_all((0..CALLERS).map(|id| merged(id, length))))
        .await;
    pond.flush().await.unwrap();
}

/// How many commands all hits take.
async fn commands_of_hits(pond: &Millpond, length: usize) -> u64 {
    let before = pond.stats().commands;
    all_hit(pond, length).await;
    pond.stats().commands - before
}

#[tokio::test]
async fn callers_of_one_turn_read_with_one_command_over_rest() {
    let gateway = gateway(needs_redis!()).await;
    let pond = pond(&gateway);
    fill(&pond, 10).await;
    gateway.clear();
    // One for each of the requests that may be under way, and the first one leaves alone.
    assert!(commands_of_hits(&pond, 10).await <= 5);
    let keys = gateway
        .commands()
        .iter()
        .map(|command| command.len() - 1)
        .sum::<usize>();
    assert_eq!(keys, 2 * CALLERS as usize);
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn callers_of_one_turn_read_with_one_command_over_resp() {
    let database = needs_redis!().database();
    let pond = Millpond::builder().redis(database.url());
    let pond = pond.budget(support::LONG).build().unwrap();
    fill(&pond, 10).await;
    assert!(commands_of_hits(&pond, 10).await <= 2);
}

/// Upstash refuses a reply that is larger than a request may be.
#[tokio::test]
async fn what_is_refused_together_is_read_apart() {
    let gateway = gateway(needs_redis!()).await;
    let pond = pond(&gateway);
    fill(&pond, 10).await;
    let too_large = "ERR max request size exceeded. Limit: 1048576 bytes, Actual: 2245919 bytes.";
    let refusal = Fault::json(format!(r#"[{{"error":"{too_large}"}}]"#));
    let together = Matcher::when(|request| request.commands.iter().any(|it| is_merged(it)));
    gateway.inject(together.always(), refusal);
    gateway.clear();
    all_hit(&pond, 10).await;
    let count = |sent: &[Vec<String>]| sent.iter().filter(|it| is_merged(it)).count();
    assert_eq!(count(&gateway.commands()), 1);
    // For a while, nobody tries again.
    gateway.clear();
    all_hit(&pond, 10).await;
    assert_eq!(count(&gateway.commands()), 0);
}

/// Once it is known how large they are.
#[tokio::test]
async fn large_values_are_read_a_few_at_a_time() {
    const LENGTH: usize = 50_000;
    let gateway = gateway(needs_redis!()).await;
    let pond = pond(&gateway);
    fill(&pond, LENGTH).await;
    all_hit(&pond, LENGTH).await;
    gateway.clear();
    all_hit(&pond, LENGTH).await;
    let sent = gateway.commands();
    let most = sent.iter().map(|command| command.len() - 1).max();
    // Half of the keys are guards.
    let expected = most.unwrap() / 2 * LENGTH;
    assert!(expected <= 1024 * 1024, "{expected}");
    assert!(sent.iter().any(|it| is_merged(it)));
}
