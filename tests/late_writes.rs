//! A stalled connection delivers a write long after its caller gave up. Nothing that was acknowledged since is
//! undone, over REST and over RESP.

#![cfg(all(feature = "upstash", feature = "redis"))]

mod support;

use millpond::{ErrorKind, Millpond, ttl};
use millpond_gateway::{Database, Gateway, Reply, Stall, StallingProxy, needs_redis};
use std::time::Duration;
use support::within_a_minute;

/// How long a call waits for the cache: real time, which a stall uses up.
const BUDGET: Duration = Duration::from_millis(300);

struct Stage {
    pond: Millpond,
    proxy: StallingProxy,
    database: Database,
    gateway: Option<Gateway>,
}

impl Stage {
    async fn rest() -> Option<Self> {
        let redis = millpond_gateway::RedisServer::shared()?;
        let gateway = support::gateway(redis).await;
        let proxy = StallingProxy::start(gateway.port()).await.unwrap();
        let builder = Millpond::builder().upstash(proxy.url(), gateway.token());
        Some(Self {
            pond: builder.budget(BUDGET).retries(0).build().unwrap(),
            proxy,
            database: gateway.database().clone(),
            gateway: Some(gateway),
        })
    }

    async fn resp() -> Option<Self> {
        let redis = millpond_gateway::RedisServer::shared()?;
        let database = redis.database();
        let proxy = StallingProxy::start(redis.port()).await.unwrap();
        let builder = Millpond::builder().redis(database.behind(proxy.port()).url());
        Some(Self {
            pond: builder.budget(BUDGET).retries(0).build().unwrap(),
            proxy,
            database,
            gateway: None,
        })
    }

    /// Lets a change stall until its caller has given it up, and cuts nothing: its bytes are on their way.
    async fn stall<T>(&self, change: impl Future<Output = Result<T, millpond::Error>>) -> Stall {
        // The connection is open and has its scripts by the time it stalls.
        self.pond.exists("warm").await.unwrap();
        let stall = self.proxy.stall();
        let error = change.await.map(drop).unwrap_err();
        assert!(error.may_have_run(), "{error:?}");
        assert_eq!(stall.held(), 1);
        stall
    }

    /// Lets the stalled bytes arrive.
    async fn release(&self, stall: Stall) {
        stall.release().await;
        if let Some(gateway) = &self.gateway {
            gateway.idle().await;
        }
    }

    /// Repeats an operation until the server answers again over a new connection.
    async fn until_answered<T>(
        &self,
        operation: impl AsyncFn() -> Result<T, millpond::Error>,
    ) -> T {
        loop {
            match operation().await {
                Ok(value) => return value,
                Err(error) => assert_ne!(error.kind(), ErrorKind::Decode, "{error}"),
            }
            tokio::task::yield_now().await;
        }
    }

    async fn stored(&self, key: &str) -> Option<String> {
        self.database.command(["GET", key]).await.unwrap().text()
    }
}

macro_rules! over_both {
    ($($test:ident)*) => {
        mod rest {
            $(#[tokio::test]
            async fn $test() {
                let _ = super::needs_redis!();
                let stage = super::Stage::rest().await.unwrap();
                super::within_a_minute(super::$test(&stage)).await;
            })*
        }
        mod resp {
            $(#[tokio::test]
            async fn $test() {
                let _ = super::needs_redis!();
                let stage = super::Stage::resp().await.unwrap();
                super::within_a_minute(super::$test(&stage)).await;
            })*
        }
    };
}

over_both! {
    a_late_set_does_not_come_back_over_a_delete
    a_late_set_does_not_remove_a_later_one
    a_set_whose_caller_went_away_does_not_come_back
    a_late_set_if_absent_does_not_come_back
    a_late_field_does_not_replace_a_newer_one
    a_late_increment_is_not_counted_after_it_was_given_up
    a_late_expire_does_not_shorten_a_newer_life
    a_late_update_of_a_session_does_not_replace_a_newer_one
    late_values_of_several_keys_do_not_come_back
    late_values_of_several_keys_do_not_remove_later_ones
    a_late_load_does_not_come_back_over_a_delete
    a_late_increment_of_a_field_is_not_counted_after_it_was_given_up
    a_late_removal_of_a_field_does_not_take_a_newer_one
    a_session_that_nobody_knows_does_not_live
    a_destroyed_session_does_not_live_again
    a_late_rotation_does_not_save_a_destroyed_session
    a_late_destruction_happens_though_its_answer_never_came
}

async fn a_late_set_does_not_come_back_over_a_delete(stage: &Stage) {
    let pond = &stage.pond;
    let stall = stage.stall(pond.set("late", &1, ttl::LONG)).await;
    stage
        .until_answered(async || pond.delete("late").await)
        .await;
    stage.release(stall).await;
    assert_eq!(stage.stored("late").await, None);
}

