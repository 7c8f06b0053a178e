//! `local = "only"` on async functions: values stay what they are, in this process, and nothing is sent.

mod support;

use millpond::{
    Lookup, ManualClock, Millpond, TimeLeft, cached, invalidates, refresh, uncached, updates,
};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;
use support::settle;
use tokio::sync::Semaphore;

const SECOND: Duration = Duration::from_secs(1);

/// Neither `Serialize` nor `Deserialize`.
#[derive(Clone, Debug, PartialEq)]
struct Plan {
    id: u64,
    steps: Vec<fn(u64) -> u64>,
}

fn ponds() -> (Millpond, ManualClock) {
    let clock = ManualClock::new();
    let pond = Millpond::builder().clock(clock.clone()).build().unwrap();
    (pond, clock)
}

#[tokio::test]
async fn a_value_without_serde_is_kept_as_it_is() {
    #[cached(local = "only", key = "<id>", skip(bodies))]
    async fn get_plan(id: u64, bodies: &AtomicUsize) -> Arc<Plan> {
        bodies.fetch_add(1, Ordering::SeqCst);
        Arc::new(Plan {
            id,
            steps: vec![|n| n + 1],
        })
    }

    let pond = Millpond::memory();
    let bodies = AtomicUsize::new(0);
    pond.scope(async {
        let first = get_plan(7, &bodies).await;
        let second = get_plan(7, &bodies).await;
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!((first.steps[0])(1), 2);
        assert_eq!(get_plan(8, &bodies).await.id, 8);
    })
    .await;
    assert_eq!(bodies.load(Ordering::SeqCst), 2);
    let stats = pond.stats();
    assert_eq!((stats.commands, stats.requests), (0, 0));
    let plans = stats.prefix("plan");
    assert_eq!((plans.local_hits, plans.hits, plans.misses), (1, 0, 2));
    assert_eq!((plans.loads, plans.stores), (2, 2));
    assert_eq!(stats.local_values, 2);
}

#[tokio::test]
async fn a_value_lives_for_its_ttl_by_either_clock() {
    #[cached(local = "only", ttl = "10s", jitter = 0, key = "<id>")]
    async fn now(id: u64) -> Vec<u64> {
        vec![id]
    }

    let (pond, clock) = ponds();
    pond.scope(async {
        for advance in [
            ManualClock::advance,
            ManualClock::advance_monotonic,
            ManualClock::advance_wall,
        ] {
            now(1).await;
            advance(&clock, 9 * SECOND);
            assert_eq!(now::entry(1).get(), Lookup::Hit(vec![1]));
            assert_eq!(now::entry(1).ttl(), TimeLeft::Left(SECOND));
            advance(&clock, SECOND);
            assert_eq!(now::entry(1).get(), Lookup::Miss);
            assert_eq!(now::entry(1).ttl(), TimeLeft::Missing);
        }
        now(1).await;
        // Set back, the wall clock prolongs nothing.
        clock.set_unix_ms(0);
        clock.advance_monotonic(10 * SECOND);
        assert!(!now::entry(1).exists());
    })
    .await;
}

#[tokio::test]
async fn nothing_is_kept_for_as_long_as_nothing_is_to_be_kept() {
    #[cached(local = "only", ttl = "1h", null_ttl = "5s", jitter = 0, key = "<id>")]
    async fn find(id: u64) -> Result<Option<Arc<u64>>, String> {
        Ok((id > 9).then(|| Arc::new(id)))
    }

    #[cached(local = "only", null = false, key = "<id>")]
    async fn find_now(id: u64) -> Option<u64> {
        (id > 9).then_some(id)
    }

    let (pond, clock) = ponds();
    pond.scope(async {
        assert_eq!(find(1).await, Ok(None));
        assert_eq!(find(1).await, Ok(None));
        assert_eq!(find::entry(1).get(), Lookup::Null);
        assert_eq!(find(10).await, Ok(Some(Arc::new(10))));
        clock.advance(5 * SECOND);
        assert_eq!(find::entry(1).get(), Lookup::Miss);
        assert_eq!(find::entry(10).get(), Lookup::Hit(Some(Arc::new(10))));
        find_now(1).await;
        assert_eq!(find_now::entry(1).get(), Lookup::Miss);
        find_now(10).await;
        assert_eq!(find_now::entry(10).get(), Lookup::Hit(Some(10)));
    })
    .await;
}

