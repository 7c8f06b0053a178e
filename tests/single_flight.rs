//! One body per key and process, whatever becomes of the caller that runs it.

use millpond::{Millpond, ttl};
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};

type Never<T> = Result<T, Infallible>;

/// Lets the other tasks run until they have nothing left to do.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// Polls a future once.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| match std::pin::Pin::new(&mut *future).poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_callers_of_a_cold_key_run_one_body() {
    let pond = Millpond::memory();
    let bodies = Arc::new(AtomicUsize::new(0));
    let gate = Arc::new(Semaphore::new(0));
    let calls: Vec<_> = (0..10_000)
        .map(|_| {
            let (pond, bodies, gate) = (pond.clone(), bodies.clone(), gate.clone());
            tokio::spawn(async move {
                let load = async || {
                    bodies.fetch_add(1, Ordering::SeqCst);
                    gate.acquire().await.unwrap().forget();
                    Never::Ok("value".to_owned())
                };
                pond.get_or_set("cold:1", ttl::MEDIUM, load).await.unwrap()
            })
        })
        .collect();
    while bodies.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    gate.add_permits(10_000);
    for call in calls {
        assert_eq!(call.await.unwrap(), "value");
    }
    assert_eq!(bodies.load(Ordering::SeqCst), 1);
    assert_eq!(pond.stats().cache.loads, 1);
}

#[tokio::test]
async fn a_cancelled_leader_hands_over_to_a_waiter() {
    let pond = Millpond::memory();
    let leader = tokio::spawn({
        let pond = pond.clone();
        async move {
            pond.get_or_set("key:1", ttl::MEDIUM, std::future::pending::<Never<u32>>)
                .await
        }
    });
    settle().await;
    let waiter = tokio::spawn({
        let pond = pond.clone();
        async move {
            pond.get_or_set("key:1", ttl::MEDIUM, async || Never::Ok(2))
                .await
        }
    });
    settle().await;
    assert!(!waiter.is_finished());
    leader.abort();
    assert_eq!(waiter.await.unwrap(), Ok(2));
    assert_eq!(pond.get::<u32>("key:1").await.unwrap(), Some(2));
}

#[tokio::test]
async fn a_panicking_leader_hands_over_and_leaves_the_key_usable() {
    let pond = Millpond::memory();
    let (tell, told) = oneshot::channel::<()>();
    let leader = tokio::spawn({
        let pond = pond.clone();
        async move {
            let load = async || {
                told.await.unwrap();
                let nothing: Option<Never<u32>> = std::hint::black_box(None);
                nothing.expect("the body panics")
            };
            pond.get_or_set("key:1", ttl::MEDIUM, load).await
        }
    });
    settle().await;
    let waiter = tokio::spawn({
        let pond = pond.clone();
        async move {
            pond.get_or_set("key:1", ttl::MEDIUM, async || Never::Ok(2))
                .await
        }
    });
    settle().await;
    tell.send(()).unwrap();
    assert!(leader.await.unwrap_err().is_panic());
    assert_eq!(waiter.await.unwrap(), Ok(2));
    assert_eq!(
        pond.get_or_set("key:1", ttl::MEDIUM, async || Never::Ok(3))
            .await,
        Ok(2)
    );
}

#[tokio::test]
async fn nobody_waits_for_a_leader_that_is_kept_but_not_polled() {
    let pond = Millpond::memory();
    let mut kept =
        Box::pin(pond.get_or_set("key:1", ttl::MEDIUM, std::future::pending::<Never<u32>>));
    assert_eq!(poll_once(&mut kept).await, None);
    let value = pond
        .get_or_set("key:1", ttl::MEDIUM, async || Never::Ok(2))
        .await;
    assert_eq!(value, Ok(2));
    assert_eq!(poll_once(&mut kept).await, None);
}

