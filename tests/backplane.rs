//! Values that are kept in several processes (`local`), and invalidations that travel between them. Two `Millpond`s
//! of one test are two processes, as far as the cache is concerned.

#![cfg(all(feature = "upstash", feature = "redis"))]

mod support;

use millpond::{Builder, HealthState, ManualClock, Millpond, Tag, cached, invalidates, updates};
use millpond_gateway::{Database, Gateway, RedisServer, StallingProxy, needs_redis};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use support::{LONG, gateway, needs_npm, node, settle, until, within_a_minute};

/// Longer than a value is used without trust, and less than a proof counts.
const DOUBTED: Duration = Duration::from_millis(1_500);

/// Longer than a proof counts.
const SILENT: Duration = Duration::from_secs(61);

/// Where the functions get their values from.
#[derive(Clone, Default)]
struct Source(Arc<AtomicU64>);

impl Source {
    fn set(&self, value: u64) {
        self.0.store(value, Ordering::SeqCst);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[millpond::tag("owner:<owner>")]
fn owner(owner: u64) -> Tag;

#[cached(
    prefix = "number",
    key = "<id>",
    ttl = "1d",
    local = "1h",
    tags(owner(id)),
    all,
    skip(source)
)]
async fn number(id: u64, source: &Source) -> u64 {
    let _ = id;
    source.get()
}

#[invalidates(number(id))]
async fn change(id: u64, source: &Source, value: u64) {
    source.set(value);
}

#[updates(number(id))]
async fn replace(id: u64, source: &Source, value: u64) -> u64 {
    source.set(value);
    value
}

/// An engine that two processes share.
struct Shared {
    database: Database,
    gateway: Option<Gateway>,
    clock: ManualClock,
}

impl Shared {
    async fn over_rest(redis: &RedisServer) -> Self {
        let gateway = gateway(redis).await;
        Self {
            database: gateway.database().clone(),
            gateway: Some(gateway),
            clock: ManualClock::new(),
        }
    }

    fn over_resp(redis: &RedisServer) -> Self {
        Self {
            database: redis.database(),
            gateway: None,
            clock: ManualClock::new(),
        }
    }

    fn builder(&self) -> Builder {
        self.behind(None)
    }

    /// A process whose connections go through the proxy.
    fn behind(&self, proxy: Option<&StallingProxy>) -> Builder {
        let builder = Millpond::builder().budget(LONG).clock(self.clock.clone());
        match (&self.gateway, proxy) {
            (Some(gateway), None) => builder.upstash(gateway.url(), gateway.token()),
            (Some(gateway), Some(proxy)) => builder.upstash(proxy.url(), gateway.token()),
            (None, None) => builder.redis(self.database.url()),
            (None, Some(proxy)) => builder.redis(self.database.behind(proxy.port()).url()),
        }
    }

    async fn proxy(&self) -> StallingProxy {
        let server = match &self.gateway {
            Some(gateway) => gateway.port(),
            None => self.database.port(),
        };
        StallingProxy::start(server).await.expect("a proxy")
    }

    fn process(&self) -> Millpond {
        self.builder().build().expect("a pond")
    }

    /// What somebody else publishes on the channel, who needs no millpond.
    async fn publish(&self, message: &str) {
        let database = self.database.url();
        let (_, number) = database.rsplit_once('/').expect("a number");
        let channel = format!("millpond:moved@{number}");
        let published = self.database.command(["PUBLISH", &channel, message]);
        published.await.expect("it is published");
    }
}

macro_rules! on_both_engines {
    ($($behaviour:ident)*) => {
        mod rest {
            $(#[tokio::test]
            async fn $behaviour() {
                let shared = super::Shared::over_rest(millpond_gateway::needs_redis!()).await;
                super::within_a_minute(super::$behaviour(&shared)).await;
            })*
        }

        mod resp {
            $(#[tokio::test]
            async fn $behaviour() {
                let shared = super::Shared::over_resp(millpond_gateway::needs_redis!());
                super::within_a_minute(super::$behaviour(&shared)).await;
            })*
        }
    };
}

