//! Values that another process keeps (`local`), invalidated here, while its connections fail or it is stopped. The
//! other one runs by the clocks of the machine; what it may use for how long is set to be short.

#![cfg(all(feature = "upstash", feature = "redis"))]

mod support;

use millpond::{
    Builder, CallStatus, HealthState, Millpond, Tier, cached, invalidates, with_status,
};
use millpond_gateway::{Database, Fault, Gateway, Matcher, RedisServer, StallingProxy};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use support::process::{Process, orders, say};
use support::{LONG, until, within_a_minute};

/// For how long a value is used that nothing proves.
const UNVERIFIED: Duration = Duration::from_millis(50);

/// For how long a proof counts: briefly, or for so long that nothing but a message ends it.
const SILENCE: Duration = Duration::from_millis(200);
const HOUR: Duration = Duration::from_secs(3_600);

/// How long a call of the other process waits for a server that does not answer.
const BUDGET: Duration = Duration::from_millis(300);

/// Where the function gets its values from.
#[derive(Clone, Default)]
struct Source(Arc<AtomicU64>);

impl Source {
    fn set(&self, value: u64) {
        self.0.store(value, Ordering::SeqCst);
    }
}

#[cached(
    prefix = "number",
    key = "<id>",
    ttl = "1d",
    local = "1h",
    skip(source)
)]
async fn number(id: u64, source: &Source) -> u64 {
    let _ = id;
    source.0.load(Ordering::SeqCst)
}

#[invalidates(number(id))]
async fn change(id: u64, source: &Source, value: u64) {
    source.set(value);
}

/// Waits until so much time has passed.
async fn until_past(since: Instant, time: Duration) {
    until(async || since.elapsed() > time).await;
}

/// The part of the other process.
#[tokio::test]
#[ignore = "the other tests run it in a process of its own"]
async fn a_process_that_keeps() {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let (url, token) = (variable("KEEPS_URL"), variable("KEEPS_TOKEN"));
    if url.is_empty() {
        return;
    }
    let time = |name| Duration::from_millis(variable(name).parse().expect("a number of ms"));
    let builder = match token.as_str() {
        "" => Millpond::builder().redis(url),
        token => Millpond::builder().upstash(url, token),
    };
    let pond = builder
        .budget(time("KEEPS_BUDGET"))
        .backplane_silence(time("KEEPS_SILENCE"))
        .local_unverified(UNVERIFIED)
        .build()
        .expect("a pond");
    let source = Source::default();
    let read = || pond.scope(number(7, &source));
    let mut orders = orders();
    while let Some(order) = orders.recv().await {
        let (order, argument) = order.split_once(' ').unwrap_or((&order, ""));
        let value = || argument.parse().expect("a value");
        match order {
            // What is true from here on, whatever is kept.
            "value" => source.set(value()),
            "read" => {
                say(&read().await.to_string());
                continue;
            }
            // Until a value is used which is so old that it is trusted.
            "trust" => {
                until(async || {
                    let (_, status) = pond.scope(with_status(number(7, &source))).await;
                    let CallStatus::Hit { tier, age, .. } = status else {
                        return false;
                    };
                    tier == Tier::Local && age.is_some_and(|age| age > UNVERIFIED)
                })
                .await;
            }
            "until" => until(async || read().await == value()).await,
            "up" => until(async || pond.health().backplane().state() == HealthState::Up).await,
            "degraded" => {
                until(async || {
                    let health = pond.health();
                    let is_degraded = health.backplane().state() == HealthState::Degraded;
                    is_degraded && health.backplane().sentence().contains(argument)
                })
                .await;
            }
            "change" => pond.scope(change(7, &source, value())).await,
            unknown => panic!("nobody taught me to {unknown}"),
        }
        say("done");
    }
}

#[derive(Clone, Copy)]
enum Engine {
    Rest,
    Resp,
}

/// A database, and the connections of the other process to it.
struct Shared {
    database: Database,
    gateway: Option<Gateway>,
    proxy: StallingProxy,
}

