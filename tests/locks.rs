//! Locks: one holder at a time, whoever dies, hangs, comes late or goes away.

mod support;

use futures_util::future::join_all;
use millpond::{Builder, ErrorKind, LockGuard, ManualClock, Millpond, Reply, ttl};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use support::{on_every_engine, settle, within_a_minute};

on_every_engine! {
    one_at_a_time_holds_a_lock
    each_holder_has_a_greater_number
    a_lock_that_ran_out_is_not_taken_from_its_successor
    a_guard_that_goes_away_gives_the_lock_back
    a_waiter_is_next_as_soon_as_the_lock_is_free
    a_deadline_ends_the_waiting
    a_lock_taken_away_is_noticed
    locks_made_by_other_clients_count
    what_is_no_lock_is_told
}

const HALF_A_MINUTE: Duration = Duration::from_secs(30);

async fn free(pond: &Millpond, key: &str) -> bool {
    !pond.exists(key).await.unwrap()
}

/// Takes the lock from its holder, as its end would.
async fn run_out(pond: &Millpond, key: &'static str) {
    assert_eq!(pond.command(["DEL", key]).await.unwrap(), Reply::Int(1));
}

async fn one_at_a_time_holds_a_lock(pond: &Millpond) {
    let (inside, most, runs) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
    let jobs = (0..20).map(|_| async {
        let guard = pond.lock("lock:job", HALF_A_MINUTE).await.unwrap();
        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        settle().await;
        inside.fetch_sub(1, Ordering::SeqCst);
        runs.fetch_add(1, Ordering::SeqCst);
        assert!(guard.release().await.unwrap());
    });
    within_a_minute(join_all(jobs)).await;
    assert_eq!((most.into_inner(), runs.into_inner()), (1, 20));
    assert!(free(pond, "lock:job").await);
}

async fn each_holder_has_a_greater_number(pond: &Millpond) {
    let mut last = 0;
    for _ in 0..5 {
        let guard = pond.lock("lock:n", HALF_A_MINUTE).await.unwrap();
        assert!(
            guard.fencing_token() > last,
            "{} after {last}",
            guard.fencing_token()
        );
        last = guard.fencing_token();
        guard.release().await.unwrap();
    }
    // Even where the numbers so far were forgotten.
    pond.command(["DEL", "{lock:n}:fence"]).await.unwrap();
    let guard = pond.lock("lock:n", HALF_A_MINUTE).await.unwrap();
    assert!(
        guard.fencing_token() > last,
        "{} after {last}",
        guard.fencing_token()
    );
    let life = pond.ttl("{lock:n}:fence").await.unwrap().duration();
    assert!(life > Some(ttl::WEEK), "{life:?}");
}

