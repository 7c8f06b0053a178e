//! What waiters get when the body they wait for fails: a clone of its error where the error can be
//! cloned, a body of their own otherwise. Through the attribute, in memory and over HTTP.

#![cfg(feature = "upstash")]

mod support;

use millpond::{Millpond, cached};
use millpond_gateway::needs_redis;
use support::source::{Source, source};
use support::{gateway, settle, within_a_minute};

#[derive(Clone, Debug, PartialEq)]
struct Copied(u32);

#[derive(Debug, PartialEq)]
struct Unique(u32);

#[cached(prefix = "copied", key = "<id>", skip(source))]
async fn copied(id: u32, source: &Source<Result<u32, u32>>) -> Result<u32, Copied> {
    source.answer().await.map_err(Copied)
}

type Fallible<T> = Result<T, Unique>;

#[cached(prefix = "unique", key = "<id>", skip(source))]
async fn unique(id: u32, source: &Source<Result<u32, u32>>) -> Fallible<u32> {
    source.answer().await.map_err(Unique)
}

async fn an_error_that_can_be_cloned_is_shared(pond: &Millpond) {
    let (source, mut bodies) = source();
    let call = || {
        let source = source.clone();
        pond.spawn(async move { copied(1, &source).await })
    };
    let first = call();
    let body = bodies.next().await;
    let rest: Vec<_> = (0..50).map(|_| call()).collect();
    settle().await;
    body.answer(Err(1));
    assert_eq!(first.await.unwrap(), Err(Copied(1)));
    // They came while the body ran: what it saw may be out of date for them. One more is enough.
    bodies.next().await.answer(Err(2));
    for call in rest {
        assert_eq!(call.await.unwrap(), Err(Copied(2)));
    }
    assert_eq!(bodies.count(), 0);
    let stats = pond.stats().prefix("copied");
    assert_eq!((stats.loads, stats.load_errors, stats.stores), (2, 2, 0));
}

async fn an_error_that_cannot_be_cloned_goes_to_its_own_caller(pond: &Millpond) {
    let (source, mut bodies) = source();
    let call = || {
        let source = source.clone();
        pond.spawn(async move { unique(1, &source).await })
    };
    let first = call();
    let body = bodies.next().await;
    let rest: Vec<_> = (0..6).map(|_| call()).collect();
    settle().await;
    body.answer(Err(0));
    assert_eq!(first.await.unwrap(), Err(Unique(0)));
    let mut number = 0;
    for bodies_now in [2, 4] {
        let mut running = Vec::new();
        for _ in 0..bodies_now {
            running.push(bodies.next().await);
        }
        settle().await;
        assert_eq!(bodies.count(), 0, "more than {bodies_now} bodies at a time");
        for body in running {
            number += 1;
            body.answer(Err(number));
        }
    }
    let mut errors = Vec::new();
    for call in rest {
        errors.push(call.await.unwrap().unwrap_err().0);
    }
    errors.sort_unstable();
    assert_eq!(errors, [1, 2, 3, 4, 5, 6]);
}

async fn the_first_success_ends_what_a_failure_began(pond: &Millpond) {
    let (source, mut bodies) = source();
    let call = || {
        let source = source.clone();
        pond.spawn(async move { unique(2, &source).await })
    };
    let first = call();
    let body = bodies.next().await;
    let rest: Vec<_> = (0..50).map(|_| call()).collect();
    settle().await;
    body.answer(Err(0));
    assert_eq!(first.await.unwrap(), Err(Unique(0)));
    // Two go, each for itself. The value of one is enough for everybody who waits.
    let two = [bodies.next().await, bodies.next().await];
    let [one, other] = two;
    one.answer(Ok(7));
    settle().await;
    assert_eq!(bodies.count(), 0);
    other.answer(Ok(8));
    let mut values = Vec::new();
    for call in rest {
        values.push(call.await.unwrap().unwrap());
    }
    values.sort_unstable();
    assert_eq!((values[48], values[49]), (7, 8));
    assert_eq!(bodies.count(), 0);
}

async fn all(pond: &Millpond) {
    within_a_minute(async {
        an_error_that_can_be_cloned_is_shared(pond).await;
        an_error_that_cannot_be_cloned_goes_to_its_own_caller(pond).await;
        the_first_success_ends_what_a_failure_began(pond).await;
    })
    .await;
}

#[tokio::test]
async fn waiters_get_the_error_or_a_body_of_their_own_in_memory() {
    all(&Millpond::memory()).await;
}

#[tokio::test]
async fn waiters_get_the_error_or_a_body_of_their_own_over_http() {
    let redis = needs_redis!();
    all(&support::pond(&gateway(redis).await)).await;
}