impl Shared {
    async fn new(engine: Engine, redis: &RedisServer) -> Self {
        let gateway = match engine {
            Engine::Rest => Some(support::gateway(redis).await),
            Engine::Resp => None,
        };
        let server = gateway.as_ref().map_or(redis.port(), Gateway::port);
        Self {
            database: match &gateway {
                Some(gateway) => gateway.database().clone(),
                None => redis.database(),
            },
            proxy: StallingProxy::start(server).await.expect("a proxy"),
            gateway,
        }
    }

    /// This process, whose connections are direct.
    fn pond(&self) -> Millpond {
        let builder: Builder = match &self.gateway {
            Some(gateway) => Millpond::builder().upstash(gateway.url(), gateway.token()),
            None => Millpond::builder().redis(self.database.url()),
        };
        builder.budget(LONG).build().expect("a pond")
    }

    /// The other process, with a value that it trusts.
    async fn keeps(&self, silence: Duration, budget: Duration) -> Other {
        let mut other = if let Some(gateway) = &self.gateway {
            Other::start(&self.proxy.url(), gateway.token(), silence, budget)
        } else {
            let url = self.database.behind(self.proxy.port()).url();
            Other::start(&url, "", silence, budget)
        };
        other.does("value 1").await;
        other.does("trust").await;
        other
    }
}

/// The process that keeps a value.
struct Other(Process);

impl Other {
    fn start(url: &str, token: &str, silence: Duration, budget: Duration) -> Self {
        let ms = |time: Duration| time.as_millis().to_string();
        Self(Process::start(
            "a_process_that_keeps",
            &[
                ("KEEPS_URL", url),
                ("KEEPS_TOKEN", token),
                ("KEEPS_SILENCE", &ms(silence)),
                ("KEEPS_BUDGET", &ms(budget)),
            ],
        ))
    }

    async fn does(&mut self, order: &str) {
        assert_eq!(self.says(order).await, "done", "{order}");
    }

    async fn says(&mut self, order: &str) -> String {
        self.0.tell(order).await;
        self.0.says().await
    }

    async fn reads(&mut self) -> u64 {
        self.says("read").await.parse().expect("a value")
    }
}

/// Another value is true, and what is kept of the older one is invalidated here.
async fn changes(here: &Millpond, other: &mut Other, value: u64) {
    other.does(&format!("value {value}")).await;
    here.scope(change(7, &Source::default(), value)).await;
}

macro_rules! on_both_engines {
    ($($behaviour:ident)*) => {
        mod rest {
            $(#[tokio::test]
            async fn $behaviour() {
                let redis = millpond_gateway::needs_redis!();
                super::within_a_minute(super::$behaviour(super::Engine::Rest, redis)).await;
            })*
        }

        mod resp {
            $(#[tokio::test]
            async fn $behaviour() {
                let redis = millpond_gateway::needs_redis!();
                super::within_a_minute(super::$behaviour(super::Engine::Resp, redis)).await;
            })*
        }
    };
}

on_both_engines! {
    what_is_invalidated_here_is_seen_there_within_a_message
    what_is_invalidated_while_the_connection_is_cut_is_not_used
    what_is_invalidated_behind_a_half_open_connection_is_used_for_the_silence_at_most
    a_process_that_was_stopped_for_longer_than_the_silence_uses_nothing_older
    a_server_that_was_restarted_is_heard_again
    without_a_subscription_values_are_used_for_local_unverified_at_most
}

async fn what_is_invalidated_here_is_seen_there_within_a_message(
    engine: Engine,
    redis: &RedisServer,
) {
    let shared = Shared::new(engine, redis).await;
    let mut other = shared.keeps(HOUR, LONG).await;
    let here = shared.pond();
    for value in 2..5 {
        changes(&here, &mut other, value).await;
        // Nothing else ends what is kept there.
        other.does(&format!("until {value}")).await;
        other.does("trust").await;
    }
    other.does("change 7").await;
    assert_eq!(other.reads().await, 7, "of what it changed itself");
    other.0.end().await;
}

async fn what_is_invalidated_while_the_connection_is_cut_is_not_used(
    engine: Engine,
    redis: &RedisServer,
) {
    let shared = Shared::new(engine, redis).await;
    let mut other = shared.keeps(HOUR, BUDGET).await;
    let here = shared.pond();
    shared.proxy.refuse();
    other.does("degraded").await;
    changes(&here, &mut other, 2).await;
    assert_eq!(other.reads().await, 2, "while it is cut");
    other.does("change 3").await;
    assert_eq!(other.reads().await, 3, "of what it changed itself");
    changes(&here, &mut other, 4).await;
    shared.proxy.accept();
    other.does("up").await;
    assert_eq!(other.reads().await, 4, "once it is connected again");
    other.does("trust").await;
    changes(&here, &mut other, 5).await;
    other.does("until 5").await;
    other.0.end().await;
}