on_both_engines! {
    what_another_process_invalidates_is_seen_within_a_message
    what_another_process_stores_is_seen_within_a_message
    a_tag_that_another_process_moves_is_seen_within_a_message
    every_entry_of_a_function_is_forgotten_elsewhere
    by_hand_it_is_told_where_the_builder_says_so
    the_echo_of_the_own_message_removes_nothing
    a_service_without_millpond_takes_part_with_one_publish
    a_message_of_another_version_is_no_promise
    garbage_on_the_channel_is_ignored
    a_connection_that_is_cut_is_no_longer_trusted
    a_subscriber_that_is_stalled_is_trusted_no_longer_than_its_last_proof
    without_a_backplane_values_are_used_for_a_second
}

async fn call(pond: &Millpond, source: &Source) -> u64 {
    pond.scope(number(7, source)).await
}

/// Waits until something is the case. What it waits for comes over sockets, so the runtime has to look at them.
async fn is_heard(pond: &Millpond) {
    until(async || {
        let health = pond.health();
        let backplane = health.backplane();
        backplane.state() == HealthState::Up && backplane.sentence().contains("are heard")
    })
    .await;
}

/// A process that keeps a value which it trusts.
async fn trusting(pond: Millpond, shared: &Shared, source: &Source) -> Millpond {
    call(&pond, source).await;
    is_heard(&pond).await;
    // That value was read before the subscription stood.
    shared.clock.advance(DOUBTED);
    call(&pond, source).await;
    let commands = pond.stats().commands;
    shared.clock.advance(DOUBTED);
    let kept = call(&pond, source).await;
    assert_eq!(pond.stats().commands, commands, "{kept} is used as it is");
    pond
}

async fn what_another_process_invalidates_is_seen_within_a_message(shared: &Shared) {
    let source = Source::default();
    let here = trusting(shared.process(), shared, &source).await;
    // It never reads the function.
    let elsewhere = shared.process();
    elsewhere.scope(change(7, &source, 2)).await;
    // The clock stands still, so nothing else ends what is kept here.
    until(async || call(&here, &source).await == 2).await;
}

async fn what_another_process_stores_is_seen_within_a_message(shared: &Shared) {
    let source = Source::default();
    let here = trusting(shared.process(), shared, &source).await;
    let elsewhere = shared.process();
    elsewhere.scope(replace(7, &source, 2)).await;
    until(async || call(&here, &source).await == 2).await;
    let put = elsewhere.scope(async { number::entry(7).put(&3).await });
    put.await.expect("it is stored");
    until(async || call(&here, &source).await == 3).await;
}

async fn a_tag_that_another_process_moves_is_seen_within_a_message(shared: &Shared) {
    let source = Source::default();
    let here = trusting(shared.process(), shared, &source).await;
    // It keeps values itself, so it tells of tags.
    let elsewhere = trusting(shared.process(), shared, &source).await;
    source.set(2);
    let moved = elsewhere.scope(async { owner::invalidate(7).await });
    moved.await.expect("it is moved");
    until(async || call(&here, &source).await == 2).await;
}

async fn every_entry_of_a_function_is_forgotten_elsewhere(shared: &Shared) {
    let source = Source::default();
    let here = trusting(shared.process(), shared, &source).await;
    let elsewhere = shared.process();
    source.set(2);
    let moved = elsewhere.scope(async { number::invalidate_all().await });
    moved.await.expect("they are moved");
    until(async || call(&here, &source).await == 2).await;
}

async fn by_hand_it_is_told_where_the_builder_says_so(shared: &Shared) {
    let source = Source::default();
    let here = trusting(shared.process(), shared, &source).await;
    let elsewhere = shared.builder().backplane(true).build().expect("a pond");
    source.set(2);
    assert!(elsewhere.delete("number:7").await.expect("it is deleted"));
    until(async || call(&here, &source).await == 2).await;
    source.set(3);
    let moved = elsewhere.invalidate_tag("owner:7");
    moved.await.expect("it is moved");
    until(async || call(&here, &source).await == 3).await;
    let commands = here.stats().commands;
    assert_eq!(call(&here, &source).await, 3);
    assert_eq!(here.stats().commands, commands);
}

