//! Hits in the embedded engine outside of any scope, where a value that is there ends the call before it begins. Each of
//! them has to come to the same as a call that is seen to in full: under a long key it is. That it ends there, the counts of
//! tests/instructions hold.

use millpond::{
    CallStatus, Lookup, ManualClock, Millpond, Tier, cached, refresh, ttl, uncached, with_status,
};
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Over 24 bytes, as a part of a key.
const LONG: &str = "a-name-that-does-not-fit-into-three-words";
const SHORT: &str = "ada";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    tags: Vec<String>,
}

fn user(name: &str) -> User {
    User {
        name: name.to_owned(),
        tags: vec!["ä\"\n".to_owned(), String::new()],
    }
}

#[cached(prefix = "user", ttl = "10s", jitter = 0, key = "<name>", on = pond, skip(pond, bodies))]
async fn get_user(pond: &Millpond, bodies: &AtomicUsize, name: &str) -> User {
    bodies.fetch_add(1, Ordering::SeqCst);
    user(name)
}

fn ponds() -> (Millpond, ManualClock) {
    let clock = ManualClock::new();
    let pond = Millpond::builder().clock(clock.clone()).build().unwrap();
    (pond, clock)
}

#[tokio::test]
async fn it_returns_and_counts_what_any_hit_does() {
    let mut counted = Vec::new();
    for name in [SHORT, LONG] {
        let (pond, _) = ponds();
        let bodies = AtomicUsize::new(0);
        for _ in 0..5 {
            assert_eq!(get_user(&pond, &bodies, name).await, user(name));
        }
        assert_eq!(bodies.load(Ordering::SeqCst), 1);
        let stats = pond.stats();
        let users = stats.prefix("user");
        assert_eq!((users.hits, users.misses, users.loads), (4, 1, 1));
        counted.push((stats.commands, stats.requests, users));
    }
    let [short, long] = &counted[..] else {
        panic!("{counted:?}");
    };
    assert_eq!(short, long);
}

#[tokio::test]
async fn in_the_cache_of_the_process_and_in_one_with_a_namespace_too() {
    #[cached(prefix = "double", key = "<number>", skip(bodies))]
    async fn double(number: u64, bodies: &AtomicUsize) -> u64 {
        bodies.fetch_add(1, Ordering::SeqCst);
        2 * number
    }

    millpond::install(Millpond::memory()).unwrap();
    let bodies = AtomicUsize::new(0);
    for number in [0, 7, 99_999_999, 100_000_000, u64::MAX / 2] {
        for _ in 0..3 {
            assert_eq!(double(number, &bodies).await, 2 * number);
        }
        double::invalidate(number).await.unwrap();
        assert_eq!(double(number, &bodies).await, 2 * number);
    }
    assert_eq!(bodies.load(Ordering::SeqCst), 10);
    assert_eq!(millpond::current().stats().prefix("double").hits, 10);

    let pond = Millpond::builder().namespace("blue").build().unwrap();
    let bodies = AtomicUsize::new(0);
    for _ in 0..3 {
        get_user(&pond, &bodies, SHORT).await;
    }
    assert_eq!(bodies.load(Ordering::SeqCst), 1);
    assert_eq!(pond.stats().prefix("user").hits, 2);
}

#[tokio::test]
async fn a_value_lives_for_its_ttl_by_either_clock() {
    type Pass = fn(&ManualClock, Duration);
    let by_either: [Pass; 2] = [ManualClock::advance_monotonic, ManualClock::advance_wall];
    for pass in by_either {
        let (pond, clock) = ponds();
        let bodies = AtomicUsize::new(0);
        let asked = async |ms| {
            pass(&clock, Duration::from_millis(ms));
            get_user(&pond, &bodies, SHORT).await;
            bodies.load(Ordering::SeqCst)
        };
        assert_eq!(asked(0).await, 1);
        assert_eq!(asked(9_999).await, 1);
        assert_eq!(asked(1).await, 2);
        assert_eq!(asked(9_999).await, 2);
    }
}

