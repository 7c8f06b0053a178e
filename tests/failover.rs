//! A server that closes connections, comes back, or stops being the one that takes writes: what had not
//! left goes to where the name leads now, and no caller is told that its command may have run.

#![cfg(feature = "redis")]

mod support;

use millpond::limit::{Limit, OnOutage};
use millpond::{ErrorKind, Millpond, Reply};
use millpond_gateway::{Database, RedisServer, needs_redis};
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use support::within_a_minute;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

const MINUTE: Duration = Duration::from_secs(60);

fn pond(url: String) -> Millpond {
    let builder = Millpond::builder().redis(url).budget(support::LONG);
    builder.build().unwrap()
}

/// A name that leads to one server for connections that are open, and to another for new ones.
struct Name {
    port: u16,
    leads_to: Arc<AtomicU16>,
}

impl Name {
    async fn of(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let leads_to = Arc::new(AtomicU16::new(server));
        let target = Arc::clone(&leads_to);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let port = target.load(Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
                    copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        Self { port, leads_to }
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn lead_to(&self, server: &RedisServer) {
        self.leads_to.store(server.port(), Ordering::SeqCst);
    }
}

/// `old` becomes a replica of `new`; connections to it stay open.
async fn demote(old: &RedisServer, new: &RedisServer) {
    let old = Database::at(old.port(), 0);
    let port = new.port().to_string();
    let command = ["REPLICAOF", "127.0.0.1", &port];
    old.command(command).await.unwrap();
    let refused = old.command(["SET", "x", "1"]).await.unwrap();
    assert!(format!("{refused:?}").contains("READONLY"), "{refused:?}");
}

#[tokio::test]
async fn a_primary_that_became_a_replica_is_left_for_the_one_its_name_leads_to() {
    let _ = needs_redis!();
    let [old, new] = [(); 2].map(|()| RedisServer::start().unwrap());
    let name = Name::of(old.port()).await;
    let pond = pond(name.url());
    assert_eq!(pond.increment("n", 1, MINUTE).await.unwrap(), 1);
    demote(&old, &new).await;
    name.lead_to(&new);
    within_a_minute(async {
        // What must not run twice, a script, a transaction, a limit, a lock and a cached value.
        assert_eq!(pond.increment("n", 1, MINUTE).await.unwrap(), 1);
        for kind in ["set", "transaction", "limit", "lock", "fill"] {
            demote_again(&pond, &name, &old, &new).await;
            match kind {
                "set" => pond.set("k", &1, MINUTE).await.unwrap(),
                "transaction" => {
                    let both = pond
                        .transaction()
                        .command(["INCR", "t"])
                        .command(["INCR", "t"]);
                    assert_eq!(both.send().await.unwrap().len(), 2);
                }
                "limit" => {
                    let limit = Limit::fixed_window("FAILOVER", 2, MINUTE);
                    let limiter = pond.limiter(&limit.on_outage(OnOutage::Deny));
                    assert!(limiter.check("ada").await.unwrap().is_allowed());
                }
                "lock" => assert!(
                    pond.lock("l", MINUTE)
                        .await
                        .unwrap()
                        .release()
                        .await
                        .unwrap()
                ),
                _ => {
                    let load = async || Ok::<_, std::io::Error>(7);
                    assert_eq!(pond.get_or_set("v", MINUTE, load).await.unwrap(), 7);
                    assert_eq!(pond.get("v").await.unwrap(), Some(7));
                }
            }
        }
    })
    .await;
}

/// The pond is on `old` while that still takes writes, which then becomes a replica.
async fn demote_again(pond: &Millpond, name: &Name, old: &RedisServer, new: &RedisServer) {
    Database::at(old.port(), 0)
        .command(["REPLICAOF", "NO", "ONE"])
        .await
        .unwrap();
    name.lead_to(old);
    kill_clients(new.port());
    // The name is a task of this runtime, so the end of the connection takes a moment to come through;
    // a read may be repeated meanwhile.
    pond.get::<u32>("there").await.unwrap();
    pond.command(["INCR", "here"]).await.unwrap();
    demote(old, new).await;
    name.lead_to(new);
}

#[tokio::test]
async fn while_no_primary_is_there_the_error_says_so_and_nothing_is_unknown() {
    let _ = needs_redis!();
    let [old, new] = [(); 2].map(|()| RedisServer::start().unwrap());
    let name = Name::of(old.port()).await;
    let pond = Millpond::builder()
        .redis(name.url())
        .retries(2)
        .build()
        .unwrap();
    pond.command(["INCR", "n"]).await.unwrap();
    demote(&old, &new).await;
    let error = pond.command(["INCR", "n"]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server, "{error}");
    assert!(error.to_string().starts_with("READONLY"), "{error}");
    name.lead_to(&new);
    let retried = within_a_minute(pond.command(["INCR", "n"])).await;
    assert_eq!(retried.unwrap(), Reply::Int(1));
}

/// Closes every connection of clients, without letting the runtime of the test look for events.
fn kill_clients(port: u16) {
    let mut socket = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    socket
        .write_all(b"CLIENT KILL TYPE normal SKIPME yes\r\n")
        .unwrap();
    let mut answer = [0; 16];
    assert!(socket.read(&mut answer).unwrap() > 0);
}

async fn nothing_is_unknown_after_idle_connections_were_closed(pond: &Millpond, port: u16) {
    for round in 1..=30 {
        kill_clients(port);
        let count = pond.increment("n", 1, MINUTE).await;
        assert_eq!(count.unwrap(), round, "at once");
        kill_clients(port);
        tokio::task::yield_now().await;
        pond.set("k", &round, MINUTE).await.unwrap();
        kill_clients(port);
        let counts = (0..3).map(|_| pond.command(["INCR", "m"]));
        for reply in futures_util::future::join_all(counts).await {
            reply.unwrap();
        }
    }
    assert_eq!(
        pond.command(["GET", "m"]).await.unwrap(),
        Reply::Bulk("90".into())
    );
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_replaced_before_anything_leaves() {
    let _ = needs_redis!();
    let server = RedisServer::start().unwrap();
    let pond = pond(server.database().url());
    within_a_minute(nothing_is_unknown_after_idle_connections_were_closed(
        &pond,
        server.port(),
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_closed_while_idle_is_replaced_on_a_runtime_with_threads() {
    let _ = needs_redis!();
    let server = RedisServer::start().unwrap();
    let pond = pond(server.database().url());
    within_a_minute(nothing_is_unknown_after_idle_connections_were_closed(
        &pond,
        server.port(),
    ))
    .await;
}

#[tokio::test]
async fn without_retries_a_connection_closed_while_idle_is_replaced_as_well() {
    let _ = needs_redis!();
    let server = RedisServer::start().unwrap();
    let pond = Millpond::builder().redis(server.database().url());
    let pond = pond.budget(support::LONG).retries(0).build().unwrap();
    for round in 1..=10 {
        assert_eq!(
            pond.command(["INCR", "n"]).await.unwrap(),
            Reply::Int(round)
        );
        kill_clients(server.port());
    }
}

#[tokio::test]
async fn a_server_that_was_restarted_is_used_at_once() {
    let _ = needs_redis!();
    let server = RedisServer::start().unwrap();
    let pond = pond(server.database().url());
    for _ in 0..3 {
        assert_eq!(pond.increment("n", 1, MINUTE).await.unwrap(), 1);
        server.stop();
        server.restart().unwrap();
    }
}

/// The setting `timeout` of Redis, in seconds: the server closes what is idle for longer.
#[tokio::test]
async fn a_server_that_closes_what_is_idle_is_reached_again_before_anything_leaves() {
    let _ = needs_redis!();
    let server = RedisServer::start().unwrap();
    let pond = pond(server.database().url());
    let by_hand = Database::at(server.port(), 0);
    let timeout = ["CONFIG", "SET", "timeout", "1"];
    by_hand.command(timeout).await.unwrap();
    let all_are_closed = async || loop {
        let clients = by_hand.command(["INFO", "clients"]).await.unwrap();
        // The one that asks.
        if clients.text().unwrap().contains("connected_clients:1\r") {
            return;
        }
        tokio::task::yield_now().await;
    };
    let limit = Limit::fixed_window("IDLE", 10, MINUTE).on_outage(OnOutage::Deny);
    within_a_minute(async {
        for round in 1..=2 {
            pond.get::<u32>("there").await.unwrap();
            all_are_closed().await;
            let count = pond.increment("n", 1, MINUTE).await;
            assert_eq!(count.unwrap(), round);
            all_are_closed().await;
            pond.set("k", &round, MINUTE).await.unwrap();
            all_are_closed().await;
            let decision = pond.limiter(&limit).check("ada").await.unwrap();
            assert!(decision.is_allowed());
        }
    })
    .await;
}

#[cfg(feature = "upstash")]
#[tokio::test]
async fn over_http_a_connection_closed_while_idle_is_replaced_before_anything_leaves() {
    let gateway = support::gateway(needs_redis!()).await;
    let pond = support::pond(&gateway);
    for round in 1..=50 {
        let count = pond.increment("n", 1, MINUTE).await;
        assert_eq!(count.unwrap(), round);
        gateway.cut().await;
    }
}
