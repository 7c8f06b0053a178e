//! Clocks that are set, and processes that stand still. Ages are what the clock says that says more: the monotonic
//! clock stands still while a machine is suspended, and the wall clock can be set back. Locks, sessions and
//! budgets of the embedded engine go by the monotonic clock alone.

mod support;

use millpond::{Builder, ManualClock, Millpond, Reply, TimeLeft, cached, invalidates, updates};
use std::convert::Infallible;
use std::time::Duration;
use support::source::{Source, source};
use support::within_a_minute;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

#[cached(prefix = "clocks", key = "<id>", ttl = "long", skip(source))]
async fn read(id: u32, source: &Source<&'static str>) -> String {
    source.answer().await.to_owned()
}

#[invalidates(read(id))]
async fn change(id: u32) -> Result<(), Infallible> {
    Ok(())
}

#[updates(read(id))]
async fn replace(id: u32, source: &Source<&'static str>) -> String {
    source.answer().await.to_owned()
}

/// What can happen to the clocks of a process.
#[derive(Clone, Copy, Debug)]
enum Leap {
    /// Time passes.
    Both,
    /// The machine is suspended, or somebody sets the clock.
    Wall,
    /// Time passes while somebody sets the clock back.
    Monotonic,
}

impl Leap {
    const ALL: [Self; 3] = [Self::Both, Self::Wall, Self::Monotonic];

    fn make(self, clock: &ManualClock, by: Duration) {
        match self {
            Self::Both => clock.advance(by),
            Self::Wall => clock.advance_wall(by),
            Self::Monotonic => clock.advance_monotonic(by),
        }
    }
}

fn set_back(clock: &ManualClock, by: Duration) {
    let by = u64::try_from(by.as_millis()).unwrap();
    clock.set_unix_ms(clock.unix_ms() - by);
}

/// Runs a test with two clients of one database, whose clocks it can move. In the embedded engine they are one.
macro_rules! with_a_clock {
    ($($test:ident)*) => {
        mod embedded {
            $(#[tokio::test]
            async fn $test() {
                for leap in super::Leap::ALL {
                    let clock = super::ManualClock::new();
                    let pond = super::Millpond::builder().memory().clock(clock.clone()).build().unwrap();
                    super::within_a_minute(super::$test(&pond, &pond, &clock, leap)).await;
                }
            })*
        }

        #[cfg(feature = "upstash")]
        mod upstash {
            $(#[tokio::test]
            async fn $test() {
                for leap in super::Leap::ALL {
                    let gateway = super::support::gateway(millpond_gateway::needs_redis!()).await;
                    let clock = super::ManualClock::new();
                    let builder = super::support::builder(&gateway).clock(clock.clone());
                    let pond = builder.build().unwrap();
                    let other = super::support::pond(&gateway);
                    super::within_a_minute(super::$test(&pond, &other, &clock, leap)).await;
                }
            })*
        }

        #[cfg(feature = "redis")]
        mod redis {
            $(#[tokio::test]
            async fn $test() {
                for leap in super::Leap::ALL {
                    let database = millpond_gateway::needs_redis!().database();
                    let clock = super::ManualClock::new();
                    let builder = || super::Millpond::builder()
                        .redis(database.url())
                        .budget(super::support::LONG);
                    let pond = builder().clock(clock.clone()).build().unwrap();
                    let other = builder().build().unwrap();
                    super::within_a_minute(super::$test(&pond, &other, &clock, leap)).await;
                }
            })*
        }
    };
}

with_a_clock! {
    a_load_that_outlasts_its_guard_is_not_stored
    an_update_that_outlasts_its_guard_is_not_stored
    a_load_within_the_life_of_its_guard_is_stored
}

/// While a process stands still, another changes the data, and the guard that says so ends. The embedded engine
/// has no other process.
async fn another_changes_it(pond: &Millpond, other: &Millpond) {
    if !std::ptr::eq(pond, other) {
        other.scope(change(1)).await.unwrap();
        // The clock of a server cannot be moved.
        let ended = other.command(["DEL", "{clocks:1}:guard"]).await.unwrap();
        assert_eq!(ended, Reply::Int(1));
    }
}

