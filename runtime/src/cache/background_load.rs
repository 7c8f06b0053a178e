//! One load in the background: a second read, so that what another process loaded meanwhile is seen, the body, and
//! the guarded fill. Where it fails, nothing changes.

use super::load::{Entered, Load};
use bytes::Bytes;
use std::future::poll_fn;
use std::task::{Context, Poll};

/// What a body in the background came to.
pub(crate) enum BodyEnd {
    Failed,
    /// It returned what cannot be stored.
    Unstorable,
    Returned {
        plain: Bytes,
        /// Not to be stored.
        keeps: bool,
    },
}

/// A body of any type.
pub(crate) trait BackgroundBody {
    /// Polls it; what it returned is written down at once, since its type may be bound to this thread.
    fn poll(&mut self, cx: &mut Context<'_>, load: &Load) -> Poll<BodyEnd>;
    /// Whether this is a value of the function.
    fn reads(&mut self, plain: &[u8]) -> bool;
}

#[cfg(not(target_arch = "wasm32"))]
type Body = dyn BackgroundBody + Send;
#[cfg(target_arch = "wasm32")]
type Body = dyn BackgroundBody;

/// Loads the value again.
pub(crate) async fn run(load: Box<Load>, body: Box<Body>) {
    let span = load.span.clone();
    span.around(run_within(load, body)).await;
}

async fn run_within(load: Box<Load>, mut body: Box<Body>) {
    let mut load = if load.observed.is_some() {
        // Its caller has just read it, and waits.
        load
    } else {
        let Some(load) = read_again(load, &mut *body).await else {
            return;
        };
        load
    };
    // As if it failed, until it returns: it may panic, or never end.
    load.pause();
    load.begin_body();
    let end = poll_fn(|cx| body.poll(cx, &load)).await;
    load.end_body();
    match end {
        BodyEnd::Failed => {
            load.counters.load_errors.add(1);
            load.has_no_value();
            load.span.ends("error", "body");
            load.say_load_failed();
        }
        BodyEnd::Unstorable => {
            load.has_no_value();
            load.resume();
            load.has_loaded();
        }
        BodyEnd::Returned { plain, keeps } => {
            load.resume();
            load.has_loaded();
            if let Some(background) = &load.background {
                background.loaded(plain.clone());
            }
            load.store(plain, keeps).await;
        }
    }
}

/// The load as of a second read; nothing if there is nothing left to do.
async fn read_again(load: Box<Load>, body: &mut Body) -> Option<Box<Load>> {
    let load = match load.cluster {
        Some(cluster) => (cluster.background)(load).await?,
        None => load,
    };
    let before = load.found.times.map(|times| times.until);
    let load = load.read(None).await;
    if load.observed.is_none() {
        // Nothing could be stored.
        load.pause();
        return None;
    }
    match load.look().await {
        Entered::Found(plain, load) => {
            let is_new = load.found.times.map(|times| times.until) > before;
            let is_fresh = load.found.freshness.is_fresh();
            if is_new && is_fresh && body.reads(&plain) {
                load.ends_with_found("hit");
                return None;
            }
            Some(load)
        }
        Entered::Load(load) => Some(load),
        Entered::Shared(..) | Entered::Failed(_) | Entered::Alone(_) => None,
    }
}

impl Load {
    fn pause(&self) {
        let now = self.cache.client.settings.clock.monotonic();
        self.cache.retries.failed(&self.full.text(), now);
    }

    fn resume(&self) {
        self.cache.retries.forget(&self.full.text());
    }
}
