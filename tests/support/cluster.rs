//! A Redis Cluster of three nodes, in processes of their own.

#![cfg(feature = "redis")]

use millpond::{Builder, Millpond};
use millpond_gateway::{Database, Reply};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

// The shell lives until its standard input ends, and with it the server: also when the test dies.
const NODE: &str = r#"
redis-server --port "$1" --cluster-port "$2" --dir "$3" --bind 127.0.0.1 --save '' --appendonly no \
    --cluster-enabled yes --cluster-require-full-coverage no </dev/null >/dev/null &
server=$!
cat
kill -9 "$server"
wait "$server"
rm -rf "$3"
"#;

/// The slots of each node.
const RANGES: [(i64, i64); 3] = [(0, 5_460), (5_461, 10_922), (10_923, 16_383)];

pub(crate) struct Cluster {
    pub(crate) ports: [u16; 3],
    pub(crate) shells: Vec<Child>,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let mut shells = Vec::new();
        let ports = free_ports();
        for port in &ports {
            shells.push(node(*port));
        }
        for (index, (port, _)) in ports.iter().enumerate() {
            let (from, to) = RANGES[index];
            let (from, to) = (from.to_string(), to.to_string());
            answer(*port, &["CLUSTER", "ADDSLOTSRANGE", &from, &to], "OK").await;
            for (other, bus) in ports {
                let (other, bus) = (other.to_string(), bus.to_string());
                answer(*port, &["CLUSTER", "MEET", "127.0.0.1", &other, &bus], "OK").await;
            }
        }
        for (port, _) in ports {
            answer(port, &["CLUSTER", "INFO"], "cluster_state:ok").await;
        }
        Self {
            ports: ports.map(|(port, _)| port),
            shells,
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

    /// A further node, which follows the one at this place until that is gone. The last of `shells` is its own.
    pub(crate) async fn replica_of(&mut self, followed: usize) -> u16 {
        let [ports, ..] = free_ports();
        let (port, first) = (ports.0, self.ports[0]);
        self.shells.push(node(ports));
        let id = id(self.ports[followed]).await;
        let (text, bus) = (port.to_string(), ports.1.to_string());
        answer(first, &["CLUSTER", "MEET", "127.0.0.1", &text, &bus], "OK").await;
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
    pub(crate) fn kill(&mut self, node: usize) {
        let shell = &mut self.shells[node];
        drop(shell.stdin.take());
        let _ = shell.wait();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for shell in &mut self.shells {
            drop(shell.stdin.take());
            let _ = shell.wait();
        }
    }
}

/// Starts a node at a port for clients and one for the other nodes.
fn node((port, bus): (u16, u16)) -> Child {
    let name = format!("millpond-cluster-{}-{port}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&directory).unwrap();
    Command::new("sh")
        .args(["-c", NODE, "node"])
        .args([port.to_string(), bus.to_string()])
        .arg(directory)
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
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

/// Three pairs of ports that were free a moment ago.
fn free_ports() -> [(u16, u16); 3] {
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let listeners = [(); 3].map(|()| (listen(), listen()));
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
    [0, 1, 2].map(|index| {
        let (client, bus) = &listeners[index];
        (port(client), port(bus))
    })
}

/// Asks a node until it says this.
pub(crate) async fn answer(port: u16, command: &[&str], wanted: &str) {
    let asked = async {
        loop {
            let reply = Database::at(port, 0).command(command).await;
            if format!("{reply:?}").contains(wanted) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(MINUTE, asked).await;
    in_time.unwrap_or_else(|_| panic!("{command:?} gives {wanted}"));
}
