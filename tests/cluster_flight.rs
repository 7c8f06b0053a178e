//! `flight = "cluster"`: one load of a key serves all processes, and whoever loads may vanish, stall or fail.
//!
//! What a process does that is killed or stopped, processes show; the rest is the same for two `Millpond`s of one
//! process, whose flights know nothing of each other.

#![cfg(all(feature = "upstash", feature = "redis"))]

mod support;

use futures_util::future::{FutureExt as _, join_all, select_all};
use millpond::{Builder, Millpond, cached, invalidates};
use millpond_gateway::{Database, Gateway, Hold, Matcher, RedisServer, Relay, Request};
use std::convert::Infallible;
use std::time::Duration;
use support::process::{Process, orders, say};
use support::source::{Bodies, Body, Source, source};
use support::{LONG, settle, within_a_minute};
use tokio::task::JoinHandle;

/// What a body is told to come to.
#[derive(Clone)]
enum Answer {
    Value(String),
    Error,
    Panic,
}

fn value(text: &str) -> Answer {
    Answer::Value(text.to_owned())
}

#[derive(Debug, PartialEq, Eq)]
struct Failed;

impl From<millpond::Error> for Failed {
    fn from(_: millpond::Error) -> Self {
        Self
    }
}

#[cached(
    prefix = "cold",
    key = "<id>",
    flight = "cluster",
    null = false,
    unless = |value: &Option<String>| value.as_deref() == Some("secret"),
    skip(source)
)]
async fn read(id: u32, source: &Source<Answer>) -> Result<Option<String>, Failed> {
    match source.answer().await {
        Answer::Value(text) if text == "none" => Ok(None),
        Answer::Value(text) => Ok(Some(text)),
        Answer::Error => Err(Failed),
        Answer::Panic => panic!("as it was told"),
    }
}

#[invalidates(read(id))]
async fn change(id: u32) -> Result<(), Infallible> {
    Ok(())
}

type Call = JoinHandle<Result<Option<String>, Failed>>;

fn call(pond: &Millpond, source: &Source<Answer>) -> Call {
    let source = source.clone();
    pond.spawn(async move { read(1, &source).await })
}

/// The text that a call returned.
async fn text(call: Call) -> String {
    call.await.unwrap().unwrap().unwrap()
}

/// A database, and what shows the commands that it gets.
enum Server {
    Rest(Gateway),
    Resp(Relay, Database),
}

impl Server {
    async fn rest(redis: &RedisServer) -> Self {
        Self::Rest(support::gateway(redis).await)
    }

    async fn resp(redis: &RedisServer) -> Self {
        let relay = Relay::start(redis.port()).await.unwrap();
        let database = redis.database().behind(relay.port());
        Self::Resp(relay, database)
    }

    fn builder(&self) -> Builder {
        let builder = match self {
            Self::Rest(gateway) => Millpond::builder().upstash(gateway.url(), gateway.token()),
            Self::Resp(_, database) => Millpond::builder().redis(database.url()),
        };
        builder.budget(LONG)
    }

    fn pond(&self) -> Millpond {
        self.builder().build().unwrap()
    }

    /// Runs what fits and withholds its answer.
    fn hold(&self, matcher: Matcher) -> Hold {
        match self {
            Self::Rest(gateway) => gateway.hold(matcher),
            Self::Resp(relay, _) => relay.hold(matcher),
        }
    }

    /// Closes every connection, and each new one.
    async fn refuse(&self) {
        match self {
            Self::Rest(gateway) => gateway.refuse().await,
            Self::Resp(relay, _) => relay.refuse(),
        }
    }

    async fn accept(&self) {
        match self {
            Self::Rest(gateway) => gateway.accept().await,
            Self::Resp(relay, _) => relay.accept(),
        }
    }

    fn process(&self) -> Process {
        let (url, token) = match self {
            Self::Rest(gateway) => (gateway.url(), gateway.token()),
            Self::Resp(_, database) => (database.url(), ""),
        };
        Process::start(
            "a_process_of_the_cluster",
            &[("CLUSTER_URL", &url), ("CLUSTER_TOKEN", token)],
        )
    }

    /// What is withheld when so many others find the lease taken.
    fn others(&self, number: usize) -> Vec<Hold> {
        // Where the lease is taken, its token is read.
        (0..number)
            .map(|_| self.hold(Matcher::when(looks_at_the_lease)))
            .collect()
    }
}

const LEASE: &str = "{cold:1}:lease";

fn looks_at_the_lease(request: &Request) -> bool {
    let looks = |command: &Vec<String>| command == &["GET", LEASE];
    request.commands.iter().any(looks)
}

