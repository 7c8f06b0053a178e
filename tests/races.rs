//! Changes while a load or a read of the same key is under way: the old value is never stored, and
//! who comes after an acknowledged change never gets it.

#![cfg(feature = "upstash")]

mod support;

use millpond::{ManualClock, Millpond, cached, invalidates, key, ttl, updates};
use millpond_gateway::{Fault, Matcher, needs_redis};
use std::convert::Infallible;
use std::time::Duration;
use support::source::{Bodies, Source, source};
use support::{gateway, settle, within_a_minute};
use tokio::task::JoinHandle;

type Text = &'static str;

#[cached(prefix = "race", key = "<id>", skip(source))]
async fn read(id: u32, source: &Source<Text>) -> String {
    source.answer().await.to_owned()
}

#[cached(
    prefix = "race",
    key = "<id>",
    skip(source),
    flight = "off",
    invalidate = false
)]
async fn read_alone(id: u32, source: &Source<Text>) -> String {
    source.answer().await.to_owned()
}

#[invalidates(read(id))]
async fn change(id: u32) -> Result<(), Infallible> {
    Ok(())
}

#[updates(read(id))]
async fn replace(id: u32, by: Text) -> String {
    by.to_owned()
}

/// The ways to read through the cache.
#[derive(Clone, Copy, Debug)]
enum Face {
    Attribute,
    WithoutFlight,
    Refresh,
    ByHand,
}

const FACES: [Face; 4] = [
    Face::Attribute,
    Face::WithoutFlight,
    Face::Refresh,
    Face::ByHand,
];

impl Face {
    fn call(self, pond: &Millpond, id: u32, source: &Source<Text>) -> JoinHandle<String> {
        let (source, by_hand) = (source.clone(), pond.clone());
        match self {
            Self::Attribute => pond.spawn(async move { read(id, &source).await }),
            Self::WithoutFlight => pond.spawn(async move { read_alone(id, &source).await }),
            Self::Refresh => pond.spawn(async move { millpond::refresh(read(id, &source)).await }),
            Self::ByHand => tokio::spawn(async move {
                let load = async || Ok::<_, Infallible>(source.answer().await.to_owned());
                let loaded = by_hand
                    .get_or_set(key!("race:<id>"), ttl::MEDIUM, load)
                    .await;
                loaded.unwrap_or_else(|never| match never {})
            }),
        }
    }
}

/// The ways to change what is cached.
#[derive(Clone, Copy, Debug)]
enum Change {
    Invalidates,
    Macro,
    Delete,
    Updates,
    Put,
    Set,
    /// What a service without guards does.
    ForeignSet,
    /// The two commands of `runtime/docs/interop.md`.
    ForeignInvalidation,
}

const CHANGES: [Change; 8] = [
    Change::Invalidates,
    Change::Macro,
    Change::Delete,
    Change::Updates,
    Change::Put,
    Change::Set,
    Change::ForeignSet,
    Change::ForeignInvalidation,
];

impl Change {
    /// Makes the change and waits for its acknowledgement; the value that is there afterwards.
    async fn make(self, pond: &Millpond, id: u32) -> Option<Text> {
        let key = format!("race:{id}");
        match self {
            Self::Invalidates => pond.scope(change(id)).await.unwrap(),
            Self::Macro => pond
                .scope(async { invalidate_read!(id).await })
                .await
                .unwrap(),
            Self::Delete => drop(pond.delete(&key).await.unwrap()),
            Self::Updates => drop(pond.scope(replace(id, "theirs")).await),
            Self::Put => {
                let put = async { read::entry(id).put("theirs").await };
                pond.scope(put).await.unwrap();
            }
            Self::Set => pond.set(&key, "theirs", ttl::MEDIUM).await.unwrap(),
            Self::ForeignSet => {
                pond.command(["SET", &key, "\"theirs\""].map(str::to_owned))
                    .await
                    .unwrap();
            }
            Self::ForeignInvalidation => {
                let guard = format!("{{{key}}}:guard");
                let replies = pond
                    .pipeline()
                    .command(["SET", &guard, "a-word", "PX", "300000"].map(str::to_owned))
                    .command(["DEL", &key].map(str::to_owned))
                    .send()
                    .await;
                assert!(replies.iter().all(Result::is_ok), "{replies:?}");
            }
        }
        match self {
            Self::Invalidates | Self::Macro | Self::Delete | Self::ForeignInvalidation => None,
            Self::Updates | Self::Put | Self::Set | Self::ForeignSet => Some("theirs"),
        }
    }
}

