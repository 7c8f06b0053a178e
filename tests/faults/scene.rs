//! A server, what stands in front of it, and the process that talks to it.

use millpond::{ManualClock, Millpond};
use millpond_gateway::{Database, Fault, Gateway, Hold, Matcher, RedisServer, Relay, Request};
use std::cell::Cell;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Engine {
    Rest,
    Resp,
}

/// What records the requests and spoils the answers.
enum Front {
    Rest(Gateway),
    Resp(Relay),
}

pub(crate) struct Scene {
    pub(crate) engine: Engine,
    front: Front,
    server: RedisServer,
    /// Where a failover leads.
    other: RedisServer,
    has_failed_over: Cell<bool>,
}

/// By REST as by RESP, and the same for limits.
pub(crate) const BUDGET: Duration = Duration::from_secs(5);

macro_rules! front {
    ($scene:ident, $front:ident => $what:expr) => {
        match &$scene.front {
            Front::Rest($front) => $what,
            Front::Resp($front) => $what,
        }
    };
}

impl Scene {
    pub(crate) async fn start(engine: Engine) -> Self {
        let [server, other] = [(); 2].map(|()| RedisServer::start().unwrap());
        let front = match engine {
            Engine::Rest => Front::Rest(Gateway::start(&server.database()).await.unwrap()),
            Engine::Resp => Front::Resp(Relay::start(server.port()).await.unwrap()),
        };
        Self {
            engine,
            front,
            server,
            other,
            has_failed_over: Cell::default(),
        }
    }

    /// A process that starts now. It tries three times in all, and the pauses take no time.
    pub(crate) fn process(&self, clock: &ManualClock, budget: Duration) -> Millpond {
        let builder = match &self.front {
            Front::Rest(gateway) => Millpond::builder().upstash(gateway.url(), gateway.token()),
            Front::Resp(relay) => {
                Millpond::builder().redis(format!("redis://127.0.0.1:{}", relay.port()))
            }
        };
        let builder = builder.retries(2).backoff(Duration::from_millis(1));
        let builder = builder.budget(budget).limit_budget(BUDGET);
        let builder = builder.limit_analytics(false).ttl_jitter(0.0);
        builder.clock(clock.clone()).build().unwrap()
    }

    /// What a command does past everything that may be broken.
    pub(crate) async fn command(&self, command: &[&str]) -> millpond_gateway::Reply {
        self.database().command(command).await.unwrap()
    }

    fn database(&self) -> Database {
        let server = if self.has_failed_over.get() {
            &self.other
        } else {
            &self.server
        };
        Database::at(server.port(), 0)
    }

    /// The server as it was at the beginning: well, empty, and without scripts.
    pub(crate) async fn reset(&self) {
        self.heal().await;
        self.has_failed_over.set(false);
        if let Front::Resp(relay) = &self.front {
            relay.lead_to(self.server.port());
        }
        for server in [&self.server, &self.other] {
            for command in [&["FLUSHALL"][..], &["SCRIPT", "FLUSH"]] {
                let database = Database::at(server.port(), 0);
                database.command(command).await.unwrap();
            }
        }
    }

    /// Ends what is wrong.
    pub(crate) async fn heal(&self) {
        front!(self, front => front.heal());
        match &self.front {
            Front::Rest(gateway) => gateway.accept().await,
            Front::Resp(relay) => relay.accept(),
        }
        let server = Database::at(self.server.port(), 0);
        server.command(["REPLICAOF", "NO", "ONE"]).await.unwrap();
        server
            .command(["CONFIG", "SET", "maxmemory", "0"])
            .await
            .unwrap();
    }

    pub(crate) fn inject(&self, matcher: Matcher, fault: Fault) {
        front!(self, front => front.inject(matcher, fault));
    }

    pub(crate) fn hold(&self, matcher: Matcher) -> Hold {
        front!(self, front => front.hold(matcher))
    }

    pub(crate) fn hold_before(&self, matcher: Matcher) -> Hold {
        front!(self, front => front.hold_before(matcher))
    }

    pub(crate) async fn drips(&self) {
        front!(self, front => front.drips(3).await);
    }

    pub(crate) fn clear(&self) {
        front!(self, front => front.clear());
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        front!(self, front => front.requests())
    }

    /// No connection is to be had.
    pub(crate) async fn refuse(&self) {
        match &self.front {
            Front::Rest(gateway) => gateway.refuse().await,
            Front::Resp(relay) => relay.refuse(),
        }
    }

    /// What is on its way is lost.
    pub(crate) async fn cut(&self) {
        match &self.front {
            Front::Rest(gateway) => gateway.cut().await,
            Front::Resp(relay) => relay.cut(),
        }
    }

    /// The server starts anew: connections, data and scripts are gone.
    pub(crate) async fn restart(&self) {
        match &self.front {
            Front::Rest(gateway) => {
                self.command(&["FLUSHALL"]).await;
                self.command(&["SCRIPT", "FLUSH"]).await;
                gateway.cut().await;
            }
            Front::Resp(_) => {
                self.server.stop();
                self.server.restart().unwrap();
            }
        }
    }

    /// The primary becomes a replica, open connections stay, and the name leads to the new primary.
    pub(crate) async fn fail_over(&self) {
        self.become_a_replica().await;
        self.has_failed_over.set(true);
        if let Front::Resp(relay) = &self.front {
            relay.lead_to(self.other.port());
        }
    }

    pub(crate) async fn become_a_replica(&self) {
        // Of nobody who answers, so that it keeps what it has.
        self.command(&["REPLICAOF", "127.0.0.1", "1"]).await;
    }

    /// Everything is gone that stands beside values: guards and the nonces of tags.
    pub(crate) async fn evict_companions(&self) {
        let keys = self.command(&["KEYS", "*"]).await;
        let millpond_gateway::Reply::Array(keys) = keys else {
            panic!("{keys:?}");
        };
        for key in keys.iter().filter_map(millpond_gateway::Reply::text) {
            if key.contains("guard") || key.contains("@tag") {
                self.command(&["DEL", &key]).await;
            }
        }
    }
}
