//! One exchange over RESP: a pipeline on the connection of the runtime, or, on a cluster, a command that
//! finds its own node.

use super::command::RespCommand;
use super::connection::Connection;
use super::failure;
use super::link::{Link, Opened};
use super::watched::{is_too_large, never_left};
use super::wire;
use crate::error::Error;
use crate::runtime::MaybeSend;
use crate::stats::Meter;
use crate::store::command::Effect;
use crate::store::merging::Merging;
use crate::store::repeat::{Failure, Stage};
use crate::store::server_error::server_error;
use crate::store::transport::{Answer, Encoded, Kind, Outgoing, Transport};
use crate::store::until::Until;
use redis::{Cmd, ErrorKind, Pipeline, RedisError, ServerErrorKind, Value};
use std::sync::Arc;

pub(crate) struct RespTransport {
    pub(crate) link: Arc<Link>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) merging: Merging,
    pub(crate) is_cluster: bool,
}

pub(crate) enum Body {
    /// On a cluster it finds its own way, be it to the nodes of several slots.
    One {
        cmd: Cmd,
        may_repeat: bool,
    },
    Several(Pipeline),
    Transaction(Pipeline),
}

impl Body {
    /// Bytes on the wire.
    fn bytes(&self) -> usize {
        match self {
            Self::One { cmd, .. } => wire::sent(cmd),
            Self::Several(pipeline) | Self::Transaction(pipeline) => {
                pipeline.cmd_iter().map(wire::sent).sum()
            }
        }
    }

    async fn run(&self, connection: &Connection) -> Result<Replied, RedisError> {
        let reply = match self {
            Self::One { cmd, may_repeat } => connection.run_one(cmd, *may_repeat).await,
            Self::Several(pipeline) => {
                return connection.run(pipeline).await.map(Replied::Several);
            }
            Self::Transaction(pipeline) => Box::pin(connection.run_transaction(pipeline)).await,
        };
        reply.map(Replied::One)
    }
}

enum Replied {
    One(Value),
    Several(Vec<Value>),
}

impl RespTransport {
    fn answer(&self, value: Value) -> Answer {
        self.meter.bytes_received.add_len(wire::received(&value));
        match value {
            Value::ServerError(error) => Answer::Error(wire::text_of(&error)),
            value => wire::decode(value).map_or_else(Answer::Unreadable, Answer::Reply),
        }
    }

    /// What it means that an error came instead of replies.
    fn judge(
        &self,
        opened: &Arc<Opened>,
        kind: Kind,
        body: &Body,
        error: &RedisError,
    ) -> Result<Answer, Failure> {
        // The client of a cluster replaces the connection to one node by itself.
        let of_a_node = self.is_cluster && (never_left(error) || is_too_large(error));
        if (error.is_unrecoverable_error() || is_too_large(error)) && !of_a_node {
            self.link.discard(opened);
        }
        match body {
            // The answer to a transaction that was discarded, and on a cluster to any single command.
            Body::One { .. } | Body::Transaction(_) if is_reply(error) => {
                Ok(Answer::Error(wire::error_text(error)))
            }
            // The client refuses such a pipeline before anything leaves; each command finds its node alone.
            Body::Several(_) if is_cross_slot(error) => Err(Failure {
                stage: Stage::Refused,
                error: server_error(&wire::error_text(error)),
            }),
            _ => {
                let may_divide = matches!(body, Body::Several(_));
                Err(failure::broken(self.link.host(), kind, may_divide, error))
            }
        }
    }
}

impl Transport for RespTransport {
    type Command = RespCommand;
    type Connection = Arc<Opened>;
    type Body = Body;

    fn meter(&self) -> &Meter {
        &self.meter
    }

    fn host(&self) -> String {
        self.link.host().to_owned()
    }

    fn divides(&self) -> bool {
        self.is_cluster
    }

    async fn connect(&self, once: bool) -> Result<Arc<Opened>, Failure> {
        self.link.open(once).await
    }

    /// Connections are opened by a task.
    fn is_connected(&self) -> bool {
        true
    }

    fn merging(&self) -> Option<&Merging> {
        (!self.is_cluster).then_some(&self.merging)
    }

    fn encode(&self, commands: &[&[&RespCommand]]) -> Encoded<Body> {
        let encode = |commands: &[&RespCommand]| match commands {
            [command] => command.encode(),
            several => RespCommand::encode_merged(several),
        };
        let body = match commands {
            [commands] => match commands.first().and_then(|first| first.transaction()) {
                Some(pipeline) => Body::Transaction(pipeline),
                None => Body::One {
                    cmd: encode(commands),
                    may_repeat: commands.iter().all(|it| it.effect() != Effect::Once),
                },
            },
            several => {
                let mut pipeline = Pipeline::with_capacity(several.len());
                for commands in several {
                    pipeline.add_command(encode(commands));
                }
                Body::Several(pipeline)
            }
        };
        Encoded {
            bytes: body.bytes(),
            body,
        }
    }

    #[expect(
        clippy::manual_async_fn,
        reason = "such a function would have room for the body twice"
    )]
    fn exchange(
        &self,
        opened: &Arc<Opened>,
        kind: Kind,
        body: Body,
        until: Until,
    ) -> impl Future<Output = Result<Vec<Answer>, Failure>> + MaybeSend {
        async move {
            let _change = match kind {
                Kind::Reads => None,
                Kind::Writes => opened.connection.change(),
            };
            match until.wait_for(body.run(&opened.connection)).await {
                Some(Ok(replied)) => {
                    opened.has_answered();
                    Ok(match replied {
                        Replied::One(value) => vec![self.answer(value)],
                        Replied::Several(values) => {
                            values.into_iter().map(|value| self.answer(value)).collect()
                        }
                    })
                }
                Some(Err(error)) => self
                    .judge(opened, kind, &body, &error)
                    .map(|answer| vec![answer]),
                None => {
                    // It may be a connection that leads nowhere any more; the next exchange opens another.
                    self.link.discard(opened);
                    Err(Failure::out_of_time())
                }
            }
        }
    }

    /// Another connection resolves the name again, which after a failover leads to the new primary. The
    /// client of a cluster asks for the slots anew by itself; that failing, it starts over.
    fn renew(&self, opened: &Arc<Opened>, times: u32) {
        if !self.is_cluster || times > 1 {
            self.link.discard(opened);
        }
    }

    fn worded(&self, text: &str) -> Error {
        server_error(text)
    }
}

fn is_cross_slot(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::CrossSlot)
}

/// Whether the server answered, with an error.
fn is_reply(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}