async fn a_lock_that_ran_out_is_not_taken_from_its_successor(pond: &Millpond) {
    let late = pond.lock("lock:x", HALF_A_MINUTE).await.unwrap();
    run_out(pond, "lock:x").await;
    let successor = pond.try_lock("lock:x", HALF_A_MINUTE).await.unwrap();
    let successor = successor.expect("the lock is free");
    let error = late.extend(HALF_A_MINUTE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(!late.is_held());
    assert!(!late.release().await.unwrap());
    assert!(successor.is_held());
    assert!(
        pond.try_lock("lock:x", HALF_A_MINUTE)
            .await
            .unwrap()
            .is_none()
    );
    successor.extend(ttl::LONG).await.unwrap();
    assert!(pond.ttl("lock:x").await.unwrap().duration() > Some(ttl::SHORT));
    assert!(successor.release().await.unwrap());
}

async fn a_guard_that_goes_away_gives_the_lock_back(pond: &Millpond) {
    within_a_minute(async {
        let guard = pond.lock("lock:x", ttl::WEEK).await.unwrap();
        drop(guard);
        let next = pond.lock("lock:x", HALF_A_MINUTE).await.unwrap();
        // So does a holder that panics.
        let holder = pond.clone();
        let panicked = tokio::spawn(async move {
            let _guard = next;
            assert!(holder.exists("lock:none").await.unwrap(), "on purpose");
        });
        assert!(panicked.await.unwrap_err().is_panic());
        let last = pond.lock("lock:x", HALF_A_MINUTE).await.unwrap();
        assert!(last.release().await.unwrap());
    })
    .await;
}

async fn a_waiter_is_next_as_soon_as_the_lock_is_free(pond: &Millpond) {
    within_a_minute(async {
        let guard = pond.lock("lock:x", HALF_A_MINUTE).await.unwrap();
        let waiter = pond.spawn({
            let pond = pond.clone();
            async move { pond.lock("lock:x", HALF_A_MINUTE).await }
        });
        settle().await;
        assert!(!waiter.is_finished());
        guard.release().await.unwrap();
        let next = waiter.await.unwrap().unwrap();
        assert!(next.is_held());
    })
    .await;
}

async fn a_deadline_ends_the_waiting(pond: &Millpond) {
    let _guard = pond.lock("lock:x", HALF_A_MINUTE).await.unwrap();
    for patience in [Duration::ZERO, Duration::from_millis(30)] {
        let start = tokio::time::Instant::now();
        let refused = pond.lock("lock:x", ttl::WEEK).wait(patience).await;
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Locked);
        assert!(error.to_string().contains("try again later"), "{error}");
        assert!(start.elapsed() >= patience);
    }
}

async fn a_lock_taken_away_is_noticed(pond: &Millpond) {
    within_a_minute(async {
        let guard = pond
            .lock("lock:x", Duration::from_millis(60))
            .await
            .unwrap();
        pond.command(["SET", "lock:x", "another"]).await.unwrap();
        guard.lost().await;
        assert!(!guard.is_held());
        assert!(!guard.release().await.unwrap());
        let held = pond.command(["GET", "lock:x"]).await.unwrap();
        assert_eq!(held, Reply::Bulk("another".into()));
    })
    .await;
}

/// `cacheSetIfNotExists(lockKey, Date.now(), lockTTL)` of the guide.
async fn locks_made_by_other_clients_count(pond: &Millpond) {
    let set = ["SET", "lock:job:7", "1767225600000", "NX", "EX", "30"];
    pond.command(set).await.unwrap();
    assert!(
        pond.try_lock("lock:job:7", HALF_A_MINUTE)
            .await
            .unwrap()
            .is_none()
    );
    pond.command(["DEL", "lock:job:7"]).await.unwrap();
    let guard = pond.try_lock("lock:job:7", HALF_A_MINUTE).await.unwrap();
    assert_eq!(pond.command(set).await.unwrap(), Reply::Nil);
    drop(guard);
    // One without an end, too.
    pond.command(["SET", "lock:forever", "1"]).await.unwrap();
    let refused = pond.lock("lock:forever", HALF_A_MINUTE);
    let refused = refused.wait(Duration::from_millis(5)).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Locked);
}

async fn what_is_no_lock_is_told(pond: &Millpond) {
    let zero = pond.lock("lock:x", Duration::ZERO).await;
    assert_eq!(zero.unwrap_err().kind(), ErrorKind::InvalidValue);
    let unnamed = pond.lock("", HALF_A_MINUTE).await;
    assert_eq!(unnamed.unwrap_err().kind(), ErrorKind::InvalidKey);
    pond.hash("lock:hash").set("a", &1).await.unwrap();
    let hash = pond.try_lock("lock:hash", HALF_A_MINUTE).await;
    assert_eq!(hash.unwrap_err().kind(), ErrorKind::WrongType);
    let guard = pond.lock("lock:x", HALF_A_MINUTE).await.unwrap();
    let zero = guard.extend(Duration::ZERO).await;
    assert_eq!(zero.unwrap_err().kind(), ErrorKind::InvalidValue);
    let shown = format!("{guard:?}");
    let token = pond.command(["GET", "lock:x"]).await.unwrap();
    let token: String = token.parse().unwrap();
    assert!(
        !shown.contains("lock:x") && !shown.contains(&token),
        "{shown}"
    );
}