fn renews_the_lease(request: &Request) -> bool {
    let renews = |command: &Vec<String>| {
        // The name, the script, the number of keys, the key, the token and the time.
        command.len() == 6 && command[0] == "EVALSHA" && command[3] == LEASE
    };
    request.commands.iter().any(renews)
}

/// All of them wait for whoever has the lease.
async fn all_wait(others: Vec<Hold>) {
    // One after another is held until the last has come: none of them looks twice.
    join_all(others.iter().map(Hold::arrived)).await;
    others.into_iter().for_each(Hold::release);
}

/// The part of the other processes.
#[tokio::test]
#[ignore = "the other tests run it in a process of its own"]
async fn a_process_of_the_cluster() {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let (url, token) = (variable("CLUSTER_URL"), variable("CLUSTER_TOKEN"));
    if url.is_empty() {
        return;
    }
    let builder = match token.as_str() {
        "" => Millpond::builder().redis(url),
        token => Millpond::builder().upstash(url, token),
    };
    let pond = builder.budget(LONG).build().unwrap();
    let (source, mut bodies) = source();
    let mut orders = orders();
    let mut running = Vec::new();
    loop {
        tokio::select! {
            order = orders.recv() => {
                let Some(order) = order else { return };
                let (order, argument) = order.split_once(' ').unwrap();
                match order {
                    "call" => {
                        let calls = (0..argument.parse().unwrap()).map(|_| text(call(&pond, &source)));
                        let calls: Vec<_> = calls.collect();
                        tokio::spawn(async move {
                            let mut values = join_all(calls).await;
                            let number = values.len();
                            values.dedup();
                            say(&format!("{number} {}", values.join(" ")));
                        });
                    }
                    "answer" => running.pop().map_or((), |body: Body<_>| body.answer(value(argument))),
                    unknown => panic!("nobody taught me to {unknown}"),
                }
            }
            body = bodies.next() => {
                running.push(body);
                say("body");
            }
        }
    }
}

/// Four of them, and what they say.
struct Cluster(Vec<Option<Process>>);

const PROCESSES: usize = 4;

impl Cluster {
    fn start(server: &Server) -> Self {
        Self((0..PROCESSES).map(|_| Some(server.process())).collect())
    }

    async fn tell(&mut self, which: usize, order: &str) {
        self.0[which].as_mut().unwrap().tell(order).await;
    }

    async fn tell_all(&mut self, order: &str) {
        for process in self.0.iter_mut().flatten() {
            process.tell(order).await;
        }
    }

    /// The next line of any of them, and whose it is.
    async fn says(&mut self) -> (usize, String) {
        let processes = self.0.iter_mut().enumerate();
        let lines = processes.filter_map(|(at, process)| {
            let process = process.as_mut()?;
            Some(process.says().map(move |line| (at, line)).boxed())
        });
        select_all(lines).await.0
    }

    /// Everybody calls at once; whose body runs, once the others wait for it.
    async fn cold_key(&mut self, server: &Server, calls: usize) -> usize {
        let others = server.others(PROCESSES - 1);
        self.tell_all(&format!("call {calls}")).await;
        let (holder, said) = self.says().await;
        assert_eq!(said, "body");
        all_wait(others).await;
        holder
    }

    /// So many of them return this, and no other body begins.
    async fn all_return(&mut self, number: usize, line: &str) {
        for _ in 0..number {
            assert_eq!(self.says().await.1, line);
        }
    }

    async fn end(self) {
        for process in self.0.into_iter().flatten() {
            process.end().await;
        }
    }
}

/// Runs a test over REST and over RESP.
macro_rules! on_both {
    ($($test:ident)*) => {
        mod rest {
            $(#[tokio::test]
            async fn $test() {
                let redis = millpond_gateway::needs_redis!();
                super::within_a_minute(super::$test(super::Server::rest(redis).await)).await;
            })*
        }

        mod resp {
            $(#[tokio::test]
            async fn $test() {
                let redis = millpond_gateway::needs_redis!();
                super::within_a_minute(super::$test(super::Server::resp(redis).await)).await;
            })*
        }
    };
}

on_both! {
    one_body_serves_four_processes_of_a_thousand_callers
    when_the_holder_is_killed_exactly_one_process_takes_over
    a_holder_that_was_stopped_stores_nothing_over_a_newer_value
    a_load_that_fails_lets_all_who_wait_go_at_once
    a_value_that_is_not_stored_lets_all_who_wait_go_at_once
    a_panic_lets_all_who_wait_go_at_once
    a_value_that_was_refused_lets_all_who_wait_go_at_once
    a_call_that_is_dropped_hands_the_lease_on
    a_holder_that_nobody_polls_loses_the_lease
    a_long_body_keeps_the_lease
    a_process_waits_no_longer_than_flight_wait
    without_the_database_each_process_loads_for_itself
    an_outage_lets_those_who_wait_load_for_themselves
}

