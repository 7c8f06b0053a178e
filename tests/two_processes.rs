//! The races that most caches lose, with a second process for real: changes in one while the other
//! reads or loads.

#![cfg(feature = "upstash")]

mod support;

use millpond::{ManualClock, Millpond, cached, invalidates, updates};
use millpond_gateway::{Gateway, Matcher, Reply, needs_redis};
use std::convert::Infallible;
use std::time::Duration;
use support::process::{Process, orders, say};
use support::source::{Source, source};
use support::{gateway, pond, settle, within_a_minute};
use tokio::task::JoinHandle;

#[cached(prefix = "shared", key = "<id>", skip(source))]
async fn read(id: u32, source: &Source<&'static str>) -> Option<String> {
    Some(source.answer().await.to_owned())
}

#[invalidates(read(id))]
async fn change(id: u32) -> Result<(), Infallible> {
    Ok(())
}

#[updates(read(id))]
async fn replace(id: u32) -> String {
    "replaced".to_owned()
}

fn call(pond: &Millpond, source: &Source<&'static str>) -> JoinHandle<Option<String>> {
    let source = source.clone();
    pond.spawn(async move { read(1, &source).await })
}

/// Longer than a load may take, which is half the life of a guard.
const FROZEN: Duration = Duration::from_secs(200);

/// What the other process can do, by name.
#[tokio::test]
#[ignore = "the other tests run it in a process of its own"]
async fn the_other_process() {
    let (Ok(url), Ok(token)) = (std::env::var("OTHER_URL"), std::env::var("OTHER_TOKEN")) else {
        return;
    };
    let clock = ManualClock::new();
    let pond = Millpond::builder()
        .upstash(url, token)
        .clock(clock.clone())
        .budget(Duration::from_secs(20))
        .build()
        .unwrap();
    let (source, mut bodies) = source();
    let mut body = None;
    let mut calls = Vec::new();
    let mut orders = orders();
    while let Some(order) = orders.recv().await {
        match order.as_str() {
            "invalidate" => pond.scope(change(1)).await.unwrap(),
            "replace" => drop(pond.scope(replace(1)).await),
            "set" => pond
                .set("shared:1", "set", millpond::ttl::MEDIUM)
                .await
                .unwrap(),
            "load" => {
                calls.push(call(&pond, &source));
                body = Some(bodies.next().await);
            }
            "join" => {
                calls.push(call(&pond, &source));
                settle().await;
            }
            // What a process finds when it goes on after that time.
            "wall" => clock.advance_wall(FROZEN),
            "monotonic" => clock.advance_monotonic(FROZEN),
            "finish" => {
                body.take().unwrap().answer("old");
                bodies.answer_all("new");
                let mut values = Vec::new();
                for call in calls {
                    values.push(call.await.unwrap().unwrap());
                }
                return say(&values.join(" "));
            }
            unknown => panic!("nobody taught me to {unknown}"),
        }
        say("done");
    }
}

fn other(gateway: &Gateway) -> Process {
    Process::start(
        "the_other_process",
        &[
            ("OTHER_URL", &gateway.url()),
            ("OTHER_TOKEN", gateway.token()),
        ],
    )
}

/// What a change leaves behind, and a load that follows it.
const CHANGES: [(&str, &str); 3] = [
    ("invalidate", "new"),
    ("replace", "replaced"),
    ("set", "set"),
];

#[tokio::test]
async fn a_change_in_another_process_during_a_load_survives_it() {
    let redis = needs_redis!();
    within_a_minute(async {
        for (change, left) in CHANGES {
            let gateway = gateway(redis).await;
            let (pond, mut other) = (pond(&gateway), other(&gateway));
            let (source, mut bodies) = source();
            let first = call(&pond, &source);
            let body = bodies.next().await;
            other.tell(change).await;
            assert_eq!(other.says().await, "done");
            let late = call(&pond, &source);
            settle().await;
            body.answer("old");
            bodies.answer_all("new");
            assert_eq!(first.await.unwrap().as_deref(), Some("old"), "{change}");
            assert_eq!(late.await.unwrap().as_deref(), Some(left), "{change}");
            let stored: Option<String> = pond.get("shared:1").await.unwrap();
            assert_eq!(stored.as_deref(), Some(left), "{change}");
            other.end().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_change_here_survives_a_load_in_another_process() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let (pond, mut other) = (pond(&gateway), other(&gateway));
    within_a_minute(async {
        other.tell("load").await;
        assert_eq!(other.says().await, "done");
        pond.scope(change(1)).await.unwrap();
        other.tell("join").await;
        assert_eq!(other.says().await, "done");
        other.tell("finish").await;
        assert_eq!(other.says().await, "old new");
        let stored: Option<String> = pond.get("shared:1").await.unwrap();
        assert_eq!(stored.as_deref(), Some("new"));
        other.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_hit_from_before_another_processs_change_goes_to_nobody_who_came_after_it() {
    let redis = needs_redis!();
    within_a_minute(async {
        for (change, left) in CHANGES {
            let gateway = gateway(redis).await;
            let (pond, mut other) = (pond(&gateway), other(&gateway));
            let (source, bodies) = source();
            pond.set("shared:1", "old", millpond::ttl::MEDIUM)
                .await
                .unwrap();
            let hit = gateway.hold(Matcher::command("MGET"));
            let first = call(&pond, &source);
            hit.arrived().await;
            other.tell(change).await;
            assert_eq!(other.says().await, "done");
            let late = call(&pond, &source);
            settle().await;
            hit.release();
            bodies.answer_all("new");
            assert_eq!(first.await.unwrap().as_deref(), Some("old"), "{change}");
            assert_eq!(late.await.unwrap().as_deref(), Some(left), "{change}");
            other.end().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_process_that_is_stopped_during_a_load_stores_nothing_when_it_goes_on() {
    let redis = needs_redis!();
    within_a_minute(async {
        // By then the guard that tells of the change may be gone, and only the age of the load tells.
        for (leap, guard) in [("wall", false), ("monotonic", false), ("wall", true)] {
            let gateway = gateway(redis).await;
            let (pond, mut other) = (pond(&gateway), other(&gateway));
            other.tell("load").await;
            assert_eq!(other.says().await, "done");
            other.signal("STOP").await;
            pond.scope(change(1)).await.unwrap();
            if !guard {
                let ended = gateway.database().command(["DEL", "{shared:1}:guard"]);
                assert_eq!(ended.await.unwrap(), Reply::Int(1));
            }
            other.tell(leap).await;
            other.tell("finish").await;
            other.signal("CONT").await;
            assert_eq!(other.says().await, "done");
            assert_eq!(other.says().await, "old");
            let stored: Option<String> = pond.get("shared:1").await.unwrap();
            assert_eq!(stored, None, "{leap}, guard: {guard}");
            other.end().await;
        }
    })
    .await;
}