async fn a_late_set_does_not_remove_a_later_one(stage: &Stage) {
    let pond = &stage.pond;
    let stall = stage.stall(pond.set("late", &1, ttl::LONG)).await;
    stage
        .until_answered(async || pond.set("late", &2, ttl::LONG).await)
        .await;
    stage.release(stall).await;
    stage.until_answered(async || pond.flush().await).await;
    assert_eq!(stage.stored("late").await.as_deref(), Some("2"));
    assert_eq!(pond.get::<u32>("late").await.unwrap(), Some(2));
}

async fn a_set_whose_caller_went_away_does_not_come_back(stage: &Stage) {
    let pond = &stage.pond;
    pond.exists("warm").await.unwrap();
    let stall = stage.proxy.stall();
    let caller = tokio::spawn({
        let pond = pond.clone();
        async move { pond.set("late", &1, ttl::LONG).await }
    });
    stall.arrived().await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    assert_eq!(pond.stats().pending_invalidations, 1);
    stage
        .until_answered(async || pond.delete("late").await)
        .await;
    stage.release(stall).await;
    assert_eq!(stage.stored("late").await, None);
}

async fn a_late_set_if_absent_does_not_come_back(stage: &Stage) {
    let pond = &stage.pond;
    let stall = stage.stall(pond.set_if_absent("late", &1, ttl::LONG)).await;
    stage
        .until_answered(async || pond.delete("late").await)
        .await;
    stage.release(stall).await;
    assert_eq!(stage.stored("late").await, None);
}

async fn a_late_field_does_not_replace_a_newer_one(stage: &Stage) {
    let hash = stage.pond.hash("late");
    let stall = stage.stall(hash.set("field", &1)).await;
    stage
        .until_answered(async || hash.set("field", &2).await)
        .await;
    stage.release(stall).await;
    assert_eq!(hash.get::<u32>("field").await.unwrap(), Some(2));
}

async fn a_late_increment_is_not_counted_after_it_was_given_up(stage: &Stage) {
    let pond = &stage.pond;
    let stall = stage.stall(pond.increment("late", 1, ttl::SHORT)).await;
    let counted = stage
        .until_answered(async || pond.increment("late", 10, ttl::SHORT).await)
        .await;
    stage.release(stall).await;
    assert_eq!(stage.stored("late").await, Some(counted.to_string()));
}

async fn a_late_expire_does_not_shorten_a_newer_life(stage: &Stage) {
    let pond = &stage.pond;
    pond.set("late", &1, ttl::MEDIUM).await.unwrap();
    let second = Duration::from_secs(1);
    let stall = stage.stall(pond.expire("late", second)).await;
    stage
        .until_answered(async || pond.expire("late", ttl::LONG).await)
        .await;
    stage.release(stall).await;
    let left = stage.database.command(["PTTL", "late"]).await.unwrap();
    assert!(
        matches!(left, Reply::Int(left) if left > 60_000),
        "{left:?}"
    );
}

async fn a_late_update_of_a_session_does_not_replace_a_newer_one(stage: &Stage) {
    let sessions = stage.pond.sessions::<u32>(ttl::LONG);
    let id = sessions.create(&0).await.unwrap();
    let stall = stage.stall(sessions.update(&id, &1)).await;
    assert!(
        stage
            .until_answered(async || sessions.update(&id, &2).await)
            .await
    );
    stage.release(stall).await;
    assert_eq!(sessions.get(&id).await.unwrap(), Some(2));
    stage
        .until_answered(async || sessions.destroy(&id).await)
        .await;
    assert_eq!(sessions.get(&id).await.unwrap(), None);
}

async fn late_values_of_several_keys_do_not_come_back(stage: &Stage) {
    let pond = &stage.pond;
    let values = [("late:1", 1), ("late:2", 1)];
    let stall = stage.stall(pond.set_many(values, ttl::LONG)).await;
    stage
        .until_answered(async || pond.delete_many(["late:1", "late:2"]).await)
        .await;
    stage.release(stall).await;
    for key in ["late:1", "late:2"] {
        assert_eq!(stage.stored(key).await, None, "{key}");
    }
}

async fn late_values_of_several_keys_do_not_remove_later_ones(stage: &Stage) {
    let pond = &stage.pond;
    let values = [("late:1", 1), ("late:2", 1)];
    let stall = stage.stall(pond.set_many(values, ttl::LONG)).await;
    stage
        .until_answered(async || pond.set("late:2", &2, ttl::LONG).await)
        .await;
    stage.release(stall).await;
    stage.until_answered(async || pond.flush().await).await;
    // All of them were given up; one was stored anew.
    assert_eq!(stage.stored("late:1").await, None);
    assert_eq!(stage.stored("late:2").await.as_deref(), Some("2"));
}

async fn a_late_load_does_not_come_back_over_a_delete(stage: &Stage) {
    let pond = &stage.pond;
    // The server knows the script.
    let warm = async || Ok::<_, std::convert::Infallible>(0);
    pond.get_or_set("warm", ttl::LONG, warm).await.unwrap();
    let mut stall = None;
    let load = async || {
        stall = Some(stage.proxy.stall());
        Ok::<_, std::convert::Infallible>(1)
    };
    assert_eq!(pond.get_or_set("late", ttl::LONG, load).await, Ok(1));
    let stall = stall.unwrap();
    assert_eq!(stall.held(), 1);
    stage
        .until_answered(async || pond.delete("late").await)
        .await;
    stage.release(stall).await;
    assert_eq!(stage.stored("late").await, None);
}

