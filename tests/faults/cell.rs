//! One fault meets one operation.

use crate::events::Events;
use crate::fault::{Fault, Mode, Struck};
use crate::operation::{Operation, Subject};
use crate::scene::{BUDGET, Scene};
use crate::support::LONG;
use millpond::ManualClock;
use millpond_gateway::{Matcher, Request};
use std::time::Duration;
use tokio::time::{Instant, advance, pause, resume};

/// What it came to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    pub(crate) gets: String,
    pub(crate) waits: &'static str,
    pub(crate) sent: String,
    pub(crate) logged: Vec<String>,
}

pub(crate) async fn run(scene: &Scene, operation: Operation, fault: &Fault, mode: Mode) -> Cell {
    scene.reset().await;
    let clock = ManualClock::new();
    let budget = if fault.is_endless() { BUDGET } else { LONG };
    let pond = scene.process(&clock, budget);
    let mut subject = operation.prepare(pond).await;
    if fault.is_of_connections() {
        // One that has a connection still learns that it is gone while it sends.
        subject.pond = scene.process(&clock, budget);
    }
    let (events, guard) = Events::of_this_thread();
    scene.clear();
    let matcher = Matcher::when(move |request| operation.is_struck(request));
    // What happens to the server during a load happens after its read.
    let read =
        (operation.is_about_the_fill() && fault.is_of_the_server() && !fault.is_of_connections())
            .then(|| scene.hold("MGET".into()));
    let struck = match read {
        Some(_) => Struck::Done,
        None => fault.strike(scene, matcher, mode).await,
    };
    let start = Instant::now();
    let has_ended = std::cell::Cell::new(false);
    let call = async {
        let gets = operation.run(&mut subject).await;
        has_ended.set(true);
        // Before anything in the background has a turn.
        (
            gets,
            sent(&scene.requests()),
            events.take(),
            start.elapsed(),
        )
    };
    let meanwhile = async {
        match (&struck, read) {
            (Struck::Done, None) => {}
            (Struck::Done, Some(read)) => {
                read.arrived().await;
                fault.strike(scene, Matcher::any(), mode).await;
                read.release();
            }
            (Struck::Held(hold), _) => {
                hold.arrived().await;
                // Nothing else happens, so the clock runs on to the end of the budget.
                pause();
            }
            (Struck::Dripping, _) => {
                scene.drips().await;
                jump(BUDGET * 9 / 10).await;
                // Bytes that come do not prolong the wait.
                scene.drips().await;
                assert!(!has_ended.get(), "it gave up early");
                jump(BUDGET * 2 / 10).await;
            }
        }
    };
    let both = async { tokio::join!(call, meanwhile).0 };
    let (gets, sent, logged, lasted) = tokio::time::timeout(3 * LONG, both).await.unwrap();
    if matches!(struck, Struck::Held(_)) {
        resume();
    }
    let waits = if fault.is_endless() {
        assert!((BUDGET..BUDGET * 12 / 10).contains(&lasted), "{lasted:?}");
        "the budget"
    } else {
        assert!(lasted < LONG / 2, "{lasted:?}");
        ""
    };
    drop(guard);
    settle(scene, operation, fault, &mut subject, struck, &clock).await;
    Cell {
        gets,
        waits,
        sent,
        logged,
    }
}

/// While it lasts nothing is stale, and afterwards everything works.
async fn settle(
    scene: &Scene,
    operation: Operation,
    fault: &Fault,
    subject: &mut Subject,
    struck: Struck,
    clock: &ManualClock,
) {
    if fault.is_endless() {
        // What waits for an answer that never comes would wait for its budget again.
        scene.heal().await;
        scene.cut().await;
        if let Struck::Held(hold) = struck {
            // What comes long after everybody has given it up is the subject of tests/late_writes.rs.
            hold.fail(millpond_gateway::Fault::ResetBefore);
        }
    } else {
        operation.meanwhile(subject).await;
        scene.heal().await;
    }
    operation.afterwards(subject, scene, clock).await;
}

pub(crate) async fn jump(time: Duration) {
    pause();
    advance(time).await;
    resume();
}

/// The requests, those in a row that are alike as one.
fn sent(requests: &[Request]) -> String {
    let mut runs: Vec<(String, u32)> = Vec::new();
    for request in requests {
        let names = request
            .commands
            .iter()
            .map(|command| format!("`{}`", command[0]));
        let names = names.collect::<Vec<_>>().join(" + ");
        match runs.last_mut() {
            Some((last, times)) if *last == names => *times += 1,
            _ => runs.push((names, 1)),
        }
    }
    let runs = runs.into_iter().map(|(names, times)| match times {
        1 => names,
        _ => format!("{times} × {names}"),
    });
    runs.collect::<Vec<_>>().join(", ")
}