async fn the_echo_of_the_own_message_removes_nothing(shared: &Shared) {
    let source = Source::default();
    let here = trusting(shared.process(), shared, &source).await;
    here.scope(change(7, &source, 2)).await;
    assert_eq!(call(&here, &source).await, 2);
    let elsewhere = shared.process();
    // When this is here, the echo was, too.
    let other = here.scope(number(8, &source)).await;
    assert_eq!(other, 2);
    elsewhere.scope(change(8, &source, 3)).await;
    until(async || here.scope(number(8, &source)).await == 3).await;
    let commands = here.stats().commands;
    assert_eq!(call(&here, &source).await, 2);
    assert_eq!(here.stats().commands, commands);
}

async fn a_service_without_millpond_takes_part_with_one_publish(shared: &Shared) {
    let source = Source::default();
    let here = trusting(shared.process(), shared, &source).await;
    source.set(2);
    let deleted = shared.database.command(["DEL", "number:7"]).await;
    deleted.expect("it is deleted");
    shared.publish(r#"{"v":1,"keys":["number:7"]}"#).await;
    until(async || call(&here, &source).await == 2).await;
}

async fn a_message_of_another_version_is_no_promise(shared: &Shared) {
    let source = Source::default();
    let here = trusting(shared.process(), shared, &source).await;
    shared.publish(r#"{"v":2,"forget":"something"}"#).await;
    // What it forgets is not known here, so that the store is asked again.
    let commands = here.stats().commands;
    until(async || {
        call(&here, &source).await;
        here.stats().commands > commands
    })
    .await;
    assert_eq!(here.stats().prefix("number").loads, 1);
}

async fn garbage_on_the_channel_is_ignored(shared: &Shared) {
    let source = Source::default();
    let here = trusting(shared.process(), shared, &source).await;
    let commands = here.stats().commands;
    let long = "x".repeat(100_000);
    for garbage in [
        "",
        "hello",
        "[]",
        "{\"keys\":[\"number:7\"]}",
        "\u{0}\u{1}",
        &long,
    ] {
        shared.publish(garbage).await;
    }
    // When this is here, all of that was.
    let elsewhere = shared.process();
    here.scope(number(8, &source)).await;
    let read = here.stats().commands - commands;
    elsewhere.scope(change(8, &source, 3)).await;
    until(async || here.scope(number(8, &source)).await == 3).await;
    let commands = here.stats().commands;
    assert!(read > 0);
    assert_eq!(call(&here, &source).await, 0);
    assert_eq!(here.stats().commands, commands);
    assert_eq!(here.stats().backplane_foreign, 6);
}

async fn a_connection_that_is_cut_is_no_longer_trusted(shared: &Shared) {
    let source = Source::default();
    let proxy = shared.proxy().await;
    let builder = shared
        .behind(Some(&proxy))
        .budget(Duration::from_millis(300));
    let here = trusting(builder.build().expect("a pond"), shared, &source).await;
    proxy.refuse();
    proxy.cut();
    until(async || here.health().backplane().state() == HealthState::Degraded).await;
    let elsewhere = shared.process();
    elsewhere.scope(change(7, &source, 2)).await;
    // The message is lost. What was trusted is older than a value may be that nothing proves.
    assert_eq!(call(&here, &source).await, 2);
    proxy.accept();
    until(async || {
        call(&here, &source).await;
        here.health().backplane().state() == HealthState::Up
    })
    .await;
    elsewhere.scope(change(7, &source, 3)).await;
    until(async || call(&here, &source).await == 3).await;
}

async fn a_subscriber_that_is_stalled_is_trusted_no_longer_than_its_last_proof(shared: &Shared) {
    let source = Source::default();
    let proxy = shared.proxy().await;
    let builder = shared
        .behind(Some(&proxy))
        .budget(Duration::from_millis(300));
    let here = trusting(builder.build().expect("a pond"), shared, &source).await;
    let stall = proxy.stall();
    let elsewhere = shared.process();
    elsewhere.scope(change(7, &source, 2)).await;
    // The connection looks alive; the message waits somewhere. That long the value may be old, and no longer.
    assert_eq!(call(&here, &source).await, 0);
    shared.clock.advance(SILENT);
    assert_eq!(call(&here, &source).await, 2);
    stall.release().await;
}

async fn without_a_backplane_values_are_used_for_a_second(shared: &Shared) {
    let source = Source::default();
    let here = shared.builder().backplane(false).build().expect("a pond");
    call(&here, &source).await;
    let elsewhere = shared.process();
    elsewhere.scope(change(7, &source, 2)).await;
    let health = here.health();
    assert!(health.backplane().sentence().starts_with("off"), "{health}");
    let why = here.explain("number:7").await.expect("an explanation");
    assert!(
        why.local_age().is_some() && !why.is_local_doubted(),
        "{why}"
    );
    assert!(
        why.to_string()
            .contains("calls return it without asking the store"),
        "{why}"
    );
    shared.clock.advance(Duration::from_millis(900));
    assert_eq!(call(&here, &source).await, 0);
    shared.clock.advance(Duration::from_millis(200));
    let why = here.explain("number:7").await.expect("an explanation");
    assert!(why.is_local_doubted(), "{why}");
    assert_eq!(call(&here, &source).await, 2);
}

#[tokio::test]
async fn typescript_tells_and_is_told() {
    needs_npm!();
    let shared = Shared::over_rest(needs_redis!()).await;
    let gateway = shared.gateway.as_ref().expect("a gateway");
    within_a_minute(async {
        let source = Source::default();
        let here = trusting(shared.process(), &shared, &source).await;
        source.set(2);
        let deleted = shared.database.command(["DEL", "number:7"]).await;
        deleted.expect("it is deleted");
        node("told.mjs", &["publish", "number:7"], gateway).await;
        until(async || call(&here, &source).await == 2).await;
        let elsewhere = shared.process();
        let listener = node("told.mjs", &["listen", "1"], gateway);
        let change = async {
            gateway
                .wait_for(|requests| {
                    requests
                        .iter()
                        .any(|it| it.path == "/subscribe/millpond:moved")
                })
                .await;
            // It prints as soon as the first message is there, however many came before it listened.
            loop {
                elsewhere.scope(change(7, &source, 3)).await;
                settle().await;
            }
        };
        let said = tokio::select! {
            said = listener => said,
            () = change => unreachable!("it changes for ever"),
        };
        assert!(said.lines().any(|line| line == "number:7"), "{said}");
    })
    .await;
}

#[tokio::test]
async fn a_server_that_was_restarted_is_listened_to_again() {
    let _ = needs_redis!();
    let redis = RedisServer::start().expect("a server");
    let shared = Shared::over_resp(&redis);
    within_a_minute(async {
        let source = Source::default();
        let here = trusting(shared.process(), &shared, &source).await;
        redis.stop();
        until(async || here.health().backplane().state() == HealthState::Degraded).await;
        redis.restart().expect("it starts again");
        until(async || {
            call(&here, &source).await;
            here.health().backplane().state() == HealthState::Up
        })
        .await;
        let elsewhere = shared.process();
        elsewhere.scope(change(7, &source, 2)).await;
        until(async || call(&here, &source).await == 2).await;
    })
    .await;
}

#[tokio::test]
async fn a_server_that_refuses_subscriptions_is_reported_and_values_are_checked() {
    let _ = needs_redis!();
    let redis = RedisServer::start().expect("a server");
    let shared = Shared::over_resp(&redis);
    within_a_minute(async {
        let weak = [
            "ACL",
            "SETUSER",
            "weak",
            "on",
            ">secret",
            "~*",
            "+@all",
            "resetchannels",
        ];
        shared.database.command(weak).await.expect("a user");
        let url = shared
            .database
            .url()
            .replace("redis://", "redis://weak:secret@");
        let process = || {
            Millpond::builder()
                .redis(&url)
                .budget(LONG)
                .clock(shared.clock.clone())
        };
        let here = process().build().expect("a pond");
        let source = Source::default();
        call(&here, &source).await;
        until(async || here.health().backplane().sentence().contains("NOPERM")).await;
        let sentence = here.health().backplane().to_string();
        assert!(sentence.starts_with("degraded"), "{sentence}");
        assert!(!sentence.contains("secret"), "{sentence}");
        // It may not publish either, which does not keep it from invalidating.
        let elsewhere = process().build().expect("a pond");
        elsewhere.scope(change(7, &source, 2)).await;
        assert_eq!(elsewhere.stats().pending_invalidations, 0);
        shared.clock.advance(DOUBTED);
        assert_eq!(call(&here, &source).await, 2);
    })
    .await;
}
