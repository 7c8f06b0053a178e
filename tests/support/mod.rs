//! What several test binaries need: a gateway to talk to, and Node to talk to it.

#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "every test binary uses its own part of it"
)]

pub(crate) mod aged;
pub(crate) mod cluster;
pub(crate) mod example;
pub(crate) mod log;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod service;
pub(crate) mod source;

use millpond::{Builder, Millpond};
use millpond_gateway::{Gateway, RedisServer};
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

/// A gateway in front of a database of its own.
pub(crate) async fn gateway(redis: &RedisServer) -> Gateway {
    Gateway::start(&redis.database())
        .await
        .expect("a gateway starts")
}

/// A pond on a gateway, with a budget that a busy machine cannot exhaust.
pub(crate) fn pond(gateway: &Gateway) -> Millpond {
    builder(gateway).build().expect("a pond")
}

/// The builder of [`pond`].
pub(crate) fn builder(gateway: &Gateway) -> Builder {
    Millpond::builder()
        .upstash(gateway.url(), gateway.token())
        .budget(LONG)
}

/// Runs each of these functions as a test over every engine, with a `&Millpond` that nobody else uses.
macro_rules! on_every_engine {
    ($($behaviour:ident)*) => {
        mod embedded {
            $(#[tokio::test]
            async fn $behaviour() {
                super::$behaviour(&millpond::Millpond::memory()).await;
            })*
        }

        #[cfg(feature = "upstash")]
        mod upstash {
            $(#[tokio::test]
            async fn $behaviour() {
                let gateway = super::support::gateway(millpond_gateway::needs_redis!()).await;
                super::$behaviour(&super::support::pond(&gateway)).await;
            })*
        }

        #[cfg(feature = "redis")]
        mod redis {
            $(#[tokio::test]
            async fn $behaviour() {
                let database = millpond_gateway::needs_redis!().database();
                let pond = millpond::Millpond::builder().redis(database.url());
                let pond = pond.budget(super::support::LONG).build().unwrap();
                super::$behaviour(&pond).await;
            })*
        }
    };
}
pub(crate) use on_every_engine;

/// A budget that a busy machine cannot exhaust.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// Lets the other tasks run until they have nothing left to do.
pub(crate) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// Waits until something is the case.
pub(crate) async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    while !is_so().await {
        tokio::task::yield_now().await;
    }
}

/// The result of a test, or the news that it hangs.
pub(crate) async fn within_a_minute<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), test)
        .await
        .expect("what the test waits for happens within a minute")
}

/// Runs a script of `tests/interop` with the gateway's address in its environment, and returns what
/// it printed.
pub(crate) async fn node(script: &str, arguments: &[&str], gateway: &Gateway) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop");
    let output = Command::new("node")
        .arg(script)
        .args(arguments)
        .current_dir(folder)
        .env("UPSTASH_REDIS_REST_URL", gateway.url())
        .env("UPSTASH_REDIS_REST_TOKEN", gateway.token())
        .env("UPSTASH_DISABLE_TELEMETRY", "1")
        .kill_on_drop(true)
        .output()
        .await
        .expect("node starts");
    let (said, warned) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "node {script} failed:\n{said}\n{warned}"
    );
    said.into_owned()
}

/// Whether Node and the packages of `tests/interop` are there; without them a test is left out.
///
/// # Panics
///
/// When they are missing in CI or under `tests/run`.
pub(crate) fn has_npm_packages() -> bool {
    use millpond_gateway::program::{present_or_required, required};
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/node_modules");
    assert!(
        packages.is_dir() || !required(),
        "the npm packages are missing; tests/run installs them"
    );
    packages.is_dir() && present_or_required("node")
}

/// Leaves the test out where Node or the npm packages are missing; counted by name, as
/// `needs_redis!` is.
macro_rules! needs_npm {
    () => {
        if !support::has_npm_packages() {
            return;
        }
    };
}
pub(crate) use needs_npm;
