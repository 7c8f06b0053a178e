//! A flood of new identifiers or of cached pages never lets in a caller whose budget was used up, in the embedded
//! engine and in an outage; and it costs neither locks nor sessions.

use millpond::limit::{self, Limit};
use millpond::{ErrorKind, ManualClock, Millpond};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const ALGORITHMS: [Limit; 3] = [
    Limit::sliding_window("SLIDING", 5, MINUTE),
    Limit::fixed_window("FIXED", 5, MINUTE),
    Limit::token_bucket("BUCKET", 5, MINUTE, 5),
];

fn embedded(bytes: usize) -> (Millpond, ManualClock) {
    let clock = ManualClock::new();
    let pond = Millpond::builder().memory().memory_bytes(bytes);
    // Nothing but the engine remembers.
    let pond = pond.limit_block_cache(false).clock(clock.clone());
    (pond.build().unwrap(), clock)
}

/// An Upstash where nobody listens.
fn unreachable() -> Millpond {
    let builder = Millpond::builder().upstash("http://127.0.0.1:9", "token");
    let builder = builder.clock(ManualClock::new()).limit_block_cache(false);
    builder.retries(0).build().unwrap()
}

#[tokio::test]
async fn a_flood_of_new_identifiers_lets_in_nobody_whose_budget_is_used_up() {
    for limit in ALGORITHMS {
        let (pond, clock) = embedded(1 << 20);
        let limiter = pond.limiter(&limit);
        assert!(limiter.check_n("used up", 5).await.unwrap().is_allowed());
        assert!(limiter.check_n("one left", 4).await.unwrap().is_allowed());
        for id in 0..20_000 {
            assert!(limiter.check(id).await.unwrap().is_allowed(), "{id}");
        }
        assert!(
            !limiter.check("used up").await.unwrap().is_allowed(),
            "{limit:?}"
        );
        assert!(limiter.check("one left").await.unwrap().is_allowed());
        assert!(
            !limiter.check("one left").await.unwrap().is_allowed(),
            "{limit:?}"
        );
        clock.advance(MINUTE * 6);
        assert!(limiter.check("used up").await.unwrap().is_allowed());
    }
}

#[tokio::test]
async fn a_flood_of_used_up_budgets_refuses_newcomers_rather_than_letting_anybody_in() {
    let (pond, clock) = embedded(1 << 19);
    let limiter = pond.limiter(&limit::AUTH);
    assert!(limiter.check_n("used up", 5).await.unwrap().is_allowed());
    let mut admitted = 0;
    for id in 0..60_000 {
        admitted += u32::from(limiter.check_n(id, 5).await.unwrap().is_allowed());
    }
    // What the engine holds, and what the table does that stands in for it.
    assert!(admitted < 25_000, "{admitted}");
    assert!(!limiter.check("used up").await.unwrap().is_allowed());
    assert!(!limiter.check("a newcomer").await.unwrap().is_allowed());
    clock.advance(MINUTE * 3);
    assert!(limiter.check("used up").await.unwrap().is_allowed());
    assert!(limiter.check("a newcomer").await.unwrap().is_allowed());
}

#[tokio::test]
async fn a_flood_of_cached_pages_costs_no_budget_no_lock_and_no_session() {
    let (pond, _) = embedded(1 << 18);
    let limiter = pond.limiter(&limit::AUTH);
    limiter.check_n("used up", 5).await.unwrap();
    let lock = pond.lock("report", MINUTE * 10).await.unwrap();
    let sessions = pond.sessions::<u32>(MINUTE * 10);
    let session = sessions.create(&7).await.unwrap();
    for page in 0..5_000 {
        let key = format!("page:{page}");
        pond.set(&key, &"x".repeat(500), MINUTE).await.unwrap();
    }
    assert_eq!(pond.get::<String>("page:0").await.unwrap(), None);
    assert!(pond.get::<String>("page:4999").await.unwrap().is_some());
    assert!(!limiter.check("used up").await.unwrap().is_allowed());
    assert!(pond.try_lock("report", MINUTE).await.unwrap().is_none());
    assert_eq!(sessions.get(&session).await.unwrap(), Some(7));
    lock.release().await.unwrap();
}

#[tokio::test]
async fn an_engine_full_of_sessions_says_so_and_forgets_none() {
    let (pond, clock) = embedded(1 << 16);
    let sessions = pond.sessions::<u32>(MINUTE);
    let mut held = Vec::new();
    let error = loop {
        match sessions.create(&1).await {
            Ok(id) => held.push(id),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(held.len() > 50, "{}", held.len());
    for id in &held {
        assert_eq!(sessions.get(id).await.unwrap(), Some(1));
    }
    sessions.destroy(&held[0]).await.unwrap();
    sessions.destroy(&held[1]).await.unwrap();
    assert!(sessions.create(&1).await.is_ok());
    clock.advance(MINUTE * 2);
    assert!(sessions.create(&1).await.is_ok());
}

#[tokio::test]
async fn in_an_outage_a_flood_lets_in_nobody_whose_budget_is_used_up() {
    let pond = unreachable();
    for limit in ALGORITHMS {
        let limiter = pond.limiter(&limit);
        assert!(limiter.check_n("used up", 5).await.unwrap().is_allowed());
        for id in 0..30_000 {
            assert!(limiter.check(id).await.unwrap().is_allowed(), "{id}");
        }
        assert!(
            !limiter.check("used up").await.unwrap().is_allowed(),
            "{limit:?}"
        );
    }
}