/// Stores and removes something, so that the server knows the scripts.
async fn warm(pond: &Millpond) {
    let load = async || Ok::<_, Infallible>(1);
    pond.get_or_set("warm:1", ttl::SHORT, load).await.unwrap();
    pond.set("warm:1", &2, ttl::SHORT).await.unwrap();
    pond.delete("warm:1").await.unwrap();
}

async fn stored(pond: &Millpond, id: u32) -> Option<String> {
    pond.get(format!("race:{id}")).await.unwrap()
}

/// A body runs `here`, the change is made `there`, another caller comes, the body returns.
async fn a_change_during_a_load(here: &Millpond, there: &Millpond) {
    let mut id = 0;
    for face in FACES {
        for change in CHANGES {
            id += 1;
            let (source, mut bodies) = source();
            let first = face.call(here, id, &source);
            let old = bodies.next().await;
            let left = change.make(there, id).await;
            let late = Face::Attribute.call(here, id, &source);
            settle().await;
            old.answer("old");
            bodies.answer_all("new");
            let case = format!("{face:?}, {change:?}");
            let expected = left.unwrap_or("new");
            assert_eq!(first.await.unwrap(), "old", "{case}");
            assert_eq!(late.await.unwrap(), expected, "{case}");
            assert_eq!(stored(here, id).await.as_deref(), Some(expected), "{case}");
            assert_eq!(stored(there, id).await.as_deref(), Some(expected), "{case}");
        }
    }
}

#[tokio::test]
async fn a_change_during_a_load_survives_it_in_memory() {
    let pond = Millpond::memory();
    within_a_minute(a_change_during_a_load(&pond, &pond)).await;
}

#[tokio::test]
async fn a_change_during_a_load_survives_it_over_http() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let pond = support::pond(&gateway);
    within_a_minute(a_change_during_a_load(&pond, &pond)).await;
}

#[tokio::test]
async fn a_change_by_somebody_else_during_a_load_survives_it() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let (here, there) = (support::pond(&gateway), support::pond(&gateway));
    within_a_minute(a_change_during_a_load(&here, &there)).await;
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn a_change_by_somebody_else_during_a_load_survives_it_over_resp() {
    let redis = needs_redis!();
    let database = redis.database();
    let pond = || {
        Millpond::builder()
            .redis(database.url())
            .budget(Duration::from_secs(20))
    };
    let (here, there) = (pond().build().unwrap(), pond().build().unwrap());
    within_a_minute(a_change_during_a_load(&here, &there)).await;
    // Over HTTP on the one side and over RESP on the other it is the same database.
    let gateway = millpond_gateway::Gateway::start(&redis.database())
        .await
        .unwrap();
    let resp = Millpond::builder().redis(gateway.database().url());
    let resp = resp.budget(Duration::from_secs(20)).build().unwrap();
    within_a_minute(a_change_during_a_load(&resp, &support::pond(&gateway))).await;
}