#[tokio::test]
async fn what_is_changed_is_seen_at_once() {
    let (pond, _) = ponds();
    let bodies = AtomicUsize::new(0);
    get_user(&pond, &bodies, SHORT).await;
    let entry = get_user::entry(&pond, SHORT);
    entry.put(&user("grace")).await.unwrap();
    assert_eq!(get_user(&pond, &bodies, SHORT).await.name, "grace");
    entry.invalidate().await.unwrap();
    assert_eq!(get_user(&pond, &bodies, SHORT).await.name, SHORT);
    pond.delete("user:ada").await.unwrap();
    get_user(&pond, &bodies, SHORT).await;
    assert_eq!(bodies.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn none_is_a_hit() {
    #[cached(prefix = "maybe", key = "<id>", on = pond, skip(pond, bodies))]
    async fn maybe(pond: &Millpond, bodies: &AtomicUsize, id: u64) -> Option<u64> {
        bodies.fetch_add(1, Ordering::SeqCst);
        None
    }

    let (pond, _) = ponds();
    let bodies = AtomicUsize::new(0);
    for _ in 0..3 {
        assert_eq!(maybe(&pond, &bodies, 7).await, None);
    }
    assert_eq!(bodies.load(Ordering::SeqCst), 1);
    let maybe = pond.stats().prefix("maybe");
    assert_eq!((maybe.hits, maybe.null_hits), (0, 2));
}

#[tokio::test]
async fn what_is_asked_of_a_call_is_done() {
    let (pond, _) = ponds();
    let bodies = AtomicUsize::new(0);
    let get = || get_user(&pond, &bodies, SHORT);
    get().await;
    let (_, status) = with_status(get()).await;
    assert!(
        matches!(
            status,
            CallStatus::Hit {
                tier: Tier::Store,
                ..
            }
        ),
        "{status:?}"
    );
    uncached(get()).await;
    assert_eq!(bodies.load(Ordering::SeqCst), 2);
    refresh(get()).await;
    assert_eq!(bodies.load(Ordering::SeqCst), 3);
    get().await;
    assert_eq!(bodies.load(Ordering::SeqCst), 3);
    assert_eq!(pond.stats().prefix("user").hits, 2);
}

#[tokio::test]
async fn a_condition_is_asked_once_and_kept_to() {
    #[cached(
        prefix = "odd",
        key = "<id>",
        when = is_odd(id, asked),
        on = pond,
        skip(pond, asked, bodies)
    )]
    async fn odd(pond: &Millpond, id: u64, asked: &AtomicUsize, bodies: &AtomicUsize) -> u64 {
        bodies.fetch_add(1, Ordering::SeqCst);
        id
    }

    fn is_odd(id: u64, asked: &AtomicUsize) -> bool {
        asked.fetch_add(1, Ordering::SeqCst);
        id % 2 == 1
    }

    let (pond, _) = ponds();
    let (asked, bodies) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for id in [1, 1, 1, 2, 2, 2] {
        odd(&pond, id, &asked, &bodies).await;
    }
    assert_eq!(asked.load(Ordering::SeqCst), 6);
    assert_eq!(bodies.load(Ordering::SeqCst), 4);
    assert_eq!(pond.stats().prefix("odd").hits, 2);
}

#[tokio::test]
async fn a_load_that_calls_its_own_function_runs_its_body() {
    #[cached(prefix = "deep", key = "<id>", on = pond, skip(pond, depth))]
    async fn deep(pond: &Millpond, id: u64, depth: u64) -> u64 {
        if depth == 0 {
            return 0;
        }
        // Somebody else stores a value meanwhile.
        deep::entry(pond, id).put(&100).await.unwrap();
        let inner: Pin<Box<dyn Future<Output = u64> + '_>> = Box::pin(deep(pond, id, depth - 1));
        inner.await + 1
    }

    #[cached(prefix = "above", key = "<id>", on = pond, skip(pond))]
    async fn above(pond: &Millpond, id: u64) -> u64 {
        deep(pond, id, 0).await + 1
    }

    let (pond, _) = ponds();
    assert_eq!(deep(&pond, 7, 1).await, 1);
    assert_eq!(deep(&pond, 7, 1).await, 100);

    // In the load of another key, it is a hit like any.
    assert_eq!(above(&pond, 7).await, 101);
    let counted = pond.stats().prefix("deep");
    assert_eq!((counted.hits, counted.bypassed), (2, 1));
}

#[tokio::test]
async fn what_is_no_value_of_the_function_is_replaced() {
    #[cached(prefix = "word", key = "<id>", on = pond, skip(pond))]
    async fn word(pond: &Millpond, id: u64) -> String {
        "loaded".to_owned()
    }

    let (pond, _) = ponds();
    let bodies = AtomicUsize::new(0);
    get_user(&pond, &bodies, SHORT).await;
    pond.set("user:ada", &[1, 2, 3], ttl::SHORT).await.unwrap();
    assert_eq!(get_user(&pond, &bodies, SHORT).await, user(SHORT));
    assert_eq!(pond.stats().prefix("user").decode_failures, 1);
    get_user(&pond, &bodies, SHORT).await;
    assert_eq!(bodies.load(Ordering::SeqCst), 2);

    // Another client may write texts as they are.
    word(&pond, 7).await;
    pond.command(["SET", "word:7", "as it is"]).await.unwrap();
    assert_eq!(word(&pond, 7).await, "as it is");
}

#[tokio::test]
async fn each_function_is_counted_apart() {
    macro_rules! functions {
        ($pond:ident: $($name:ident $prefix:literal)*) => {$(
            #[cached(prefix = $prefix, key = "<id>", on = pond, skip(pond))]
            async fn $name(pond: &Millpond, id: u64) -> String {
                format!("{} {id}", $prefix)
            }
            for _ in 0..3 {
                assert_eq!($name(&$pond, 7).await, concat!($prefix, " 7"));
            }
        )*};
    }

    let (pond, _) = ponds();
    functions!(pond: a "a" b "b" c "c" d "d" e "e" f "f" g "g" h "h" i "i" j "j" k "k" l "l" m "m" n "n" o "o" p "p" q "q" r "r" s "s" t "t" u "u" v "v" w "w" x "x" y "y" z "z");
    for name in 'a'..='z' {
        let counted = pond.stats().prefix(&name.to_string());
        assert_eq!((counted.hits, counted.misses), (2, 1), "{name}");
    }
}

#[tokio::test]
async fn two_caches_have_values_of_their_own() {
    let ((one, _), (other, _)) = (ponds(), ponds());
    let bodies = AtomicUsize::new(0);
    for pond in [&one, &other, &one, &other] {
        get_user(pond, &bodies, SHORT).await;
    }
    assert_eq!(bodies.load(Ordering::SeqCst), 2);
    for pond in [one, other] {
        assert_eq!(pond.stats().prefix("user").hits, 1);
        let entry = get_user::entry(&pond, SHORT);
        assert_eq!(entry.get().await.unwrap(), Lookup::Hit(user(SHORT)));
    }
}
