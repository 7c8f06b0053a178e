//! Whatever becomes of other callers' loads, a call takes about two bodies and its budget for the cache.
//! Time is Tokio's paused clock: it runs ahead while nothing happens, so every figure here is exact.

mod support;

use millpond::{Millpond, cached, key, ttl};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use support::settle;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

const BODY: Duration = Duration::from_millis(100);

/// What a test knows about a source: whether it works, and how many ask it.
#[derive(Default)]
struct Source {
    broken: AtomicBool,
    begun: AtomicUsize,
    running: AtomicUsize,
    most: AtomicUsize,
}

/// Not `Clone`: every caller gets an error of its own.
#[derive(Debug)]
struct Broken;

struct Running<'a>(&'a Source);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Source {
    /// Answers after [`BODY`], as it is then.
    async fn ask(&self) -> Result<u32, Broken> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        let _running = Running(self);
        sleep(BODY).await;
        if self.broken.load(Ordering::SeqCst) {
            return Err(Broken);
        }
        Ok(7)
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }
}

/// A call in a task of its own; how long it took.
fn call(pond: &Millpond, source: &Arc<Source>) -> JoinHandle<(Result<u32, Broken>, Duration)> {
    let (pond, source) = (pond.clone(), Arc::clone(source));
    tokio::spawn(async move {
        let start = Instant::now();
        let answer = pond
            .get_or_set("hot:1", ttl::MEDIUM, async || source.ask().await)
            .await;
        (answer, start.elapsed())
    })
}

async fn durations(calls: Vec<JoinHandle<(Result<u32, Broken>, Duration)>>) -> Vec<Duration> {
    let mut lasted = Vec::new();
    for call in calls {
        lasted.push(call.await.unwrap().1);
    }
    lasted.sort_unstable();
    lasted
}

/// What this process does when it changes the data, and what another process does.
#[derive(Clone, Copy, Debug)]
enum Change {
    Here,
    Elsewhere,
}

impl Change {
    async fn make(self, pond: &Millpond, number: u64) {
        match self {
            Self::Here => drop(pond.delete("hot:1").await.unwrap()),
            Self::Elsewhere => {
                let word = number.to_string();
                let guard = "{hot:1}:guard";
                pond.command(["SET", guard, &word, "PX", "300000"])
                    .await
                    .unwrap();
                pond.command(["DEL", "hot:1"]).await.unwrap();
            }
        }
    }
}