#[tokio::test]
async fn a_stream_whose_consumer_calls_the_same_function_does_not_hang() {
    use futures_util::{StreamExt, stream};
    let pond = Millpond::memory();
    let load = |n: u32| {
        let pond = pond.clone();
        async move {
            let load = async || {
                tokio::task::yield_now().await;
                Never::Ok(n)
            };
            pond.get_or_set("key:1", ttl::MEDIUM, load).await.unwrap()
        }
    };
    let mut calls = stream::iter([1, 2, 3]).map(load).buffer_unordered(2);
    let mut seen = Vec::new();
    while let Some(first) = calls.next().await {
        pond.delete("key:1").await.unwrap();
        seen.push((first, load(9).await));
    }
    assert_eq!(seen.len(), 3);
}

#[tokio::test]
async fn a_body_that_asks_for_its_own_key_runs_uncached_inside() {
    let pond = Millpond::memory();
    let inner = pond.clone();
    let load = async || {
        let own = inner
            .get_or_set("key:1", ttl::MEDIUM, async || Never::Ok(1))
            .await?;
        Never::Ok(own + 1)
    };
    assert_eq!(pond.get_or_set("key:1", ttl::MEDIUM, load).await, Ok(2));
}

#[tokio::test]
async fn each_failure_lets_two_waiters_run_their_own_bodies() {
    #[derive(Debug)]
    struct Broken;

    let pond = Millpond::memory();
    let running = Arc::new(AtomicUsize::new(0));
    let gate = Arc::new(Semaphore::new(0));
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let (pond, running, gate) = (pond.clone(), running.clone(), gate.clone());
            tokio::spawn(async move {
                let load = async || {
                    running.fetch_add(1, Ordering::SeqCst);
                    gate.acquire().await.unwrap().forget();
                    running.fetch_sub(1, Ordering::SeqCst);
                    Err::<u32, _>(Broken)
                };
                pond.get_or_set("key:1", ttl::MEDIUM, load).await
            })
        })
        .collect();
    let mut rounds = Vec::new();
    loop {
        settle().await;
        match running.load(Ordering::SeqCst) {
            0 => break,
            bodies => {
                rounds.push(bodies);
                gate.add_permits(bodies);
            }
        }
    }
    assert_eq!(rounds, [1, 2, 4, 8, 16, 32, 64, 73]);
    for call in calls {
        assert!(call.await.unwrap().is_err());
    }
    assert_eq!(pond.stats().cache.loads, 200);
}

#[tokio::test]
async fn the_first_success_ends_what_a_failure_began() {
    let pond = Millpond::memory();
    let (tell, told) = oneshot::channel::<()>();
    let first = tokio::spawn({
        let pond = pond.clone();
        async move {
            let load = async || {
                told.await.unwrap();
                Err::<u32, _>("broken")
            };
            pond.get_or_set("key:1", ttl::MEDIUM, load).await
        }
    });
    settle().await;
    let rest: Vec<_> = (0..50)
        .map(|_| {
            let pond = pond.clone();
            tokio::spawn(async move {
                pond.get_or_set("key:1", ttl::MEDIUM, async || Ok::<_, &str>(7))
                    .await
            })
        })
        .collect();
    settle().await;
    tell.send(()).unwrap();
    assert_eq!(first.await.unwrap(), Err("broken"));
    for call in rest {
        assert_eq!(call.await.unwrap(), Ok(7));
    }
    assert_eq!(pond.stats().cache.loads, 2);
}