async fn one_body_serves_four_processes_of_a_thousand_callers(server: Server) {
    let mut cluster = Cluster::start(&server);
    let holder = cluster.cold_key(&server, 1_000).await;
    cluster.tell(holder, "answer loaded").await;
    cluster.all_return(PROCESSES, "1000 loaded").await;
    cluster.end().await;
}

async fn when_the_holder_is_killed_exactly_one_process_takes_over(server: Server) {
    let mut cluster = Cluster::start(&server);
    let holder = cluster.cold_key(&server, 50).await;
    let killed = cluster.0[holder].take().unwrap();
    killed.signal("KILL").await;
    let (next, said) = cluster.says().await;
    assert_eq!(said, "body");
    cluster.tell(next, "answer loaded").await;
    cluster.all_return(PROCESSES - 1, "50 loaded").await;
    cluster.end().await;
}

async fn a_holder_that_was_stopped_stores_nothing_over_a_newer_value(server: Server) {
    let mut cluster = Cluster::start(&server);
    let holder = cluster.cold_key(&server, 50).await;
    cluster.0[holder].as_ref().unwrap().signal("STOP").await;
    let (next, said) = cluster.says().await;
    assert_eq!(said, "body");
    cluster.tell(next, "answer new").await;
    cluster.all_return(PROCESSES - 1, "50 new").await;
    cluster.0[holder].as_ref().unwrap().signal("CONT").await;
    cluster.tell(holder, "answer old").await;
    // Its callers joined before its body began.
    assert_eq!(cluster.says().await, (holder, "50 old".to_owned()));
    cluster.tell_all("call 1").await;
    cluster.all_return(PROCESSES, "1 new").await;
    cluster.end().await;
}

/// Three processes, of which the first loads and the others wait for it.
struct Three {
    calls: Vec<Call>,
    bodies: Bodies<Answer>,
    _ponds: Vec<Millpond>,
}

impl Three {
    async fn start(server: &Server) -> (Self, Body<Answer>) {
        Self::start_with(server, LONG).await
    }

    async fn start_with(server: &Server, budget: Duration) -> (Self, Body<Answer>) {
        let (source, mut bodies) = source();
        let pond = |_| server.builder().budget(budget).build().unwrap();
        let ponds: Vec<_> = (0..3).map(pond).collect();
        let mut calls = vec![call(&ponds[0], &source)];
        let body = bodies.next().await;
        let others = server.others(2);
        calls.extend(ponds[1..].iter().map(|pond| call(pond, &source)));
        all_wait(others).await;
        assert_eq!(bodies.count(), 0);
        let three = Self {
            calls,
            bodies,
            _ponds: ponds,
        };
        (three, body)
    }

    /// Both others run a body now, and neither waits for the other.
    async fn all_go(mut self) -> Vec<Call> {
        let second = self.bodies.next().await;
        let third = self.bodies.next().await;
        second.answer(value("second"));
        third.answer(value("second"));
        self.calls
    }
}

async fn a_load_that_fails_lets_all_who_wait_go_at_once(server: Server) {
    let (three, body) = Three::start(&server).await;
    body.answer(Answer::Error);
    let mut calls = three.all_go().await.into_iter();
    assert_eq!(calls.next().unwrap().await.unwrap(), Err(Failed));
    for call in calls {
        assert_eq!(text(call).await, "second");
    }
}

async fn a_value_that_is_not_stored_lets_all_who_wait_go_at_once(server: Server) {
    for (answer, returned) in [("none", None), ("secret", Some("secret".to_owned()))] {
        let (three, body) = Three::start(&server).await;
        body.answer(value(answer));
        let mut calls = three.all_go().await.into_iter();
        assert_eq!(calls.next().unwrap().await.unwrap(), Ok(returned));
        for call in calls {
            assert_eq!(text(call).await, "second");
        }
        // What is stored now, and the mark that let them go, are not there for the next one.
        let pond = server.pond();
        pond.scope(change(1)).await.unwrap();
        pond.delete(LEASE).await.unwrap();
    }
}

async fn a_panic_lets_all_who_wait_go_at_once(server: Server) {
    let (three, body) = Three::start(&server).await;
    body.answer(Answer::Panic);
    let mut calls = three.all_go().await.into_iter();
    assert!(calls.next().unwrap().await.unwrap_err().is_panic());
    for call in calls {
        assert_eq!(text(call).await, "second");
    }
}

