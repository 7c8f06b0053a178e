//! A server, or the nodes of a cluster, as a connection that all callers of a runtime share.

use super::watched::{Change, WatchedConnection};
use super::wire::error_text;
use redis::aio::ConnectionLike;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::SingleNodeRoutingInfo;
use redis::{AsyncConnectionConfig, Cmd, ConnectionInfo, Pipeline, RedisError, Value};
use std::time::Duration;

/// How to connect. The clients hold the password; neither is ever printed.
#[derive(Clone)]
pub(crate) enum Dial {
    Single(Box<ConnectionInfo>),
    /// The second one never repeats a command by itself.
    Cluster {
        repeating: Box<ClusterClient>,
        once: Box<ClusterClient>,
    },
}

#[derive(Clone)]
pub(crate) enum Connection {
    Single(WatchedConnection),
    Cluster {
        repeating: ClusterConnection<WatchedConnection>,
        once: ClusterConnection<WatchedConnection>,
    },
}

impl Dial {
    pub(super) async fn connect(
        &self,
        within: Duration,
        largest_reply: usize,
    ) -> Result<Connection, RedisError> {
        // Waiting for an answer is bounded by the caller's budget, not per connection.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(within))
            .set_response_timeout(None);
        Ok(match self {
            Self::Single(address) => {
                Connection::Single(WatchedConnection::open(address, config, largest_reply).await?)
            }
            Self::Cluster { repeating, once } => Connection::Cluster {
                repeating: repeating.get_async_generic_connection().await?,
                once: once.get_async_generic_connection().await?,
            },
        })
    }
}

impl Connection {
    /// Whether the server has closed it. The client of a cluster looks after its connections itself.
    pub(super) fn has_ended(&self) -> bool {
        match self {
            Self::Single(connection) => connection.has_ended(),
            Self::Cluster { .. } => false,
        }
    }

    /// Something that changes data is about to be sent, until what comes back is dropped. The clients of a cluster judge
    /// for themselves what they repeat.
    pub(super) fn change(&self) -> Option<Change> {
        match self {
            Self::Single(connection) => Some(connection.change()),
            Self::Cluster { .. } => None,
        }
    }

    pub(crate) async fn run(&self, pipeline: &Pipeline) -> Result<Vec<Value>, RedisError> {
        match self.clone() {
            Self::Single(mut connection) => {
                connection
                    .req_packed_commands(pipeline, 0, pipeline.len())
                    .await
            }
            Self::Cluster { mut repeating, .. } => {
                repeating
                    .req_packed_commands(pipeline, 0, pipeline.len())
                    .await
            }
        }
    }

    /// A pipeline between `MULTI` and `EXEC`: the reply to the latter.
    pub(crate) async fn run_transaction(&self, pipeline: &Pipeline) -> Result<Value, RedisError> {
        let last = pipeline.len() + 1;
        let mut values = match self.clone() {
            Self::Single(mut connection) => {
                connection.req_packed_commands(pipeline, last, 1).await?
            }
            // The client that repeats nothing by itself.
            Self::Cluster { mut once, .. } => {
                match once.req_packed_commands(pipeline, last, 1).await {
                    Err(error) => match next_node(&error) {
                        Some(node) => {
                            let mut asking = redis::pipe();
                            asking.cmd("ASKING").cmd("MULTI");
                            for cmd in pipeline.cmd_iter() {
                                asking.add_command(cmd.clone());
                            }
                            asking.cmd("EXEC");
                            once.route_pipeline(asking, last + 1, 1, node).await?
                        }
                        None => return Err(error),
                    },
                    Ok(values) => values,
                }
            }
        };
        Ok(values.pop().unwrap_or(Value::Nil))
    }

    /// One command alone; on a cluster it finds its own way.
    pub(crate) async fn run_one(&self, cmd: &Cmd, may_repeat: bool) -> Result<Value, RedisError> {
        match self.clone() {
            Self::Single(mut connection) => connection.run_one(cmd).await,
            Self::Cluster { repeating, once } => {
                let client = if may_repeat { repeating } else { once };
                Box::pin(run_on_cluster(client, cmd)).await
            }
        }
    }
}

/// A command alone. A client that repeats nothing does not follow a slot that is on its way either, though the
/// node that says so has run nothing.
async fn run_on_cluster(
    mut client: ClusterConnection<WatchedConnection>,
    cmd: &Cmd,
) -> Result<Value, RedisError> {
    let error = match client.req_packed_command(cmd).await {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let Some(node) = next_node(&error) else {
        return Err(error);
    };
    let mut asking = redis::pipe();
    asking.cmd("ASKING").add_command(cmd.clone());
    let mut values = client.route_pipeline(asking, 1, 1, node).await?;
    Ok(values.pop().unwrap_or(Value::Nil))
}

/// The node that an `ASK` names: the slot is on its way there, and keys that have left are found there only.
fn next_node(error: &RedisError) -> Option<SingleNodeRoutingInfo> {
    // Of a transaction, the first of several errors.
    let text = error_text(error);
    let (_, node) = text.strip_prefix("ASK ")?.split_once(' ')?;
    let (host, port) = node.rsplit_once(':')?;
    Some(SingleNodeRoutingInfo::ByAddress {
        host: host.to_owned(),
        port: port.parse().ok()?,
    })
}
