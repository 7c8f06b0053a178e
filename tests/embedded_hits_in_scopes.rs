//! The same hits in a process that uses scopes, where the cache of a call is found first.

use millpond::{Millpond, cached};
use std::sync::atomic::{AtomicUsize, Ordering};

const LONG: &str = "a-name-that-does-not-fit-into-three-words";
const SHORT: &str = "ada";

#[cached(prefix = "user", key = "<name>", skip(bodies))]
async fn get_user(name: &str, bodies: &AtomicUsize) -> String {
    bodies.fetch_add(1, Ordering::SeqCst);
    format!("{name} {}", bodies.load(Ordering::SeqCst))
}

#[cached(prefix = "on", key = "<name>", on = pond, skip(pond, bodies))]
async fn get_on(pond: &Millpond, name: &str, bodies: &AtomicUsize) -> String {
    get_user(name, bodies).await
}

#[tokio::test]
async fn they_return_and_count_what_any_hit_does() {
    let mut counted = Vec::new();
    for name in [SHORT, LONG] {
        let pond = Millpond::memory();
        let bodies = AtomicUsize::new(0);
        pond.scope(async {
            for _ in 0..5 {
                assert_eq!(get_user(name, &bodies).await, format!("{name} 1"));
            }
        })
        .await;
        assert_eq!(pond.stats().prefix("user").hits, 4);
        counted.push((pond.stats().commands, pond.stats().prefix("user")));
    }
    assert_eq!(counted[0], counted[1]);
}

#[tokio::test]
async fn the_innermost_scope_decides_and_a_bypass_ends_it() {
    let (outer, inner) = (Millpond::memory(), Millpond::memory());
    let bodies = AtomicUsize::new(0);
    outer
        .scope(async {
            assert_eq!(get_user(SHORT, &bodies).await, "ada 1");
            inner
                .scope(async {
                    assert_eq!(get_user(SHORT, &bodies).await, "ada 2");
                    assert_eq!(get_user(SHORT, &bodies).await, "ada 2");
                    let asked = inner.bypass(async { get_user(SHORT, &bodies).await });
                    assert_eq!(asked.await, "ada 3");
                })
                .await;
            assert_eq!(get_user(SHORT, &bodies).await, "ada 1");
        })
        .await;
    assert_eq!(outer.stats().prefix("user").hits, 1);
    assert_eq!(inner.stats().prefix("user").hits, 1);
}

#[tokio::test]
async fn what_a_function_says_that_it_uses_is_used_in_any_scope_but_a_bypass() {
    let (own, scoped) = (Millpond::memory(), Millpond::memory());
    let bodies = AtomicUsize::new(0);
    for pond in [&scoped, &own, &scoped] {
        let asked = pond.scope(async { get_on(&own, SHORT, &bodies).await });
        assert_eq!(asked.await, "ada 1");
    }
    assert_eq!(own.stats().prefix("on").hits, 2);
    assert_eq!(scoped.stats().prefix("on").hits, 0);
    let asked = own.bypass(async { get_on(&own, SHORT, &bodies).await });
    assert_eq!(asked.await, "ada 2");
}