#[tokio::test]
async fn a_change_between_the_body_and_its_fill_survives_the_fill() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let (here, there) = (support::pond(&gateway), support::pond(&gateway));
    warm(&here).await;
    within_a_minute(async {
        for (id, change) in (0..).zip(CHANGES) {
            let (source, mut bodies) = source();
            let fill = gateway.hold_before(Matcher::command("EVALSHA"));
            let first = Face::Attribute.call(&here, id, &source);
            bodies.next().await.answer("old");
            fill.arrived().await;
            let left = change.make(&there, id).await;
            let late = Face::Attribute.call(&here, id, &source);
            settle().await;
            fill.release();
            bodies.answer_all("new");
            let expected = left.unwrap_or("new");
            assert_eq!(first.await.unwrap(), "old", "{change:?}");
            assert_eq!(late.await.unwrap(), expected, "{change:?}");
            assert_eq!(
                stored(&there, id).await.as_deref(),
                Some(expected),
                "{change:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn who_comes_after_a_change_does_not_get_a_fill_that_was_acknowledged_late() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let (here, there) = (support::pond(&gateway), support::pond(&gateway));
    warm(&here).await;
    within_a_minute(async {
        for (id, change) in (0..).zip(CHANGES) {
            let (source, mut bodies) = source();
            let fill = gateway.hold(Matcher::command("EVALSHA"));
            let first = Face::Attribute.call(&here, id, &source);
            let old = bodies.next().await;
            let early = Face::Attribute.call(&here, id, &source);
            settle().await;
            old.answer("old");
            // It has been stored, and nobody here knows yet.
            fill.arrived().await;
            let left = change.make(&there, id).await;
            let late = Face::Attribute.call(&here, id, &source);
            settle().await;
            fill.release();
            bodies.answer_all("new");
            let expected = left.unwrap_or("new");
            assert_eq!(first.await.unwrap(), "old", "{change:?}");
            assert_eq!(early.await.unwrap(), "old", "{change:?}");
            assert_eq!(late.await.unwrap(), expected, "{change:?}");
            assert_eq!(
                stored(&there, id).await.as_deref(),
                Some(expected),
                "{change:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn who_comes_after_a_change_does_not_get_a_hit_from_before_it() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let (here, there) = (support::pond(&gateway), support::pond(&gateway));
    within_a_minute(async {
        for (id, change) in (0..).zip(CHANGES) {
            let (source, bodies) = source();
            there
                .set(format!("race:{id}"), "old", ttl::MEDIUM)
                .await
                .unwrap();
            let hit = gateway.hold(Matcher::when(|request| {
                request.commands.iter().all(|command| command[0] == "MGET")
            }));
            let first = Face::Attribute.call(&here, id, &source);
            // The old value has been read, and nobody here knows yet.
            hit.arrived().await;
            let left = change.make(&there, id).await;
            let late: Vec<_> = (0..10)
                .map(|_| Face::Attribute.call(&here, id, &source))
                .collect();
            settle().await;
            hit.release();
            bodies.answer_all("new");
            let expected = left.unwrap_or("new");
            assert_eq!(first.await.unwrap(), "old", "{change:?}");
            for late in late {
                assert_eq!(late.await.unwrap(), expected, "{change:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_invalidation_here_takes_nobody_along_who_comes_later() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let pond = support::pond(&gateway);
    within_a_minute(async {
        let (source, mut bodies) = source();
        pond.set("race:1", "old", ttl::MEDIUM).await.unwrap();
        let hit = gateway.hold("MGET");
        let first = Face::Attribute.call(&pond, 1, &source);
        hit.arrived().await;
        pond.delete("race:1").await.unwrap();
        // It need not wait for the answer of a read that is out of date.
        let late = Face::Attribute.call(&pond, 1, &source);
        bodies.next().await.answer("new");
        assert_eq!(late.await.unwrap(), "new");
        hit.release();
        assert_eq!(first.await.unwrap(), "old");
        assert_eq!(stored(&pond, 1).await.as_deref(), Some("new"));
    })
    .await;
}

#[tokio::test]
async fn a_fill_whose_answer_is_lost_is_stored_once_and_invalidated_for_good() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let (here, there) = (support::pond(&gateway), support::pond(&gateway));
    warm(&here).await;
    within_a_minute(async {
        let (source, mut bodies) = source();
        let fill = gateway.hold(Matcher::command("EVALSHA"));
        let first = Face::Attribute.call(&here, 1, &source);
        bodies.next().await.answer("old");
        fill.arrived().await;
        there.delete("race:1").await.unwrap();
        // The fill is sent once more, after the invalidation.
        fill.fail(Fault::ResetAfter);
        assert_eq!(first.await.unwrap(), "old");
        assert_eq!(stored(&there, 1).await, None);
        assert!(here.stats().retries > 0);
    })
    .await;
}

#[tokio::test]
async fn a_load_that_outlasts_the_memory_of_its_guard_is_not_stored() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let clock = ManualClock::new();
    let pond = support::builder(&gateway)
        .guard_life(Duration::from_secs(5 * 60))
        .clock(clock.clone())
        .build()
        .unwrap();
    within_a_minute(async {
        for (id, (seconds, is_stored)) in (0..).zip([(150, true), (151, false)]) {
            let (source, mut bodies) = source();
            let call = Face::Attribute.call(&pond, id, &source);
            let body = bodies.next().await;
            clock.advance(Duration::from_secs(seconds));
            body.answer("slow");
            assert_eq!(call.await.unwrap(), "slow");
            assert_eq!(stored(&pond, id).await.is_some(), is_stored, "{seconds} s");
        }
        assert_eq!(pond.stats().cache.too_slow, 1);
    })
    .await;
}

#[tokio::test]
async fn a_thousand_callers_over_http_cost_one_body_one_read_and_one_fill() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let pond = support::pond(&gateway);
    warm(&pond).await;
    gateway.clear();
    within_a_minute(async {
        let (source, mut bodies): (_, Bodies<Text>) = source();
        let calls: Vec<_> = (0..1_000)
            .map(|_| Face::Attribute.call(&pond, 1, &source))
            .collect();
        let body = bodies.next().await;
        settle().await;
        body.answer("one");
        for call in calls {
            assert_eq!(call.await.unwrap(), "one");
        }
        assert_eq!(bodies.count(), 0);
        let commands: Vec<_> = gateway.commands().iter().map(|it| it[0].clone()).collect();
        assert_eq!(commands, ["MGET", "EVALSHA"]);
    })
    .await;
}
