//! What one caller was refused for never reaches another through a shared load; other errors do, unless the
//! function says otherwise.

mod support;

use futures_util::future::join_all;
use millpond::{Millpond, RateLimited, cached, rate_limited};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use support::settle;

/// Wraps a refusal, and says so by `From`.
#[derive(Clone, Debug)]
enum ApiError {
    Refused(#[expect(dead_code, reason = "it is only wrapped")] Box<RateLimited>),
    Down,
}

impl From<RateLimited> for ApiError {
    fn from(refusal: RateLimited) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

/// Wraps a refusal as the source of the source, and says so only there.
#[derive(Clone, Debug)]
struct Outer(Arc<dyn Error + Send + Sync>);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("outer")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[rate_limited(kind = "AUTH", id = user)]
async fn admitted(user: &str) -> Result<(), RateLimited> {
    Ok(())
}

async fn refusal(user: &str) -> RateLimited {
    loop {
        if let Err(refusal) = admitted(user).await {
            return refusal;
        }
    }
}

macro_rules! functions {
    ($($name:ident($prefix:literal) -> $error:ty = $make:expr;)*) => {
        $(#[cached(prefix = $prefix, key = "<id>", unless = |_| true, skip(user, bodies))]
        async fn $name(id: u32, user: &str, bodies: &AtomicU32) -> Result<u32, $error> {
            bodies.fetch_add(1, Ordering::SeqCst);
            settle().await;
            if user != "mallory" {
                return Ok(id);
            }
            let make: fn(RateLimited) -> $error = $make;
            Err(make(refusal(user).await))
        })*
    };
}

functions! {
    itself("itself") -> RateLimited = |refusal| refusal;
    shared("shared") -> Arc<RateLimited> = Arc::new;
    by_from("by_from") -> ApiError = ApiError::from;
    by_source("by_source") -> Outer = |refusal| Outer(Arc::new(Outer(Arc::new(refusal))));
    erased("erased") -> Arc<dyn Error + Send + Sync> = |refusal| Arc::new(refusal);
}

#[tokio::test]
async fn a_refusal_stays_with_the_caller_who_was_refused() {
    let pond = Millpond::memory();
    pond.scope(async {
        let bodies = AtomicU32::new(0);
        macro_rules! check {
            ($($name:ident)*) => {
                // The first body leaves before the others join, who then wait for one of their own.
                $(let users = ["mallory", "alice", "mallory", "alice", "mallory"];
                let calls = users.map(|user| $name(1, user, &bodies));
                for (user, result) in users.iter().zip(join_all(calls).await) {
                    assert!(result.is_ok() || *user != "alice", "{}", stringify!($name));
                })*
            };
        }
        check!(itself shared by_from by_source erased);
    })
    .await;
}

#[cached(prefix = "told", key = "<id>", skip(bodies))]
async fn told(id: u32, bodies: &AtomicU32) -> Result<u32, Outer> {
    bodies.fetch_add(1, Ordering::SeqCst);
    settle().await;
    Err(Outer(Arc::new(fmt::Error)))
}

#[cached(prefix = "kept", key = "<id>", share_errors = false, skip(bodies))]
async fn kept(id: u32, bodies: &AtomicU32) -> Result<u32, Outer> {
    bodies.fetch_add(1, Ordering::SeqCst);
    settle().await;
    Err(Outer(Arc::new(fmt::Error)))
}

#[tokio::test]
async fn other_errors_are_shared_unless_the_function_says_otherwise() {
    let pond = Millpond::memory();
    pond.scope(async {
        let bodies = AtomicU32::new(0);
        let all = join_all((0..4).map(|_| told(1, &bodies))).await;
        assert!(all.iter().all(Result::is_err));
        // The first body leaves before the others join; they share the second one's error.
        assert_eq!(bodies.swap(0, Ordering::SeqCst), 2);
        let all = join_all((0..4).map(|_| kept(1, &bodies))).await;
        assert!(all.iter().all(Result::is_err));
        assert_eq!(bodies.load(Ordering::SeqCst), 4);
    })
    .await;
    let _ = ApiError::Down;
}
