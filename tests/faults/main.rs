//! What a fault does to an operation: every fault meets every operation, over REST and over RESP, and what the
//! caller gets, what was sent and what was logged is docs/faults.md. `UPDATE_EXPECT=1` writes the page.
//!
//! A new operation is a variant of `Operation`, a new fault a line of `fault::all`.

#![cfg(all(feature = "upstash", feature = "redis"))]

#[path = "../support/mod.rs"]
mod support;

mod cell;
mod events;
mod fault;
mod functions;
mod operation;
mod page;
mod scene;

use fault::Mode;
use millpond_gateway::needs_redis;
use operation::Operation;
use page::Page;
use scene::{Engine, Scene};
use std::path::Path;
use std::time::Duration;

const FILE: &str = "docs/faults.md";

#[test]
fn every_fault_does_to_every_operation_what_the_page_says() {
    let _ = needs_redis!();
    // An engine each has a thread, whose log is its own.
    let engines =
        [Engine::Rest, Engine::Resp].map(|engine| std::thread::spawn(move || run(engine)));
    let mut page = Page::default();
    for engine in engines {
        page.add(
            engine
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        );
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let written = std::fs::read_to_string(&path).unwrap();
    let wanted = page.within(&written);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, wanted).unwrap();
        return;
    }
    let differences = page::differences(&written, &wanted);
    assert!(
        differences.is_empty(),
        "{FILE} says something else (-) than what happened (+); if that is meant, run\n    \
         UPDATE_EXPECT=1 cargo test --test faults\n{differences}"
    );
}

/// Every cell of one engine.
fn run(engine: Engine) -> Page {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(async {
        // From here on the clock is the test's: a timer that began by the real one would not be moved.
        cell::jump(Duration::from_millis(1)).await;
        let scene = Scene::start(engine).await;
        let mut page = Page::default();
        for operation in Operation::ALL {
            for fault in fault::all() {
                for mode in [Mode::Once, Mode::Lasting] {
                    if !fault.has(mode, engine) {
                        continue;
                    }
                    let _named = Named(format!(
                        "{operation:?}, {}, {mode:?}, {engine:?}",
                        fault.name
                    ));
                    let cell = cell::run(&scene, operation, &fault, mode).await;
                    page.put(operation, &fault, mode, engine, cell);
                }
            }
        }
        page
    })
}

/// Says which cell a panic came from.
struct Named(String);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the cell was: {}", self.0);
        }
    }
}