#[tokio::test]
async fn a_value_says_whether_and_for_how_long_it_is_kept() {
    #[cached(
        local = "only",
        key = "<length>",
        unless = Vec::is_empty,
        ttl_of = |list: &Vec<u8>| Duration::from_secs(list.len() as u64),
        jitter = 0
    )]
    async fn list(length: usize) -> Vec<u8> {
        vec![0; length]
    }

    let (pond, clock) = ponds();
    pond.scope(async {
        list(0).await;
        assert!(!list::entry(0).exists());
        list(3).await;
        clock.advance(2 * SECOND);
        assert_eq!(list::entry(3).ttl(), TimeLeft::Left(SECOND));
        list::entry(3).put([1, 2]);
        assert_eq!(list::entry(3).ttl(), TimeLeft::Left(2 * SECOND));
        assert_eq!(list(3).await, [1, 2]);
        list::entry(3).put([]);
        assert!(!list::entry(3).exists(), "a lifetime of nothing");
    })
    .await;
}

#[tokio::test]
async fn calls_can_go_around_what_is_kept() {
    #[cached(local = "only", key = "<id>", when = *id < 100, skip(bodies))]
    async fn load(id: &u64, bodies: &AtomicUsize) -> usize {
        bodies.fetch_add(1, Ordering::SeqCst)
    }

    let pond = Millpond::memory();
    let bodies = AtomicUsize::new(0);
    pond.scope(async {
        assert_eq!(load(&1, &bodies).await, 0);
        assert_eq!(uncached(load(&1, &bodies)).await, 1);
        assert_eq!(load(&1, &bodies).await, 0);
        assert_eq!(refresh(load(&1, &bodies)).await, 2);
        assert_eq!(load(&1, &bodies).await, 2);
        assert_eq!(load(&100, &bodies).await, 3);
        assert_eq!(load(&100, &bodies).await, 4);
    })
    .await;
    assert_eq!(pond.bypass(load(&1, &bodies)).await, 5);
    assert_eq!(pond.scope(load(&1, &bodies)).await, 2);
    // Another `Millpond` keeps values of its own.
    assert_eq!(Millpond::memory().scope(load(&1, &bodies)).await, 6);
}

