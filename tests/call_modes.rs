//! `refresh` and `uncached`: they concern the first cached call that is polled in them, and no other.

use futures_util::future::{join, join_all};
use millpond::{Lookup, Millpond, cached, refresh, ttl, uncached};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

/// Counts bodies.
#[derive(Clone, Default)]
struct Bodies(Arc<AtomicU32>);

impl Bodies {
    fn next(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn number(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

#[cached(prefix = "read", key = "<id>", skip(bodies))]
async fn read(id: u32, bodies: &Bodies) -> u32 {
    tokio::task::yield_now().await;
    bodies.next() + 100 * id
}

#[cached(prefix = "outer", key = "<id>", skip(bodies))]
async fn outer(id: u32, bodies: &Bodies) -> u32 {
    read(id, bodies).await
}

#[tokio::test]
async fn only_the_first_call_of_several_is_meant() {
    let (pond, bodies) = (Millpond::memory(), Bodies::default());
    pond.scope(async {
        join(read(1, &bodies), read(2, &bodies)).await;
        assert_eq!(bodies.number(), 2);
        assert_eq!(
            refresh(join(read(1, &bodies), read(2, &bodies))).await,
            (103, 202)
        );
        assert_eq!(
            uncached(join(read(2, &bodies), read(1, &bodies))).await,
            (204, 103)
        );
        // In turn rather than at once.
        let in_turn = refresh(async { (read(1, &bodies).await, read(1, &bodies).await) });
        assert_eq!(in_turn.await, (105, 105));
    })
    .await;
}

#[tokio::test]
async fn a_future_without_a_call_asks_nothing_of_the_next_one() {
    let (pond, bodies) = (Millpond::memory(), Bodies::default());
    pond.scope(async {
        read(1, &bodies).await;
        refresh(async {}).await;
        let dropped = uncached(std::future::pending::<()>());
        {
            let mut dropped = std::pin::pin!(dropped);
            let mut cx = Context::from_waker(Waker::noop());
            assert!(dropped.as_mut().poll(&mut cx).is_pending());
        }
        assert_eq!(read(1, &bodies).await, 101);
    })
    .await;
}

#[tokio::test]
async fn the_innermost_decides_and_what_is_around_it_is_spent_too() {
    let (pond, bodies) = (Millpond::memory(), Bodies::default());
    pond.scope(async {
        assert_eq!(refresh(uncached(read(1, &bodies))).await, 101);
        assert_eq!(read::entry(1).get().await.unwrap(), Lookup::Miss);
        assert_eq!(uncached(refresh(read(1, &bodies))).await, 102);
        assert_eq!(read::entry(1).get().await.unwrap(), Lookup::Hit(102));
        let both = refresh(async { (uncached(read(1, &bodies)).await, read(1, &bodies).await) });
        assert_eq!(both.await, (103, 102));
        let later = uncached(async { (read(1, &bodies).await, refresh(read(1, &bodies)).await) });
        assert_eq!(later.await, (104, 105));
    })
    .await;
}

#[tokio::test]
async fn calls_in_the_body_are_left_alone() {
    let (pond, bodies) = (Millpond::memory(), Bodies::default());
    pond.scope(async {
        outer(1, &bodies).await;
        refresh(outer(1, &bodies)).await;
        uncached(outer(1, &bodies)).await;
        assert_eq!(bodies.number(), 1);
    })
    .await;
    assert_eq!(pond.stats().prefix("outer").loads, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_moves_with_its_future_from_thread_to_thread() {
    /// Polls what is inside on another thread each time, and something else in between.
    struct Wandering<F>(Pin<Box<F>>, u32);

    impl<F: Future + Send> Future for Wandering<F>
    where
        F::Output: Send,
    {
        type Output = F::Output;

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
            self.1 += 1;
            let waker = cx.waker().clone();
            let inside = &mut self.0;
            let handle = tokio::runtime::Handle::current();
            std::thread::scope(|scope| {
                let polled = scope.spawn(|| {
                    let _entered = handle.enter();
                    inside.as_mut().poll(&mut Context::from_waker(&waker))
                });
                polled.join().expect("no panic")
            })
        }
    }

    let (pond, bodies) = (Millpond::memory(), Bodies::default());
    read::invalidate(1).await.unwrap();
    let call = {
        let (pond, bodies) = (pond.clone(), bodies.clone());
        pond.clone().scope(async move {
            read(1, &bodies).await;
            refresh(async {
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
                read(1, &bodies).await
            })
            .await
        })
    };
    assert_eq!(Wandering(Box::pin(call), 0).await, 102);
    // The thread of this test, and the pool's, have nothing left over.
    let calls = (0..8).map(|_| {
        let bodies = bodies.clone();
        pond.spawn(async move { read(1, &bodies).await })
    });
    for call in join_all(calls).await {
        assert_eq!(call.unwrap(), 102);
    }
}

#[tokio::test]
async fn a_panic_in_the_call_leaves_nothing_behind() {
    let (pond, bodies) = (Millpond::memory(), Bodies::default());
    pond.scope(async {
        read(1, &bodies).await;
        let panics = refresh(std::future::poll_fn(|_| -> Poll<()> {
            panic!("on purpose")
        }));
        let caught = std::panic::AssertUnwindSafe(panics);
        assert!(futures_util::FutureExt::catch_unwind(caught).await.is_err());
        assert_eq!(read(1, &bodies).await, 101);
    })
    .await;
}

#[cached(prefix = "later", key = "<id>", when = id > 1, skip(bodies))]
async fn later(id: u32, bodies: &Bodies) -> u32 {
    read(id, bodies).await
}

#[tokio::test]
async fn a_call_that_leaves_the_cache_aside_takes_the_request_with_it() {
    let (pond, bodies) = (Millpond::memory(), Bodies::default());
    pond.scope(async {
        read(1, &bodies).await;
        // The body runs anyway; the call inside it is a hit.
        assert_eq!(refresh(later(1, &bodies)).await, 101);
        assert_eq!(uncached(later(1, &bodies)).await, 101);
        pond.bypass(async {
            assert_eq!(refresh(read(1, &bodies)).await, 102);
        })
        .await;
        assert_eq!(read(1, &bodies).await, 101);
    })
    .await;
}

#[cached(prefix = "alone", key = "<id>", flight = "off", on = pond, skip(pond, bodies))]
async fn alone(pond: &Millpond, id: u32, bodies: &Bodies) -> u32 {
    bodies.next() + 100 * id
}

#[tokio::test]
async fn they_work_with_another_cache_and_without_flights() {
    let (pond, bodies) = (Millpond::memory(), Bodies::default());
    assert_eq!(alone(&pond, 1, &bodies).await, 101);
    assert_eq!(refresh(alone(&pond, 1, &bodies)).await, 102);
    assert_eq!(uncached(alone(&pond, 1, &bodies)).await, 103);
    assert_eq!(alone(&pond, 1, &bodies).await, 102);
}

#[tokio::test]
async fn a_refresh_does_not_join_a_load_that_is_under_way() {
    let (pond, bodies) = (Millpond::memory(), Bodies::default());
    pond.scope(async {
        let older = read(1, &bodies);
        let newer = refresh(read(1, &bodies));
        assert_eq!(join(older, newer).await, (101, 102));
    })
    .await;
}

struct Repo {
    tenant: u32,
    bodies: Bodies,
}

impl Repo {
    #[cached(prefix = "method", key = "<self.tenant>:<id>")]
    async fn get_user(&self, id: u32) -> u32 {
        self.bodies.next() + 100 * id
    }
}

trait Users {
    async fn find(&self, id: u32) -> u32;
}

impl Users for Repo {
    #[cached(prefix = "trait", key = "<self.tenant>:<id>", companion = false)]
    async fn find(&self, id: u32) -> u32 {
        self.bodies.next() + 100 * id
    }
}

#[tokio::test]
async fn methods_and_functions_of_traits_are_meant_as_well() {
    let pond = Millpond::memory();
    pond.scope(async {
        let repo = Repo {
            tenant: 1,
            bodies: Bodies::default(),
        };
        assert_eq!(repo.get_user(1).await, 101);
        assert_eq!(refresh(repo.get_user(1)).await, 102);
        assert_eq!(uncached(repo.get_user(1)).await, 103);
        assert_eq!(repo.get_user(1).await, 102);
        assert_eq!(repo.find(1).await, 104);
        assert_eq!(refresh(repo.find(1)).await, 105);
        // Behind a pointer, as `async_trait` returns it.
        let boxed: Pin<Box<dyn Future<Output = u32> + '_>> = Box::pin(repo.find(1));
        assert_eq!(uncached(boxed).await, 106);
        assert_eq!(repo.find(1).await, 105);
    })
    .await;
}

#[tokio::test]
async fn values_by_hand_are_meant_as_well() {
    let (pond, bodies) = (Millpond::memory(), Bodies::default());
    let load = || {
        pond.get_or_set("by:hand", ttl::SHORT, async || {
            Ok::<_, Infallible>(bodies.next())
        })
    };
    assert_eq!(load().await, Ok(1));
    assert_eq!(refresh(load()).await, Ok(2));
    assert_eq!(uncached(load()).await, Ok(3));
    assert_eq!(load().await, Ok(2));
}