#[tokio::test]
async fn an_invalidation_during_a_load_is_not_undone_by_it() {
    let pond = Millpond::memory();
    let (tell, told) = oneshot::channel::<()>();
    let leader = tokio::spawn({
        let pond = pond.clone();
        async move {
            let load = async || {
                told.await.unwrap();
                Never::Ok("old".to_owned())
            };
            pond.get_or_set("key:1", ttl::MEDIUM, load).await
        }
    });
    settle().await;
    let early = tokio::spawn({
        let pond = pond.clone();
        async move {
            pond.get_or_set("key:1", ttl::MEDIUM, async || Never::Ok("new".to_owned()))
                .await
        }
    });
    settle().await;
    pond.delete("key:1").await.unwrap();
    let late = pond
        .get_or_set("key:1", ttl::MEDIUM, async || Never::Ok("newer".to_owned()))
        .await;
    assert_eq!(late, Ok("newer".to_owned()));
    tell.send(()).unwrap();
    assert_eq!(leader.await.unwrap(), Ok("old".to_owned()));
    assert_eq!(early.await.unwrap(), Ok("newer".to_owned()));
    assert_eq!(
        pond.get::<String>("key:1").await.unwrap().as_deref(),
        Some("newer")
    );
    assert_eq!(pond.stats().cache.refused, 1);
}

#[tokio::test]
async fn a_value_that_was_set_during_a_load_survives_it() {
    for foreign in [false, true] {
        let pond = Millpond::memory();
        let load = async || {
            if foreign {
                pond.command(["SET", "key:1", "\"set\""]).await.unwrap();
            } else {
                pond.set("key:1", "set", ttl::MEDIUM).await.unwrap();
            }
            Never::Ok("loaded".to_owned())
        };
        let value = pond.get_or_set("key:1", ttl::MEDIUM, load).await;
        assert_eq!(value, Ok("loaded".to_owned()));
        assert_eq!(
            pond.get::<String>("key:1").await.unwrap().as_deref(),
            Some("set")
        );
    }
}

#[test]
fn a_leader_on_a_runtime_that_nobody_drives_holds_nobody_up() {
    let pond = Millpond::memory();
    let idle = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    idle.block_on(async {
        let pond = pond.clone();
        tokio::spawn(async move {
            pond.get_or_set("key:1", ttl::MEDIUM, std::future::pending::<Never<u32>>)
                .await
        });
        settle().await;
    });
    let other = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let value = other.block_on(pond.get_or_set("key:1", ttl::MEDIUM, async || Never::Ok(2)));
    assert_eq!(value, Ok(2));
    drop(idle);
}

#[tokio::test(start_paused = true)]
async fn no_wait_is_longer_than_flight_wait() {
    let wait = Duration::from_secs(5);
    let pond = Millpond::builder().flight_wait(wait).build().unwrap();
    let leader = tokio::spawn({
        let pond = pond.clone();
        async move {
            pond.get_or_set("key:1", ttl::MEDIUM, std::future::pending::<Never<u32>>)
                .await
        }
    });
    settle().await;
    let start = tokio::time::Instant::now();
    let value = pond
        .get_or_set("key:1", ttl::MEDIUM, async || Never::Ok(2))
        .await;
    assert_eq!(value, Ok(2));
    assert_eq!(start.elapsed(), wait);
    leader.abort();
}

#[test]
fn a_runtime_without_timers_still_shares_a_load() {
    let pond = Millpond::memory();
    let bare = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let (a, b) = bare.block_on(async {
        let slow = async || {
            settle().await;
            Never::Ok(1)
        };
        futures_util::join!(
            pond.get_or_set("key:1", ttl::MEDIUM, slow),
            pond.get_or_set("key:1", ttl::MEDIUM, async || Never::Ok(2)),
        )
    });
    assert_eq!((a, b), (Ok(1), Ok(1)));
}

#[tokio::test]
async fn a_key_that_was_used_once_leaves_nothing_behind() {
    let pond = Millpond::memory();
    for n in 0..100 {
        let key = format!("key:{n}");
        let mut kept = Box::pin(pond.get_or_set(
            key.as_str(),
            ttl::MEDIUM,
            std::future::pending::<Never<u32>>,
        ));
        assert_eq!(poll_once(&mut kept).await, None);
    }
    assert!(format!("{pond:?}").contains("flights: 0"), "{pond:?}");
}