async fn a_load_that_outlasts_its_guard_is_not_stored(
    pond: &Millpond,
    other: &Millpond,
    clock: &ManualClock,
    leap: Leap,
) {
    let (source, mut bodies) = source();
    let call = |source: &Source<&'static str>| {
        let source = source.clone();
        pond.spawn(async move { read(1, &source).await })
    };
    let frozen = call(&source);
    let body = bodies.next().await;
    another_changes_it(pond, other).await;
    leap.make(clock, 5 * MINUTE);
    body.answer("old");
    assert_eq!(frozen.await.unwrap(), "old");
    let stored: Option<String> = pond.get("clocks:1").await.unwrap();
    assert_eq!(stored, None, "{leap:?}");
    bodies.answer_all("new");
    assert_eq!(call(&source).await.unwrap(), "new", "{leap:?}");
}

async fn an_update_that_outlasts_its_guard_is_not_stored(
    pond: &Millpond,
    other: &Millpond,
    clock: &ManualClock,
    leap: Leap,
) {
    let (source, mut bodies) = source();
    let frozen = pond.spawn({
        let source = source.clone();
        async move { replace(1, &source).await }
    });
    let body = bodies.next().await;
    another_changes_it(pond, other).await;
    leap.make(clock, 5 * MINUTE);
    body.answer("old");
    frozen.await.unwrap();
    let stored: Option<String> = pond.get("clocks:1").await.unwrap();
    assert_eq!(stored, None, "{leap:?}");
}

async fn a_load_within_the_life_of_its_guard_is_stored(
    pond: &Millpond,
    _: &Millpond,
    clock: &ManualClock,
    leap: Leap,
) {
    let (source, mut bodies) = source();
    let call = pond.spawn({
        let source = source.clone();
        async move { read(1, &source).await }
    });
    let body = bodies.next().await;
    leap.make(clock, 2 * MINUTE);
    body.answer("value");
    call.await.unwrap();
    let stored: Option<String> = pond.get("clocks:1").await.unwrap();
    assert_eq!(stored.as_deref(), Some("value"), "{leap:?}");
}

fn embedded() -> (Millpond, ManualClock) {
    let clock = ManualClock::new();
    let builder: Builder = Millpond::builder().memory().clock(clock.clone());
    (builder.build().unwrap(), clock)
}

/// Everything that stores a value for a minute, by its key.
async fn store_values(pond: &Millpond) -> [&'static str; 6] {
    pond.set("set", "value", MINUTE).await.unwrap();
    pond.set_many([("many", "value")], MINUTE).await.unwrap();
    pond.set_if_absent("absent", "value", MINUTE).await.unwrap();
    pond.get_or_set("loaded", MINUTE, async || {
        Ok::<_, Infallible>("value".to_owned())
    })
    .await
    .unwrap();
    pond.command(["SET", "plain", "value", "EX", "60"])
        .await
        .unwrap();
    pond.set("expiring", "value", HOUR).await.unwrap();
    assert!(pond.expire("expiring", MINUTE).await.unwrap());
    ["set", "many", "absent", "loaded", "plain", "expiring"]
}

#[tokio::test]
async fn no_clock_shows_an_embedded_value_beyond_its_life() {
    for leap in Leap::ALL {
        let (pond, clock) = embedded();
        let keys = store_values(&pond).await;
        leap.make(&clock, Duration::from_millis(59_999));
        for key in keys {
            assert!(pond.exists(key).await.unwrap(), "{key} {leap:?}");
            let left = pond.ttl(key).await.unwrap();
            assert_eq!(
                left,
                TimeLeft::Left(Duration::from_millis(1)),
                "{key} {leap:?}"
            );
        }
        leap.make(&clock, Duration::from_millis(1));
        for key in keys {
            assert!(!pond.exists(key).await.unwrap(), "{key} {leap:?}");
            assert_eq!(pond.ttl(key).await.unwrap(), TimeLeft::Missing);
        }
        // What is left are the guards of those that were stored.
        let scanned = pond.command(["SCAN", "0", "COUNT", "100"]).await.unwrap();
        let (_, keys): (String, Vec<String>) = scanned.parse().unwrap();
        let left = keys.len();
        let counted = pond.command(["DBSIZE"]).await.unwrap();
        assert_eq!(
            counted,
            Reply::Int(i64::try_from(left).unwrap()),
            "{leap:?}"
        );
        assert!(keys.iter().all(|key| key.ends_with(":guard")), "{keys:?}");
    }
}

#[tokio::test]
async fn a_wall_clock_that_is_set_back_prolongs_no_embedded_value() {
    let (pond, clock) = embedded();
    let keys = store_values(&pond).await;
    set_back(&clock, HOUR);
    for key in keys {
        let left = pond.ttl(key).await.unwrap();
        assert_eq!(left, TimeLeft::Left(MINUTE), "{key}");
    }
    clock.advance(MINUTE);
    for key in keys {
        assert!(!pond.exists(key).await.unwrap(), "{key}");
    }
}