async fn a_value_that_was_refused_lets_all_who_wait_go_at_once(server: Server) {
    let (three, body) = Three::start(&server).await;
    // In another process: this one must not notice.
    server.pond().scope(change(1)).await.unwrap();
    body.answer(value("first"));
    let mut calls = three.all_go().await.into_iter();
    assert_eq!(text(calls.next().unwrap()).await, "first");
    for call in calls {
        assert_eq!(text(call).await, "second");
    }
}

async fn a_call_that_is_dropped_hands_the_lease_on(server: Server) {
    let (mut three, _body) = Three::start(&server).await;
    three.calls.remove(0).abort();
    let second = three.bodies.next().await;
    settle().await;
    assert_eq!(three.bodies.count(), 0);
    second.answer(value("second"));
    for call in three.calls {
        assert_eq!(text(call).await, "second");
    }
    assert_eq!(three.bodies.count(), 0);
}

async fn a_holder_that_nobody_polls_loses_the_lease(server: Server) {
    let (source, mut bodies) = source();
    let (first, second) = (server.pond(), server.pond());
    let mut held = Box::pin(first.scope(read(1, &source)));
    let begun = tokio::select! {
        body = bodies.next() => body,
        _ = &mut held => unreachable!("nobody answered"),
    };
    // Kept, and not polled from here on.
    let other = call(&second, &source);
    let body = bodies.next().await;
    body.answer(value("new"));
    assert_eq!(text(other).await, "new");
    begun.answer(value("old"));
    assert_eq!(held.await.unwrap().as_deref(), Some("old"));
    let stored: Option<String> = second.get("cold:1").await.unwrap();
    assert_eq!(stored.as_deref(), Some("new"));
}

async fn a_long_body_keeps_the_lease(server: Server) {
    // As often as it takes for the first three seconds to be over twice.
    let renewals: Vec<_> = (0..6)
        .map(|_| server.hold(Matcher::when(renews_the_lease)))
        .collect();
    let (three, body) = Three::start(&server).await;
    for renewal in renewals {
        renewal.arrived().await;
        renewal.release();
        assert_eq!(three.bodies.count(), 0);
    }
    body.answer(value("first"));
    for call in three.calls {
        assert_eq!(text(call).await, "first");
    }
    assert_eq!(three.bodies.count(), 0);
}

async fn a_process_waits_no_longer_than_flight_wait(server: Server) {
    let (source, mut bodies) = source();
    let first = server.pond();
    let patience = Duration::from_millis(200);
    let second = server.builder().flight_wait(patience).build().unwrap();
    let slow = call(&first, &source);
    let begun = bodies.next().await;
    let quick = call(&second, &source);
    let body = bodies.next().await;
    body.answer(value("second"));
    assert_eq!(text(quick).await, "second");
    begun.answer(value("first"));
    assert_eq!(text(slow).await, "first");
    let stored: Option<String> = first.get("cold:1").await.unwrap();
    assert_eq!(stored.as_deref(), Some("second"));
}

/// What a call may wait for a database that is gone.
const BRIEF: Duration = Duration::from_millis(300);

async fn without_the_database_each_process_loads_for_itself(server: Server) {
    let (source, mut bodies) = source();
    server.refuse().await;
    let mut calls = Vec::new();
    for _ in 0..3 {
        let pond = server.builder().budget(BRIEF).build().unwrap();
        calls.extend((0..100).map(|_| call(&pond, &source)));
    }
    let begun = [
        bodies.next().await,
        bodies.next().await,
        bodies.next().await,
    ];
    for body in begun {
        body.answer(value("loaded"));
    }
    for call in calls {
        assert_eq!(text(call).await, "loaded");
    }
    assert_eq!(bodies.count(), 0);
}

async fn an_outage_lets_those_who_wait_load_for_themselves(server: Server) {
    let (three, body) = Three::start_with(&server, BRIEF).await;
    server.refuse().await;
    let calls = three.all_go().await;
    server.accept().await;
    body.answer(value("first"));
    let mut values = Vec::new();
    for call in calls {
        values.push(text(call).await);
    }
    assert_eq!(values, ["first", "second", "second"]);
}

#[tokio::test]
async fn in_memory_there_is_one_process_and_no_lease() {
    let (source, mut bodies) = source();
    let pond = Millpond::memory();
    let calls: Vec<_> = (0..1_000).map(|_| call(&pond, &source)).collect();
    let body = bodies.next().await;
    assert!(!pond.exists(LEASE).await.unwrap());
    body.answer(value("loaded"));
    for call in calls {
        assert_eq!(text(call).await, "loaded");
    }
    assert_eq!(bodies.count(), 0);
}