async fn what_is_invalidated_behind_a_half_open_connection_is_used_for_the_silence_at_most(
    engine: Engine,
    redis: &RedisServer,
) {
    let shared = Shared::new(engine, redis).await;
    let mut other = shared.keeps(SILENCE, BUDGET).await;
    let here = shared.pond();
    let stall = shared.proxy.stall();
    let stalled = Instant::now();
    changes(&here, &mut other, 2).await;
    until_past(stalled, SILENCE).await;
    assert_eq!(other.reads().await, 2, "after the silence");
    // Other connections take their place, while the old ones still look alive.
    other.does("trust").await;
    changes(&here, &mut other, 3).await;
    other.does("until 3").await;
    stall.cut();
    other.0.end().await;
}

async fn a_process_that_was_stopped_for_longer_than_the_silence_uses_nothing_older(
    engine: Engine,
    redis: &RedisServer,
) {
    let shared = Shared::new(engine, redis).await;
    let mut other = shared.keeps(SILENCE, BUDGET).await;
    let here = shared.pond();
    // Once the message waits for it where it goes on, and once it is lost.
    for (value, is_lost) in [(2, false), (3, true)] {
        other.does("trust").await;
        // It is true before, and told to nobody.
        other.does(&format!("value {value}")).await;
        other.0.signal("STOP").await;
        let stopped = Instant::now();
        let stall = is_lost.then(|| shared.proxy.stall());
        here.scope(change(7, &Source::default(), value)).await;
        until_past(stopped, SILENCE).await;
        other.0.signal("CONT").await;
        assert_eq!(other.reads().await, value, "lost: {is_lost}");
        if let Some(stall) = stall {
            stall.cut();
        }
    }
    other.does("up").await;
    other.0.end().await;
}

async fn a_server_that_was_restarted_is_heard_again(engine: Engine, _: &RedisServer) {
    let redis = RedisServer::start().expect("a server");
    let shared = Shared::new(engine, &redis).await;
    let mut other = shared.keeps(HOUR, BUDGET).await;
    let here = shared.pond();
    redis.stop();
    other.does("degraded").await;
    other.does("change 2").await;
    assert_eq!(other.reads().await, 2, "of what it changed itself");
    redis.restart().expect("it starts again");
    other.does("up").await;
    other.does("trust").await;
    changes(&here, &mut other, 3).await;
    other.does("until 3").await;
    other.0.end().await;
}

async fn without_a_subscription_values_are_used_for_local_unverified_at_most(
    engine: Engine,
    _: &RedisServer,
) {
    let redis = RedisServer::start().expect("a server");
    let shared = Shared::new(engine, &redis).await;
    let mut other = if let Some(gateway) = &shared.gateway {
        let subscribes = Matcher::when(|request| request.path.starts_with("/subscribe"));
        let refused = "NOPERM this user has no permissions to access a channel";
        gateway.inject(subscribes.always(), Fault::error(400, refused));
        Other::start(&gateway.url(), gateway.token(), HOUR, LONG)
    } else {
        let weak = "ACL SETUSER weak on >secret ~* +@all resetchannels";
        let set = shared.database.command(weak.split(' ')).await;
        set.expect("a user");
        let url = shared.database.url();
        let url = url.replace("redis://", "redis://weak:secret@");
        Other::start(&url, "", HOUR, LONG)
    };
    other.does("value 1").await;
    assert_eq!(other.reads().await, 1);
    other.does("degraded NOPERM").await;
    let here = shared.pond();
    for value in 2..5 {
        other.reads().await;
        changes(&here, &mut other, value).await;
        until_past(Instant::now(), UNVERIFIED).await;
        assert_eq!(other.reads().await, value);
    }
    other.does("change 9").await;
    assert_eq!(other.reads().await, 9, "of what it changed itself");
    other.0.end().await;
}