#[tokio::test]
async fn a_wall_clock_that_is_set_back_after_a_step_forward_prolongs_no_embedded_value() {
    let (pond, clock) = embedded();
    clock.advance_wall(HOUR);
    let keys = store_values(&pond).await;
    set_back(&clock, HOUR);
    clock.advance(MINUTE);
    for key in keys {
        assert!(!pond.exists(key).await.unwrap(), "{key}");
    }
    // What is stored now lives as long as it should.
    let keys = store_values(&pond).await;
    clock.advance(MINUTE / 2);
    for key in keys {
        assert_eq!(
            pond.ttl(key).await.unwrap(),
            TimeLeft::Left(MINUTE / 2),
            "{key}"
        );
    }
}

#[tokio::test]
async fn a_time_of_the_wall_clock_is_kept_by_both_clocks() {
    let (pond, clock) = embedded();
    let until = (clock.unix_ms() + 60_000).to_string();
    pond.command(["SET", "plain", "value", "PXAT", &until])
        .await
        .unwrap();
    clock.advance_monotonic(MINUTE);
    assert!(!pond.exists("plain").await.unwrap());
}

#[tokio::test]
async fn a_step_of_the_wall_clock_gives_an_embedded_lock_to_nobody() {
    for back in [false, true] {
        let (pond, clock) = embedded();
        let guard = pond.lock("job", MINUTE).fixed().await.unwrap();
        if back {
            set_back(&clock, HOUR);
        } else {
            clock.advance_wall(HOUR);
        }
        assert!(guard.is_held());
        assert!(pond.try_lock("job", MINUTE).await.unwrap().is_none());
        assert_eq!(pond.ttl("job").await.unwrap(), TimeLeft::Left(MINUTE));
        guard.extend(2 * MINUTE).await.unwrap();
        assert_eq!(pond.ttl("job").await.unwrap(), TimeLeft::Left(2 * MINUTE));
        let first = guard.fencing_token();
        clock.advance(2 * MINUTE);
        assert!(!guard.is_held());
        let second = pond.try_lock("job", MINUTE).await.unwrap().unwrap();
        assert!(second.fencing_token() > first);
    }
}

#[tokio::test]
async fn a_step_of_the_wall_clock_neither_ends_nor_prolongs_an_embedded_session() {
    for back in [false, true] {
        let (pond, clock) = embedded();
        let sliding = pond.sessions::<u32>(MINUTE).sliding();
        let bounded = sliding.clone().absolute(2 * MINUTE);
        let (one, two) = (
            sliding.create(&1).await.unwrap(),
            bounded.create(&2).await.unwrap(),
        );
        if back {
            set_back(&clock, HOUR);
        } else {
            clock.advance_wall(HOUR);
        }
        assert_eq!(sliding.ttl(&one).await.unwrap(), TimeLeft::Left(MINUTE));
        assert_eq!(sliding.get(&one).await.unwrap(), Some(1));
        assert_eq!(bounded.get(&two).await.unwrap(), Some(2));
        assert!(sliding.update(&one, &3).await.unwrap());
        let one = sliding.rotate(&one).await.unwrap().unwrap();
        let two = bounded.rotate(&two).await.unwrap().unwrap();
        for _ in 0..3 {
            clock.advance(MINUTE / 2);
            assert_eq!(sliding.get(&one).await.unwrap(), Some(3), "back: {back}");
            assert_eq!(bounded.get(&two).await.unwrap(), Some(2), "back: {back}");
        }
        clock.advance(MINUTE / 2);
        assert_eq!(bounded.get(&two).await.unwrap(), None, "back: {back}");
        assert_eq!(sliding.get(&one).await.unwrap(), Some(3), "back: {back}");
        clock.advance(MINUTE);
        assert_eq!(sliding.get(&one).await.unwrap(), None, "back: {back}");
    }
}

#[tokio::test]
async fn a_step_of_the_wall_clock_ends_no_guard() {
    let (pond, clock) = embedded();
    pond.delete("clocks:1").await.unwrap();
    pond.set("clocks:2", "value", MINUTE).await.unwrap();
    clock.advance_wall(HOUR);
    for guard in ["{clocks:1}:guard", "{clocks:2}:guard"] {
        let left = pond.command(["PTTL", guard]).await.unwrap();
        assert_eq!(left, Reply::Int(300_000), "{guard}");
    }
}