/// Changes the data every 50 to 70 ms, for ever.
fn keep_changing(pond: &Millpond, change: Change) -> JoinHandle<()> {
    let pond = pond.clone();
    tokio::spawn(async move {
        for number in 0.. {
            sleep(Duration::from_millis(50 + number * 7 % 21)).await;
            change.make(&pond, number).await;
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_key_that_changes_faster_than_it_loads_costs_a_caller_two_bodies() {
    for change in [Change::Here, Change::Elsewhere] {
        for pause in [0, 1, 20] {
            let (pond, source) = (Millpond::memory(), Arc::<Source>::default());
            let changes = keep_changing(&pond, change);
            let mut calls = Vec::new();
            for _ in 0..200 {
                calls.push(call(&pond, &source));
                sleep(Duration::from_millis(pause)).await;
            }
            let lasted = durations(calls).await;
            changes.abort();
            let longest = lasted[199];
            assert!(longest <= BODY * 2, "{change:?}, {pause} ms: {longest:?}");
            // And nobody loads for itself: a body begins when the one before it is out of date.
            let time = BODY + Duration::from_millis(200 * pause);
            let at_most = 3 + time.as_millis() as usize / 50;
            let bodies = source.begun();
            assert!(bodies <= at_most, "{change:?}, {pause} ms: {bodies} bodies");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn callers_of_a_source_that_fails_do_not_queue() {
    let (pond, source) = (Millpond::memory(), Arc::<Source>::default());
    source.broken.store(true, Ordering::SeqCst);
    let mut calls = Vec::new();
    for _ in 0..5_000 {
        calls.push(call(&pond, &source));
        sleep(Duration::from_millis(1)).await;
    }
    let late = calls.split_off(2_000);
    let first = durations(calls).await;
    let late = durations(late).await;
    // The bodies double until they keep up with the callers.
    assert!(first[1_000] <= BODY * 10, "{:?}", first[1_000]);
    assert!(first[1_999] <= BODY * 12, "{:?}", first[1_999]);
    assert!(late[1_500] <= BODY * 2, "{:?}", late[1_500]);
    assert!(late[2_999] <= BODY * 2, "{:?}", late[2_999]);
    assert_eq!(source.begun(), 5_000);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_recovers_meets_no_herd() {
    let (pond, source) = (Millpond::memory(), Arc::<Source>::default());
    source.broken.store(true, Ordering::SeqCst);
    let mut calls = Vec::new();
    for n in 0..4_000 {
        if n == 3_000 {
            // From here on the bodies that run succeed.
            source.broken.store(false, Ordering::SeqCst);
            let begun = source.begun();
            source.begun.store(0, Ordering::SeqCst);
            assert!(begun > 2_000, "{begun}");
        }
        calls.push(call(&pond, &source));
        sleep(Duration::from_millis(1)).await;
    }
    let waited = durations(calls.split_off(3_000)).await;
    // Those who came before the first of them ended waited for it, and the others hit.
    assert!(waited[999] <= BODY, "{:?}", waited[999]);
    let bodies = source.begun();
    assert!(bodies <= 2, "{bodies} bodies after the recovery");
}

#[tokio::test(start_paused = true)]
async fn callers_of_a_body_that_panics_end_within_the_logarithm_of_their_number() {
    let pond = Millpond::memory();
    let start = Instant::now();
    let calls: Vec<_> = (0..500)
        .map(|_| {
            let pond = pond.clone();
            tokio::spawn(async move {
                let load = async || {
                    sleep(BODY).await;
                    let nothing: Option<Result<u32, Broken>> = std::hint::black_box(None);
                    nothing.expect("the body panics")
                };
                pond.get_or_set("hot:1", ttl::MEDIUM, load).await
            })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap_err().is_panic());
    }
    assert!(start.elapsed() <= BODY * 10, "{:?}", start.elapsed());
    assert!(format!("{pond:?}").contains("flights: 0"), "{pond:?}");
}

#[tokio::test(start_paused = true)]
async fn one_slow_body_that_fails_holds_up_nobody_else() {
    let (pond, source) = (Millpond::memory(), Arc::<Source>::default());
    source.broken.store(true, Ordering::SeqCst);
    let numbers = Arc::new(AtomicUsize::new(0));
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let (pond, source, numbers) = (pond.clone(), source.clone(), numbers.clone());
            tokio::spawn(async move {
                let start = Instant::now();
                let load = async || {
                    // One in twenty takes ten times as long.
                    if numbers.fetch_add(1, Ordering::SeqCst) % 20 == 19 {
                        sleep(BODY * 9).await;
                    }
                    source.ask().await
                };
                let answer = pond.get_or_set("hot:1", ttl::MEDIUM, load).await;
                (answer, start.elapsed())
            })
        })
        .collect();
    let lasted = durations(calls).await;
    assert!(lasted[100] <= BODY * 9, "{:?}", lasted[100]);
    assert!(lasted[199] <= BODY * 20, "{:?}", lasted[199]);
}

#[tokio::test(start_paused = true)]
async fn callers_with_time_outs_recover_after_a_leader_went_away() {
    let (pond, source) = (Millpond::memory(), Arc::<Source>::default());
    let patience = BODY * 12 / 10;
    let first = call(&pond, &source);
    let mut calls = Vec::new();
    for n in 0..100 {
        if n == 9 {
            first.abort();
        }
        let one = call(&pond, &source);
        let abort = one.abort_handle();
        calls.push(tokio::spawn(async move {
            let answer = timeout(patience, one).await;
            abort.abort();
            answer.is_ok()
        }));
        sleep(Duration::from_millis(10)).await;
    }
    let mut served = Vec::new();
    for call in calls {
        served.push(call.await.unwrap());
    }
    assert_eq!(source.begun(), 2);
    // Who was younger than the leader that went away by a fifth of a body or more had to give up.
    assert!(served[8..].iter().all(|it| *it), "{served:?}");
}

mod rings {
    use super::*;

    /// `name` after its own work and, where there is one, a call of the other.
    async fn load(pond: &Millpond, name: &str, chain: &'static [&'static str]) -> u32 {
        let name = name.to_owned();
        let key = key!("ring:<name>");
        let load = async || {
            sleep(BODY).await;
            let inner = match chain {
                [] => 0,
                [next, rest @ ..] => Box::pin(load(pond, next, rest)).await,
            };
            Ok::<_, std::convert::Infallible>(inner + 1)
        };
        pond.get_or_set(key, ttl::MEDIUM, load)
            .await
            .unwrap_or_else(|never| match never {})
    }

    fn spawn(
        pond: &Millpond,
        name: &'static str,
        chain: &'static [&'static str],
    ) -> JoinHandle<u32> {
        let pond = pond.clone();
        tokio::spawn(async move { load(&pond, name, chain).await })
    }

    #[tokio::test(start_paused = true)]
    async fn two_bodies_that_wait_for_each_other_go_on() {
        let pond = Millpond::memory();
        let start = Instant::now();
        let a = spawn(&pond, "a", &["b"]);
        let b = spawn(&pond, "b", &["a"]);
        assert_eq!((a.await.unwrap(), b.await.unwrap()), (3, 2));
        assert!(start.elapsed() <= BODY * 2, "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_ring_of_three_goes_on_and_so_does_one_of_five() {
        let pond = Millpond::memory();
        let start = Instant::now();
        let calls = [
            spawn(&pond, "a", &["b"]),
            spawn(&pond, "b", &["c"]),
            spawn(&pond, "c", &["a"]),
        ];
        for call in calls {
            call.await.unwrap();
        }
        let calls = [
            spawn(&pond, "d", &["e"]),
            spawn(&pond, "e", &["f"]),
            spawn(&pond, "f", &["g"]),
            spawn(&pond, "g", &["h"]),
            spawn(&pond, "h", &["d"]),
        ];
        for call in calls {
            call.await.unwrap();
        }
        assert!(start.elapsed() <= BODY * 4, "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_ring_whose_bodies_go_deeper_is_seen_as_well() {
        // The body of `a` waits inside of `x`, the body of `b` inside of `y`.
        let pond = Millpond::memory();
        let start = Instant::now();
        let a = spawn(&pond, "a", &["x", "b"]);
        let b = spawn(&pond, "b", &["y", "a"]);
        a.await.unwrap();
        b.await.unwrap();
        assert!(start.elapsed() <= BODY * 4, "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_ring_through_two_caches_goes_on() {
        let (one, other) = (Millpond::memory(), Millpond::memory());
        let start = Instant::now();
        let through =
            |outer: &Millpond, inner: &Millpond, name: &'static str, next: &'static str| {
                let (outer, inner) = (outer.clone(), inner.clone());
                tokio::spawn(async move {
                    let load = async || {
                        sleep(BODY).await;
                        Ok::<_, std::convert::Infallible>(load(&inner, next, &[]).await + 1)
                    };
                    outer
                        .get_or_set(key!("ring:<name>"), ttl::MEDIUM, load)
                        .await
                })
            };
        let a = through(&one, &other, "a", "b");
        let b = through(&other, &one, "b", "a");
        a.await.unwrap().unwrap();
        b.await.unwrap().unwrap();
        assert!(start.elapsed() <= BODY * 2, "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn callers_who_are_in_no_ring_wait_as_ever() {
        let pond = Millpond::memory();
        let calls: Vec<_> = (0..50)
            .flat_map(|_| [spawn(&pond, "a", &["c"]), spawn(&pond, "b", &["c"])])
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap(), 2);
        }
        assert_eq!(pond.stats().cache.loads, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_ring_through_tasks_that_bodies_spawn_ends_with_flight_wait() {
        let wait = Duration::from_secs(5);
        let pond = Millpond::builder().flight_wait(wait).build().unwrap();
        let start = Instant::now();
        let hidden = |name: &'static str, next: &'static str| {
            let pond = pond.clone();
            tokio::spawn(async move {
                let load = async || {
                    sleep(BODY).await;
                    let inner = spawn(&pond, next, &[]);
                    Ok::<_, std::convert::Infallible>(inner.await.unwrap() + 1)
                };
                pond.get_or_set(key!("ring:<name>"), ttl::MEDIUM, load)
                    .await
            })
        };
        let (a, b) = (hidden("a", "b"), hidden("b", "a"));
        a.await.unwrap().unwrap();
        b.await.unwrap().unwrap();
        assert!(start.elapsed() <= wait + BODY * 3, "{:?}", start.elapsed());
    }
}

/// Through the attribute: the functions call each other by name.
mod attributes {
    use super::*;

    #[cached(prefix = "left", key = "<id>", skip(asks))]
    async fn left(id: u32, asks: bool) -> u32 {
        sleep(BODY).await;
        if asks {
            Box::pin(right(id, false)).await + 1
        } else {
            1
        }
    }

    #[cached(prefix = "right", key = "<id>", skip(asks))]
    async fn right(id: u32, asks: bool) -> u32 {
        sleep(BODY).await;
        if asks {
            Box::pin(left(id, false)).await + 1
        } else {
            1
        }
    }

    #[tokio::test(start_paused = true)]
    async fn functions_that_need_each_other_go_on() {
        let pond = Millpond::memory();
        let start = Instant::now();
        let a = pond.spawn(async { left(7, true).await });
        let b = pond.spawn(async { right(7, true).await });
        assert_eq!((a.await.unwrap(), b.await.unwrap()), (3, 2));
        assert!(start.elapsed() <= BODY * 2, "{:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn waiters_do_not_become_the_load() {
    let pond = Millpond::memory();
    let polls = Arc::new(AtomicUsize::new(0));
    let calls: Vec<_> = (0..5_000)
        .map(|_| {
            let (pond, polls) = (pond.clone(), polls.clone());
            tokio::spawn(async move {
                let load = async || {
                    let mut body = std::pin::pin!(sleep(Duration::from_secs(20)));
                    std::future::poll_fn(|cx| {
                        polls.fetch_add(1, Ordering::SeqCst);
                        body.as_mut().poll(cx)
                    })
                    .await;
                    Ok::<_, Broken>(7)
                };
                pond.get_or_set("cold:1", ttl::MEDIUM, load).await
            })
        })
        .collect();
    settle().await;
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), 7);
    }
    assert_eq!(pond.stats().cache.loads, 1);
    // To see whether it is polled, a leader is woken ten times a second at the most.
    let polls = polls.load(Ordering::SeqCst);
    assert!(polls <= 250, "the body was polled {polls} times");
}