fn clocked() -> (ManualClock, Millpond) {
    let clock = ManualClock::new();
    let builder = Millpond::builder().memory().clock(clock.clone());
    (clock, builder.build().unwrap())
}

#[tokio::test]
async fn a_lock_is_counted_on_for_less_than_the_server_keeps_it() {
    let (clock, pond) = clocked();
    let guard = pond.lock("lock:x", HALF_A_MINUTE).fixed().await.unwrap();
    clock.advance(Duration::from_secs(29));
    assert!(guard.is_held());
    clock.advance(Duration::from_millis(800));
    assert!(!guard.is_held() && !free(&pond, "lock:x").await);
    clock.advance(Duration::from_millis(200));
    let successor = pond.try_lock("lock:x", HALF_A_MINUTE).await.unwrap();
    assert!(successor.is_some_and(|next| next.fencing_token() > guard.fencing_token()));
}

/// Lets both clocks run, and the tasks with them.
async fn wait(clock: &ManualClock, time: Duration) {
    settle().await;
    clock.advance(time);
    tokio::time::advance(time).await;
    settle().await;
}

/// Ten seconds pass so many times, and the lock is held after each.
async fn stays_held(clock: &ManualClock, pond: &Millpond, guard: &LockGuard, times: u32) {
    for _ in 0..times {
        wait(clock, Duration::from_secs(10)).await;
        assert!(guard.is_held() && !free(pond, "lock:x").await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_extended_as_long_as_its_guard_lives() {
    let (clock, pond) = clocked();
    let guard = pond.lock("lock:x", HALF_A_MINUTE).await.unwrap();
    stays_held(&clock, &pond, &guard, 50).await;
    drop(guard);
    settle().await;
    assert!(free(&pond, "lock:x").await);
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_held_for_no_longer_than_it_may_be() {
    let (clock, pond) = clocked();
    let lock = pond.lock("lock:x", HALF_A_MINUTE);
    let guard = lock.at_most(Duration::from_secs(100)).await.unwrap();
    let mut held = 0;
    while guard.is_held() {
        held += 1;
        wait(&clock, Duration::from_secs(1)).await;
    }
    assert!((98..=100).contains(&held), "{held}");
    guard.lost().await;
    clock.advance(Duration::from_secs(2));
    assert!(free(&pond, "lock:x").await);
    let brief = pond
        .lock("lock:y", HALF_A_MINUTE)
        .at_most(Duration::from_secs(5));
    let _guard = brief.await.unwrap();
    assert!(pond.ttl("lock:y").await.unwrap().duration() <= Some(Duration::from_secs(5)));
}

#[tokio::test(start_paused = true)]
async fn a_bound_beyond_all_time_is_none() {
    let (clock, pond) = clocked();
    wait(&clock, HALF_A_MINUTE).await;
    let lock = pond.lock("lock:x", HALF_A_MINUTE);
    let guard = lock.at_most(Duration::MAX).await.unwrap();
    stays_held(&clock, &pond, &guard, 6).await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_lock_is_told_when_it_comes() {
    let (clock, pond) = clocked();
    let hour = Duration::from_secs(3_600);
    let brief = pond.lock("lock:x", hour).at_most(Duration::from_secs(5));
    let guard = brief.await.unwrap();
    let mut told = std::pin::pin!(guard.lost());
    for second in 1..=5 {
        assert!(futures_util::poll!(told.as_mut()).is_pending(), "{second}");
        wait(&clock, Duration::from_secs(1)).await;
    }
    assert!(futures_util::poll!(told.as_mut()).is_ready());
}

#[tokio::test(start_paused = true)]
async fn what_was_given_by_hand_is_not_taken_away_by_itself() {
    let (clock, pond) = clocked();
    let guard = pond.lock("lock:x", HALF_A_MINUTE).await.unwrap();
    guard.extend(Duration::from_secs(10 * 60)).await.unwrap();
    guard.extend(Duration::from_secs(1)).await.unwrap();
    for _ in 0..6 {
        wait(&clock, Duration::from_secs(10)).await;
    }
    let left = pond.ttl("lock:x").await.unwrap().duration();
    assert_eq!(left, Some(Duration::from_secs(9 * 60)));
    // When that is over, it is extended again.
    stays_held(&clock, &pond, &guard, 120).await;
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_was_lost_once_stays_lost() {
    let (clock, pond) = clocked();
    let guard = pond.lock("lock:x", HALF_A_MINUTE).fixed().await.unwrap();
    wait(&clock, Duration::from_millis(29_800)).await;
    guard.lost().await;
    assert!(!free(&pond, "lock:x").await, "the server keeps it longer");
    let error = guard.extend(HALF_A_MINUTE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(!guard.is_held());
}

#[tokio::test]
async fn a_guard_that_goes_away_on_a_thread_of_its_own_gives_the_lock_back() {
    let pond = Millpond::memory();
    let guard = pond.lock("lock:x", ttl::WEEK).await.unwrap();
    let worker = std::thread::spawn(move || drop(guard));
    worker.join().unwrap();
    settle().await;
    assert!(free(&pond, "lock:x").await);
}

#[test]
fn a_lock_whose_runtime_is_gone_is_lost_when_it_runs_out() {
    let runtime = || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap()
    };
    let pond = Millpond::memory();
    let first = runtime();
    let lock = pond.lock("lock:x", Duration::from_millis(50));
    let guard = first.block_on(lock.into_future()).unwrap();
    drop(first);
    runtime().block_on(within_a_minute(guard.lost()));
    assert!(!guard.is_held());
    // Nobody can give it back here, and nothing panics.
    drop(guard);
}

#[tokio::test]
async fn a_wait_that_is_given_up_holds_nothing() {
    let pond = Millpond::memory();
    let guard = pond.lock("lock:x", HALF_A_MINUTE).await.unwrap();
    let waiters: Vec<_> = (0..5)
        .map(|_| {
            let pond = pond.clone();
            tokio::spawn(async move { pond.lock("lock:x", HALF_A_MINUTE).await })
        })
        .collect();
    settle().await;
    for waiter in &waiters[1..] {
        waiter.abort();
    }
    settle().await;
    guard.release().await.unwrap();
    let mut waiters = waiters.into_iter();
    let next: LockGuard = waiters.next().unwrap().await.unwrap().unwrap();
    assert!(next.release().await.unwrap());
    assert!(free(&pond, "lock:x").await);
}

#[tokio::test(start_paused = true)]
async fn of_those_who_wait_for_long_one_looks() {
    let pond = Millpond::memory();
    let _guard = pond.lock("lock:x", ttl::LONG).await.unwrap();
    let before = pond.stats().commands;
    let waiters = (0..50).map(|_| pond.lock("lock:x", HALF_A_MINUTE).into_future());
    let refused = join_all(waiters).await;
    assert!(refused.iter().all(Result::is_err));
    // About one a second for all of them, and one each in the end.
    let looks = pond.stats().commands - before;
    assert!((80..160).contains(&looks), "{looks}");
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_nobody_polls_holds_up_nobody() {
    let pond = Millpond::memory();
    let guard = pond.lock("lock:x", ttl::LONG).await.unwrap();
    let mut kept = std::pin::pin!(pond.lock("lock:x", ttl::LONG).into_future());
    assert!(futures_util::poll!(kept.as_mut()).is_pending());
    let (others, ()) = tokio::join!(
        join_all((0..5).map(|_| async {
            let guard = pond.lock("lock:x", HALF_A_MINUTE).await?;
            guard.release().await
        })),
        async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            guard.release().await.unwrap();
        }
    );
    assert!(others.into_iter().all(Result::unwrap));
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn a_lock_that_comes_late_for_a_caller_who_went_away_is_given_back() {
    millpond_gateway::needs_redis!();
    let server = millpond_gateway::RedisServer::start().unwrap();
    let database = server.database();
    let pond = Millpond::builder().redis(database.url());
    let pond = pond.budget(support::LONG).retries(9).build().unwrap();
    within_a_minute(async {
        server.stop();
        let caller = pond.spawn({
            let pond = pond.clone();
            async move { pond.lock("lock:x", ttl::WEEK).await.map(drop) }
        });
        // By now its pauses are long, and those of a new command are short.
        while pond.stats().retries < 4 {
            tokio::task::yield_now().await;
        }
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        settle().await;
        server.restart().unwrap();
        while free(&pond, "{lock:x}:fence").await {
            tokio::task::yield_now().await;
        }
        let next = pond.lock("lock:x", HALF_A_MINUTE).wait(ttl::SHORT).await;
        assert!(next.unwrap().release().await.unwrap());
    })
    .await;
}

#[cfg(feature = "upstash")]
/// Takes and gives back a lock while the wall clock is right, far ahead, and right again.
async fn numbers_grow_whatever_the_clock_says(builder: Builder) {
    let clock = ManualClock::new();
    let pond = builder.clock(clock.clone()).build().unwrap();
    let (right, far_ahead) = (clock.unix_ms(), 9_200_000_000_000_000);
    let mut numbers = Vec::new();
    for now in [right, far_ahead, right] {
        clock.set_unix_ms(now);
        for _ in 0..3 {
            let guard = pond.lock("lock:clocks", HALF_A_MINUTE).await.unwrap();
            numbers.push(guard.fencing_token());
            assert!(guard.release().await.unwrap());
        }
    }
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
}

#[tokio::test]
async fn a_clock_that_is_far_ahead_does_not_freeze_the_numbers() {
    numbers_grow_whatever_the_clock_says(Millpond::builder().memory()).await;
}

mod over_http {
    use super::*;
    use millpond_gateway::{Fault, Gateway, Matcher, needs_redis};
    use support::process::{Process, orders, say};
    use support::{gateway, pond};

    #[tokio::test]
    async fn a_clock_that_is_far_ahead_does_not_freeze_the_numbers() {
        let redis = needs_redis!();
        let gateway = gateway(redis).await;
        numbers_grow_whatever_the_clock_says(support::builder(&gateway)).await;
        let over_resp = Millpond::builder().redis(redis.database().url());
        numbers_grow_whatever_the_clock_says(over_resp.budget(support::LONG)).await;
    }

    /// A machine that was suspended finds its wall clock further on than the time that it measured.
    async fn after_a_suspension_a_lock_is_in_doubt_until_it_is_extended(builder: Builder) {
        let clock = ManualClock::new();
        let pond = builder.clock(clock.clone()).build().unwrap();
        let guard = pond.lock("lock:x", HALF_A_MINUTE).await.unwrap();
        let fixed = pond.lock("lock:y", HALF_A_MINUTE).fixed().await.unwrap();
        clock.advance_wall(HALF_A_MINUTE);
        assert!(!guard.is_held() && !fixed.is_held());
        within_a_minute(fixed.lost()).await;
        // The server's clock did not leap, so it is still ours.
        guard.extend(HALF_A_MINUTE).await.unwrap();
        assert!(guard.is_held());
        clock.set_unix_ms(clock.unix_ms() - 3_600_000);
        assert!(guard.is_held());
        clock.advance_monotonic(HALF_A_MINUTE);
        assert!(!guard.is_held());
    }

    #[tokio::test]
    async fn after_a_suspension_a_lock_is_in_doubt() {
        let redis = needs_redis!();
        let gateway = gateway(redis).await;
        let over_http = support::builder(&gateway);
        after_a_suspension_a_lock_is_in_doubt_until_it_is_extended(over_http).await;
        let over_resp = Millpond::builder()
            .redis(redis.database().url())
            .budget(support::LONG);
        after_a_suspension_a_lock_is_in_doubt_until_it_is_extended(over_resp).await;
    }

    #[tokio::test]
    async fn a_lost_answer_does_not_lock_its_own_caller_out() {
        let gateway = gateway(needs_redis!()).await;
        let pond = pond(&gateway);
        pond.lock("lock:warm", HALF_A_MINUTE)
            .await
            .unwrap()
            .release()
            .await
            .unwrap();
        gateway.inject("EVALSHA", Fault::ResetAfter);
        let guard = pond.try_lock("lock:x", HALF_A_MINUTE).await.unwrap();
        let guard = guard.expect("the second try finds its own token");
        let number: u64 = pond.get("{lock:x}:fence").await.unwrap().unwrap();
        assert_eq!(number, guard.fencing_token());
        gateway.inject("EVALSHA", Fault::ResetAfter);
        guard.release().await.unwrap();
        assert!(free(&pond, "lock:x").await);
    }

    #[tokio::test]
    async fn a_number_is_never_less_than_another_though_it_was_evicted_meanwhile() {
        let gateway = gateway(needs_redis!()).await;
        let pond = pond(&gateway);
        within_a_minute(async {
            let first = pond.lock("lock:x", HALF_A_MINUTE).await.unwrap();
            let number = first.fencing_token();
            first.release().await.unwrap();
            let hold = gateway.hold(Matcher::argument("lock:x"));
            let taking = tokio::spawn(pond.lock("lock:x", HALF_A_MINUTE).into_future());
            hold.arrived().await;
            let evicted = gateway.database().command(["DEL", "{lock:x}:fence"]);
            evicted.await.unwrap();
            hold.fail(Fault::ResetAfter);
            let second = taking.await.unwrap().unwrap();
            assert!(
                second.fencing_token() > number,
                "{} {number}",
                second.fencing_token()
            );
        })
        .await;
    }

    #[tokio::test]
    async fn what_was_taken_for_a_caller_who_went_away_is_given_back() {
        let gateway = gateway(needs_redis!()).await;
        let pond = pond(&gateway);
        within_a_minute(async {
            let hold = gateway.hold(Matcher::argument("lock:x"));
            let caller = pond.spawn({
                let pond = pond.clone();
                async move { pond.lock("lock:x", ttl::WEEK).await.map(drop) }
            });
            hold.arrived().await;
            caller.abort();
            assert!(caller.await.unwrap_err().is_cancelled());
            hold.release();
            let next = pond.lock("lock:x", HALF_A_MINUTE).wait(HALF_A_MINUTE).await;
            assert!(next.unwrap().release().await.unwrap());
        })
        .await;
    }

    #[tokio::test]
    async fn a_wait_outlasts_a_server_that_does_not_answer_for_a_while() {
        let gateway = gateway(needs_redis!()).await;
        let builder = support::builder(&gateway).retries(0);
        let pond = builder.budget(Duration::from_millis(100)).build().unwrap();
        within_a_minute(async {
            gateway.refuse().await;
            let waiter = pond.spawn({
                let pond = pond.clone();
                async move { pond.lock("lock:x", HALF_A_MINUTE).await }
            });
            while pond.stats().prefix("lock").errors < 2 {
                tokio::task::yield_now().await;
            }
            gateway.accept().await;
            assert!(waiter.await.unwrap().unwrap().is_held());

            gateway.refuse().await;
            let lock = pond.lock("lock:y", HALF_A_MINUTE);
            let error = lock.wait(Duration::from_millis(50)).await.unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout),
                "{error:?}"
            );
            gateway.accept().await;
        })
        .await;
    }

    #[tokio::test]
    async fn flush_waits_for_locks_whose_guards_went_away() {
        let gateway = gateway(needs_redis!()).await;
        let pond = pond(&gateway);
        within_a_minute(async {
            let guard = pond.lock("lock:x", ttl::WEEK).await.unwrap();
            let hold = gateway.hold_before(Matcher::argument("DEL"));
            drop(guard);
            hold.arrived().await;
            let flush = pond.spawn({
                let pond = pond.clone();
                async move { pond.flush().await }
            });
            settle().await;
            assert!(!flush.is_finished());
            hold.release();
            flush.await.unwrap().unwrap();
            assert!(free(&pond, "lock:x").await);
        })
        .await;
    }

    #[tokio::test]
    async fn a_release_whose_request_fails_is_tried_again() {
        let gateway = gateway(needs_redis!()).await;
        let builder = support::builder(&gateway).retries(0);
        let pond = builder.build().unwrap();
        within_a_minute(async {
            let guard = pond.lock("lock:x", ttl::WEEK).await.unwrap();
            gateway.inject(Matcher::argument("DEL").times(2), Fault::ResetBefore);
            drop(guard);
            pond.flush().await.unwrap();
            assert!(free(&pond, "lock:x").await);
        })
        .await;
    }

    #[tokio::test]
    async fn of_those_who_wait_in_one_process_one_looks() {
        let gateway = gateway(needs_redis!()).await;
        let pond = pond(&gateway);
        within_a_minute(async {
            let guard = pond.lock("lock:x", HALF_A_MINUTE).await.unwrap();
            gateway.clear();
            let waiters: Vec<_> = (0..50)
                .map(|_| {
                    let pond = pond.clone();
                    tokio::spawn(async move {
                        let guard = pond.lock("lock:x", HALF_A_MINUTE).await.unwrap();
                        guard.release().await.unwrap()
                    })
                })
                .collect();
            gateway.wait_for(|requests| requests.len() >= 4).await;
            guard.release().await.unwrap();
            for waiter in waiters {
                assert!(waiter.await.unwrap());
            }
            // Two commands for each who had it, and a few looks before.
            let sent = gateway.commands().len();
            assert!(sent < 50 * 2 + 50, "{sent} commands");
        })
        .await;
    }

    #[tokio::test]
    async fn a_lock_that_cannot_be_extended_is_given_up_before_it_runs_out() {
        let gateway = gateway(needs_redis!()).await;
        let pond = pond(&gateway);
        within_a_minute(async {
            let lock = pond.lock("lock:x", Duration::from_millis(400));
            let guard = lock.await.unwrap();
            gateway.refuse().await;
            guard.lost().await;
            assert!(!guard.is_held());
            gateway.accept().await;
        })
        .await;
    }

    #[tokio::test]
    async fn a_lock_whose_extension_hangs_is_given_up_before_it_runs_out() {
        let gateway = gateway(needs_redis!()).await;
        let pond = pond(&gateway);
        let lock = pond.lock("lock:x", Duration::from_millis(400));
        let guard = lock.await.unwrap();
        let hold = gateway.hold_before(Matcher::argument("lock:x"));
        // Much less than the budget of the extension.
        let lost = tokio::time::timeout(Duration::from_secs(10), guard.lost()).await;
        assert!(lost.is_ok() && !guard.is_held());
        drop(hold);
    }

    /// What a service that keeps a fencing number would do.
    async fn write(pond: &Millpond, number: u64) -> bool {
        let script = "local seen = tonumber(redis.call('GET', KEYS[1]) or 0) \
                      if tonumber(ARGV[1]) < seen then return 0 end \
                      redis.call('SET', KEYS[1], ARGV[1]) return 1";
        let number = number.to_string();
        let command = ["EVAL", script, "1", "protected", &number].map(str::to_owned);
        pond.command(command).await.unwrap().parse().unwrap()
    }

    #[tokio::test]
    #[ignore = "the test below runs it in a process of its own"]
    async fn the_other_process() {
        let (Ok(url), Ok(token)) = (std::env::var("OTHER_URL"), std::env::var("OTHER_TOKEN"))
        else {
            return;
        };
        let builder = Millpond::builder().upstash(url, token);
        let pond = builder.budget(Duration::from_secs(20)).build().unwrap();
        let mut guard = None;
        let mut orders = orders();
        while let Some(order) = orders.recv().await {
            match order.as_str() {
                "lock" => {
                    let guarded = pond.lock("lock:x", Duration::from_millis(500)).await;
                    let guarded: LockGuard = guarded.unwrap();
                    say(&guarded.fencing_token().to_string());
                    guard = Some(guarded);
                }
                "finish" => {
                    let guard = guard.take().unwrap();
                    let believes = guard.is_held();
                    let wrote = write(&pond, guard.fencing_token()).await;
                    let released = guard.release().await.unwrap();
                    say(&format!("{believes} {wrote} {released}"));
                }
                unknown => panic!("nobody taught me to {unknown}"),
            }
        }
    }

    async fn numbered(process: &mut Process) -> u64 {
        process.tell("lock").await;
        process.says().await.parse().unwrap()
    }

    fn other(gateway: &Gateway) -> Process {
        Process::start(
            "over_http::the_other_process",
            &[
                ("OTHER_URL", &gateway.url()),
                ("OTHER_TOKEN", gateway.token()),
            ],
        )
    }

    #[tokio::test]
    async fn a_holder_that_was_paused_harms_nobody_when_it_goes_on() {
        let gateway = gateway(needs_redis!()).await;
        let (pond, mut paused) = (pond(&gateway), other(&gateway));
        within_a_minute(async {
            let first = numbered(&mut paused).await;
            // While it runs, its lock is extended beyond the half second.
            gateway
                .wait_for(|requests| {
                    let commands = requests.iter().flat_map(|it| &it.commands);
                    // The first one takes it.
                    commands.filter(|it| it[0] == "EVALSHA").count() > 4
                })
                .await;
            assert!(
                pond.try_lock("lock:x", HALF_A_MINUTE)
                    .await
                    .unwrap()
                    .is_none()
            );

            paused.signal("STOP").await;
            let lock = pond.lock("lock:x", HALF_A_MINUTE);
            let successor = lock.wait(HALF_A_MINUTE).await.unwrap();
            assert!(successor.fencing_token() > first);
            assert!(write(&pond, successor.fencing_token()).await);

            paused.signal("CONT").await;
            paused.tell("finish").await;
            // It does not believe any more that it has the lock, its write is refused where the numbers
            // are kept, and its release leaves the lock to us.
            assert_eq!(paused.says().await, "false false false");
            assert!(successor.is_held());
            assert!(
                pond.try_lock("lock:x", HALF_A_MINUTE)
                    .await
                    .unwrap()
                    .is_none()
            );
            assert!(successor.release().await.unwrap());
            paused.end().await;
        })
        .await;
    }

    #[tokio::test]
    async fn a_holder_that_died_is_waited_for_no_longer_than_its_lock() {
        let gateway = gateway(needs_redis!()).await;
        let (pond, mut dead) = (pond(&gateway), other(&gateway));
        within_a_minute(async {
            let first = numbered(&mut dead).await;
            dead.signal("KILL").await;
            let lock = pond.lock("lock:x", HALF_A_MINUTE);
            let guard = lock.wait(HALF_A_MINUTE).await.unwrap();
            assert!(guard.fencing_token() > first);
        })
        .await;
    }
}

#[test]
fn on_a_runtime_without_timers_a_held_lock_is_waited_for() {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        let pond = Millpond::memory();
        let guard = pond.lock("lock:x", HALF_A_MINUTE).await.unwrap();
        let patience = Duration::from_millis(1);
        let lock = pond.lock("lock:x", HALF_A_MINUTE);
        let error = lock.wait(patience).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
        let lock = pond.lock("lock:x", HALF_A_MINUTE);
        let (next, released) =
            futures_util::join!(async { lock.wait(HALF_A_MINUTE).await }, guard.release());
        assert!(released.unwrap());
        assert!(next.unwrap().release().await.unwrap());
    });
}