#[tokio::test]
async fn an_error_is_not_kept_and_goes_to_those_who_wait() {
    #[cached(local = "only", key = "<id>", skip(bodies, gate))]
    async fn fail(id: u64, bodies: &AtomicUsize, gate: &Semaphore) -> Result<u64, String> {
        bodies.fetch_add(1, Ordering::SeqCst);
        gate.acquire().await.unwrap().forget();
        Err(format!("no {id}"))
    }

    let pond = Millpond::memory();
    let (bodies, gate) = (AtomicUsize::new(0), Semaphore::new(0));
    pond.scope(async {
        let call = || fail(1, &bodies, &gate);
        let calls = async { tokio::join!(call(), call(), call(), call()) };
        let (results, ()) = tokio::join!(calls, async {
            settle().await;
            gate.add_permits(3);
        });
        let no = || Err("no 1".to_owned());
        assert_eq!(results, (no(), no(), no(), no()));
        // The first, and one of those who called after it began; the others waited when that one began.
        assert_eq!(bodies.load(Ordering::SeqCst), 2);
    })
    .await;
    let stats = pond.stats().cache;
    assert_eq!((stats.loads, stats.load_errors, stats.shared), (2, 2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_body_runs_for_all_who_ask_at_once() {
    #[cached(local = "only", key = "<id>", skip(bodies, gate))]
    async fn load(id: u64, bodies: &AtomicUsize, gate: &Semaphore) -> Arc<u64> {
        bodies.fetch_add(1, Ordering::SeqCst);
        gate.acquire().await.unwrap().forget();
        Arc::new(id)
    }

    let pond = Millpond::memory();
    let (bodies, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let calls: Vec<_> = (0..1_000)
        .map(|_| {
            let (bodies, gate) = (Arc::clone(&bodies), Arc::clone(&gate));
            pond.spawn(async move { load(1, &bodies, &gate).await })
        })
        .collect();
    while bodies.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    gate.add_permits(1_000);
    let mut values = Vec::new();
    for call in calls {
        values.push(call.await.unwrap());
    }
    assert!(values.iter().all(|value| Arc::ptr_eq(value, &values[0])));
    assert_eq!(bodies.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn whoever_waits_takes_over_from_a_caller_that_goes_away() {
    #[cached(local = "only", key = "<id>", skip(bodies))]
    async fn load(id: u64, bodies: Arc<AtomicUsize>) -> u64 {
        if bodies.fetch_add(1, Ordering::SeqCst) == 0 {
            std::future::pending::<()>().await;
        }
        id
    }

    let pond = Millpond::memory();
    let bodies = Arc::new(AtomicUsize::new(0));
    let first = pond.spawn(load(1, Arc::clone(&bodies)));
    settle().await;
    let second = pond.spawn(load(1, Arc::clone(&bodies)));
    settle().await;
    assert!(!second.is_finished());
    first.abort();
    assert_eq!(second.await.unwrap(), 1);
    assert_eq!(bodies.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_panic_belongs_to_its_caller() {
    #[cached(local = "only", key = "<id>", skip(bodies))]
    async fn load(id: u64, bodies: Arc<AtomicUsize>) -> u64 {
        tokio::task::yield_now().await;
        assert!(bodies.fetch_add(1, Ordering::SeqCst) > 0, "the first body");
        id
    }

    let pond = Millpond::memory();
    let bodies = Arc::new(AtomicUsize::new(0));
    let first = pond.spawn(load(1, Arc::clone(&bodies)));
    let second = pond.spawn(load(1, Arc::clone(&bodies)));
    assert!(first.await.unwrap_err().is_panic());
    assert_eq!(second.await.unwrap(), 1);
    assert_eq!(pond.scope(load(1, Arc::clone(&bodies))).await, 1);
    assert_eq!(bodies.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_body_may_call_its_own_function() {
    #[cached(local = "only", key = "<n>", skip(again))]
    async fn sum(n: u64, again: bool) -> u64 {
        match (n, again) {
            (0, _) => 0,
            (n, true) => Box::pin(sum(n, false)).await,
            (n, false) => n + Box::pin(sum(n - 1, true)).await,
        }
    }
    let pond = Millpond::memory();
    assert_eq!(pond.scope(sum(4, true)).await, 10);
    assert!(pond.stats().cache.bypassed > 0);
}

#[tokio::test]
async fn a_removal_during_a_load_wins() {
    #[millpond::tag("owner:<owner>")]
    fn owner(owner: u64) -> millpond::Tag;

    #[cached(local = "only", key = "<id>", tags(owner(id)), all, skip(bodies, gate))]
    async fn load(id: u64, bodies: &AtomicUsize, gate: &Semaphore) -> usize {
        let body = bodies.fetch_add(1, Ordering::SeqCst);
        gate.acquire().await.unwrap().forget();
        body
    }

    #[invalidates(load(id))]
    async fn change(id: u64) {}

    type Removal = fn(&Millpond) -> std::pin::Pin<Box<dyn Future<Output = ()> + '_>>;
    let removals: [Removal; 5] = [
        |_| Box::pin(async { drop(load::invalidate(1)) }),
        |_| Box::pin(async { drop(load::invalidate_all()) }),
        |_| Box::pin(async { owner::invalidate(1).await.unwrap() }),
        |pond| Box::pin(async { pond.invalidate_tag(owner(1)).await.unwrap() }),
        |_| Box::pin(change(1)),
    ];
    for remove in removals {
        let pond = Millpond::memory();
        let (bodies, gate) = (AtomicUsize::new(0), Semaphore::new(0));
        pond.scope(async {
            let mut first = pin!(load(1, &bodies, &gate));
            assert!(poll(first.as_mut()).is_none());
            remove(&pond).await;
            let mut second = pin!(load(1, &bodies, &gate));
            assert!(
                poll(second.as_mut()).is_none(),
                "it starts a load of its own"
            );
            gate.add_permits(2);
            assert_eq!(first.await, 0);
            assert_eq!(second.await, 1);
            assert_eq!(load::entry(1).get(), Lookup::Hit(1));
            remove(&pond).await;
            assert_eq!(load::entry(1).get(), Lookup::Miss);
        })
        .await;
        assert_eq!(pond.stats().cache.refused, 1);
    }
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

#[tokio::test]
async fn a_put_and_an_update_win_over_a_load_that_began_before() {
    #[cached(local = "only", key = "<id>", skip(gate))]
    async fn name(id: u64, gate: &Semaphore) -> Result<Option<String>, String> {
        gate.acquire().await.unwrap().forget();
        Ok(Some(format!("user {id}")))
    }

    #[updates(name(id))]
    async fn rename(id: u64, to: &str) -> Result<String, String> {
        Ok(to.to_owned())
    }

    let pond = Millpond::memory();
    let gate = Semaphore::new(0);
    pond.scope(async {
        for turn in 0..2 {
            let mut load = pin!(name(1, &gate));
            assert!(poll(load.as_mut()).is_none());
            if turn == 0 {
                name::entry(1).put("Ada".to_owned());
            } else {
                rename(1, "Ada").await.unwrap();
            }
            gate.add_permits(1);
            assert_eq!(load.await.unwrap().as_deref(), Some("user 1"));
            let ada = Lookup::Hit(Some("Ada".to_owned()));
            assert_eq!(name::entry(1).get(), ada);
            name::invalidate(1);
        }
    })
    .await;
    assert_eq!(pond.stats().commands, 0);
}

#[tokio::test]
async fn an_update_that_somebody_overtook_removes() {
    #[cached(local = "only", key = "<id>")]
    async fn name(id: u64) -> String {
        format!("user {id}")
    }

    #[updates(name(id))]
    async fn rename(id: u64, to: &str, interfere: bool, fail: bool) -> Result<String, String> {
        if interfere {
            name::entry(id).put("Eve");
        }
        if fail {
            return Err("refused".to_owned());
        }
        Ok(to.to_owned())
    }

    Millpond::memory()
        .scope(async {
            rename(1, "Ada", false, false).await.unwrap();
            assert_eq!(name(1).await, "Ada");
            rename(1, "Bob", true, false).await.unwrap();
            assert_eq!(name::entry(1).get(), Lookup::Miss);
            name::entry(1).put("Ada");
            rename(1, "Bob", false, true).await.unwrap_err();
            assert_eq!(name(1).await, "Ada");
        })
        .await;
}

#[tokio::test]
async fn functions_with_the_same_key_share_nothing() {
    mod a {
        #[millpond::cached(local = "only", prefix = "same", key = "<id>")]
        pub(super) async fn load(id: u64) -> u64 {
            id
        }
    }
    mod b {
        #[millpond::cached(local = "only", prefix = "same", key = "<id>")]
        pub(super) async fn load(id: u64) -> u64 {
            id + 100
        }
    }

    let pond = Millpond::memory();
    pond.scope(async {
        assert_eq!((a::load(1).await, b::load(1).await), (1, 101));
        assert_eq!((a::load(1).await, b::load(1).await), (1, 101));
        a::load::invalidate(1);
        assert!(b::load::entry(1).exists());
        // A key of the server is something else.
        pond.delete("same:1").await.unwrap();
        assert!(b::load::entry(1).exists());
    })
    .await;
    assert_eq!(pond.stats().prefix("same").local_hits, 2);
}

#[tokio::test]
async fn the_local_tier_is_bounded() {
    #[cached(local = "only", key = "<id>")]
    async fn page(id: u64) -> String {
        "x".repeat(1_000)
    }

    let pond = Millpond::builder().local_bytes(200_000).build().unwrap();
    pond.scope(async {
        for id in 0..1_000 {
            assert_eq!(page(id).await.len(), 1_000);
        }
    })
    .await;
    let stats = pond.stats();
    assert!(stats.local_bytes <= 200_000, "{}", stats.local_bytes);
    assert!(
        (50..200).contains(&stats.local_values),
        "{}",
        stats.local_values
    );
}

#[tokio::test]
async fn an_entry_says_why_a_value_is_found() {
    #[cached(local = "only", ttl = "10s", jitter = 0, key = "<id>")]
    async fn user(id: u64) -> String {
        format!("secret {id}")
    }

    let (pond, clock) = ponds();
    pond.scope(async {
        let why = user::entry(7).explain();
        assert!(!why.is_kept());
        assert!(
            why.to_string().starts_with("user:7: nothing is kept"),
            "{why}"
        );
        user(7).await;
        clock.advance(3 * SECOND);
        let why = user::entry(7).explain();
        assert_eq!(why.age(), Some(3 * SECOND));
        let text = why.to_string();
        assert!(text.contains("loaded 3.0s ago, for another 7.0s"), "{text}");
        assert!(!text.contains("secret") && !format!("{why:?}").contains("user:7"));
    })
    .await;
}

#[tokio::test]
async fn methods_and_generic_functions_keep_values_too() {
    struct Repo {
        pond: Millpond,
        factor: u64,
    }

    impl Repo {
        #[cached(local = "only", prefix = "scaled", key = "<self.factor>:<id>", on = self.pond)]
        async fn scaled(&self, id: u64) -> u64 {
            id * self.factor
        }

        #[invalidates(self.scaled(id))]
        async fn change(&self, id: u64) {}
    }

    #[cached(local = "only", key = "<n>")]
    async fn doubled<T: std::fmt::Display + Copy + Into<u64>>(n: T) -> u64 {
        n.into() * 2
    }

    let repo = Repo {
        pond: Millpond::memory(),
        factor: 3,
    };
    assert_eq!(repo.scaled(2).await, 6);
    assert_eq!(repo.scaled_entry(2).get(), Lookup::Hit(6));
    repo.change(2).await;
    assert_eq!(repo.scaled_entry(2).get(), Lookup::Miss);
    assert_eq!(repo.pond.scope(doubled(4_u8)).await, 8);
    assert_eq!(repo.pond.scope(doubled(4_u32)).await, 8);
}
