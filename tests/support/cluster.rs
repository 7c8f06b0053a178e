//! A Redis Cluster of three nodes, in processes of their own.

#![cfg(feature = "redis")]

use millpond::{Builder, Millpond};
use millpond_gateway::{Database, RedisServer, Reply, ports};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// The slots of each node.
const RANGES: [(i64, i64); 3] = [(0, 5_460), (5_461, 10_922), (10_923, 16_383)];

pub(crate) struct Cluster {
    pub(crate) ports: [u16; 3],
    nodes: Vec<RedisServer>,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let nodes = RANGES.map(|_| node());
        let ports = nodes.each_ref().map(RedisServer::port);
        for (port, (from, to)) in ports.into_iter().zip(RANGES) {
            let (from, to) = (from.to_string(), to.to_string());
            answer(port, &["CLUSTER", "ADDSLOTSRANGE", &from, &to], "OK").await;
        }
        for node in &nodes {
            meet(&ports, node).await;
        }
        for port in ports {
            answer(port, &["CLUSTER", "INFO"], "cluster_state:ok").await;
        }
        Self {
            ports,
            nodes: nodes.into(),
        }
    }

    pub(crate) fn builder(&self) -> Builder {
        Millpond::builder()
            .redis_cluster(self.ports.map(|port| format!("redis://127.0.0.1:{port}")))
            .budget(MINUTE)
    }

    pub(crate) fn pond(&self) -> Millpond {
        self.builder().build().unwrap()
    }

    /// The place of the node that has this key.
    pub(crate) async fn node_of(&self, key: &str) -> usize {
        let command = ["CLUSTER", "KEYSLOT", key];
        let slot = Database::at(self.ports[0], 0).command(command).await;
        let Ok(Reply::Int(slot)) = slot else {
            panic!("{slot:?} is no slot");
        };
        RANGES
            .iter()
            .position(|(_, last)| slot <= *last)
            .expect("a node")
    }

    /// A further node, which follows the one at this place until that is gone.
    pub(crate) async fn replica_of(&mut self, followed: usize) -> u16 {
        let replica = node();
        let port = replica.port();
        meet(&self.ports[..1], &replica).await;
        self.nodes.push(replica);
        let id = id(self.ports[followed]).await;
        answer(port, &["CLUSTER", "NODES"], &id).await;
        answer(port, &["CLUSTER", "REPLICATE", &id], "OK").await;
        answer(port, &["INFO", "replication"], "master_link_status:up").await;
        let own = self::id(port).await;
        for other in self.ports {
            answer(other, &["CLUSTER", "REPLICAS", &id], &own).await;
        }
        port
    }

    /// Ends the process of a node.
    pub(crate) fn kill(&self, node: usize) {
        self.nodes[node].stop();
    }
}

/// Starts a node that knows no other.
fn node() -> RedisServer {
    let arguments = || {
        Ok(vec![
            ("--cluster-enabled", "yes".to_owned()),
            ("--cluster-require-full-coverage", "no".to_owned()),
            ("--cluster-port", ports::free()?.to_string()),
        ])
    };
    RedisServer::start_with(arguments).expect("a node starts")
}

/// Makes nodes and another one know each other.
async fn meet(ports: &[u16], other: &RedisServer) {
    let wanted = ["CONFIG", "GET", "cluster-port"];
    let settings = Database::at(other.port(), 0).command(wanted).await;
    let Ok(Reply::Array(setting)) = settings else {
        panic!("{settings:?} is no setting");
    };
    let bus = setting.last().and_then(Reply::text).expect("a port");
    let other = other.port().to_string();
    for port in ports {
        answer(*port, &["CLUSTER", "MEET", "127.0.0.1", &other, &bus], "OK").await;
    }
}

/// The name of a node.
pub(crate) async fn id(port: u16) -> String {
    loop {
        let asked = Database::at(port, 0).command(["CLUSTER", "MYID"]).await;
        if let Ok(reply) = asked {
            return reply.text().expect("a name");
        }
        tokio::task::yield_now().await;
    }
}

/// Asks a node until it says this.
pub(crate) async fn answer(port: u16, command: &[&str], wanted: &str) {
    let mut last = String::new();
    let asked = async {
        loop {
            let reply = Database::at(port, 0).command(command).await;
            last = format!("{reply:?}");
            if last.contains(wanted) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(MINUTE, asked).await;
    assert!(in_time.is_ok(), "{command:?} gives {wanted}, not {last}");
}