async fn a_late_increment_of_a_field_is_not_counted_after_it_was_given_up(stage: &Stage) {
    let hash = stage.pond.hash("late").expires_in(ttl::SHORT);
    let stall = stage.stall(hash.increment("field", 1)).await;
    let counted = stage
        .until_answered(async || hash.increment("field", 10).await)
        .await;
    stage.release(stall).await;
    assert_eq!(hash.get("field").await.unwrap(), Some(counted));
}

async fn a_late_removal_of_a_field_does_not_take_a_newer_one(stage: &Stage) {
    let hash = stage.pond.hash("late");
    hash.set("field", &1).await.unwrap();
    let stall = stage.stall(hash.delete(["field"])).await;
    stage
        .until_answered(async || hash.set("field", &2).await)
        .await;
    stage.release(stall).await;
    assert_eq!(hash.get::<u32>("field").await.unwrap(), Some(2));
}

/// How many sessions there are.
async fn sessions(stage: &Stage) -> usize {
    let keys = stage.database.command(["KEYS", "session:*"]).await.unwrap();
    let Reply::Array(keys) = keys else {
        panic!("{keys:?}")
    };
    keys.len()
}

async fn a_session_that_nobody_knows_does_not_live(stage: &Stage) {
    let late = stage.pond.sessions::<u32>(ttl::LONG);
    let stall = stage.stall(late.create(&1)).await;
    stage
        .until_answered(async || stage.pond.flush().await)
        .await;
    stage.release(stall).await;
    assert_eq!(sessions(stage).await, 0);
}

async fn a_destroyed_session_does_not_live_again(stage: &Stage) {
    let late = stage.pond.sessions::<u32>(ttl::LONG).sliding();
    let id = late.create(&1).await.unwrap();
    let stall = stage.stall(late.update(&id, &2)).await;
    stage.until_answered(async || late.destroy(&id).await).await;
    stage.release(stall).await;
    assert_eq!(late.get(&id).await.unwrap(), None);
    assert_eq!(sessions(stage).await, 0);
}

async fn a_late_rotation_does_not_save_a_destroyed_session(stage: &Stage) {
    let late = stage.pond.sessions::<u32>(ttl::LONG);
    let id = late.create(&1).await.unwrap();
    // The server knows the script.
    let id = late.rotate(&id).await.unwrap().unwrap();
    let stall = stage.stall(late.rotate(&id)).await;
    stage.until_answered(async || late.destroy(&id).await).await;
    stage.release(stall).await;
    assert_eq!(sessions(stage).await, 0);
}

async fn a_late_destruction_happens_though_its_answer_never_came(stage: &Stage) {
    let late = stage.pond.sessions::<u32>(ttl::LONG);
    let id = late.create(&1).await.unwrap();
    let stall = stage.stall(late.destroy(&id)).await;
    stage
        .until_answered(async || stage.pond.flush().await)
        .await;
    assert_eq!(sessions(stage).await, 0);
    stall.cut();
    assert_eq!(late.get(&id).await.unwrap(), None);
}

/// Callers of one process may go away in another order than they came.
#[tokio::test]
async fn giving_up_an_older_write_takes_back_no_later_one() {
    let database = needs_redis!().database();
    let put = include_str!("../runtime/src/store/scripts/put.lua");
    let give_up = include_str!("../runtime/src/store/scripts/give_up.lua");
    let keys = ["3", "late", "{late}:guard", "{late}:doubt"];
    let run = async |script: &str, args: &[&str]| {
        let words = ["EVAL", script].into_iter().chain(keys);
        let words: Vec<&str> = words.chain(args.iter().copied()).collect();
        database.command(words).await.unwrap()
    };
    let process = "0123456789abcdef";
    let put_of = async |number: &str, given_up: &str| {
        let value = format!("\"{number}\"");
        run(
            put,
            &[process, number, "300000", "300000", &value, given_up],
        )
        .await
    };
    let give_up_of =
        async |number: &str| run(give_up, &[process, number, "1", "random", "300000"]).await;
    assert_eq!(put_of("3", "2").await, Reply::Int(1));
    assert_eq!(put_of("4", "1").await, Reply::Int(1));
    assert_eq!(put_of("2", "").await, Reply::Int(0), "it was given up");
    assert_eq!(give_up_of("1").await, Reply::Int(0));
    assert_eq!(put_of("2", "").await, Reply::Int(0), "it was given up");
    assert_eq!(
        give_up_of("2").await,
        Reply::Int(0),
        "the value is a later one"
    );
    let stored = database.command(["GET", "late"]).await.unwrap();
    assert_eq!(stored.text().as_deref(), Some("\"4\""));
}
