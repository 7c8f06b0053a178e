//! One request, from its headers to its answer.

use crate::answer::Answer;
use crate::call::{self, Call, Format, Refusal};
use crate::fault::{Action, Fault, Plan};
use crate::record::{Log, Request};
use crate::resp::{Command, Connection, Reply};
use crate::rules;
use crate::script::Scripts;
use crate::server::Database;
use crate::wire::Payload;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, RETRY_AFTER};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

const SYNC_TOKEN: &str = "upstash-sync-token";

/// What every request needs.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) token: String,
    pub(crate) database: Database,
    pub(crate) max_request_bytes: usize,
    pub(crate) log: Arc<Log>,
    pub(crate) plan: Plan,
    writers: HashSet<String>,
    writes: AtomicU64,
    scripts: Scripts,
    idle: Mutex<Vec<Connection>>,
}

enum Outcome {
    Answer(Answer),
    Half(Answer),
    Events(mpsc::Receiver<Bytes>),
    /// An answer that never ends.
    Drip(mpsc::Receiver<Bytes>),
    Reset,
}

impl Service {
    pub(crate) async fn new(
        database: Database,
        token: String,
        max_request_bytes: usize,
    ) -> io::Result<Self> {
        let catalogue = database.command(["COMMAND"]).await?;
        Ok(Self {
            token,
            database,
            max_request_bytes,
            log: Arc::default(),
            plan: Plan::default(),
            writers: rules::writers(&catalogue),
            writes: AtomicU64::new(0),
            scripts: Scripts::default(),
            idle: Mutex::default(),
        })
    }

    /// Answers a request; an error resets the connection.
    pub(crate) async fn handle(
        self: Arc<Self>,
        request: hyper::Request<Incoming>,
        orderly: Arc<AtomicBool>,
    ) -> io::Result<Response<Payload>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let under_way = self.log.begin();
        let asked = call::admit(&parts, &self.token)
            .and_then(|format| Ok((format, call::read(&parts, &body, format)?)));
        let request = record(
            &parts,
            asked.as_ref().map_or(&[], |(_, call)| call.commands()),
        );
        let action = self.plan.take(&request);
        self.log.add(request);

        // A client that goes away does not undo what it has sent.
        let service = Arc::clone(&self);
        let outcome = tokio::spawn(async move {
            let _under_way = under_way;
            service.act(asked, action).await
        });
        let (answer, payload) = match outcome.await.map_err(io::Error::other)? {
            Outcome::Answer(answer) => {
                let body = answer.body.clone();
                (answer, Payload::Whole(Some(body)))
            }
            Outcome::Half(answer) => {
                orderly.store(true, Ordering::Relaxed);
                let half = Payload::half(&answer.body);
                (answer, half)
            }
            Outcome::Events(lines) => {
                let head = Answer {
                    status: StatusCode::OK,
                    content_type: "text/event-stream",
                    body: Bytes::new(),
                    retry_after: None,
                };
                (head, Payload::Events(lines))
            }
            Outcome::Drip(bytes) => {
                let head = Answer {
                    status: StatusCode::OK,
                    content_type: "application/json",
                    body: Bytes::new(),
                    retry_after: None,
                };
                (head, Payload::Events(bytes))
            }
            Outcome::Reset => return Err(io::ErrorKind::ConnectionReset.into()),
        };
        let mut response = Response::builder()
            .status(answer.status)
            .header(CONTENT_TYPE, answer.content_type)
            .header(SYNC_TOKEN, self.writes.load(Ordering::Relaxed));
        if let Some(after) = answer.retry_after {
            response = response.header(RETRY_AFTER, after);
        }
        response.body(payload).map_err(io::Error::other)
    }

    async fn act(&self, asked: Result<(Format, Call), Refusal>, action: Option<Action>) -> Outcome {
        let fault = match &action {
            Some(Action::Fail(fault)) => Some(fault.clone()),
            Some(Action::HoldBefore(gate)) => gate.pass().await,
            Some(Action::HoldAfter(_)) | None => None,
        };
        match fault {
            Some(Fault::ResetBefore) => return Outcome::Reset,
            Some(fault @ (Fault::Answer { .. } | Fault::TryLater { .. })) => {
                return spoil(fault, Outcome::Reset).await;
            }
            _ => {}
        }
        let outcome = match asked {
            Ok((format, call)) => self.run(&call, format).await,
            Err(Refusal { status, text }) => Outcome::Answer(Answer::error(status, &text)),
        };
        let fault = match &action {
            Some(Action::HoldAfter(gate)) => gate.pass().await,
            _ => fault,
        };
        match fault {
            Some(Fault::Drip) => self.drip(),
            Some(fault) => spoil(fault, outcome).await,
            None => outcome,
        }
    }

    /// White space, which may stand in front of JSON for as long as it likes.
    fn drip(&self) -> Outcome {
        let (sender, receiver) = mpsc::channel(1);
        let log = Arc::clone(&self.log);
        tokio::spawn(async move {
            while sender.send(Bytes::from_static(b" ")).await.is_ok() {
                log.drip();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        Outcome::Drip(receiver)
    }

    async fn run(&self, call: &Call, format: Format) -> Outcome {
        let done = match call {
            Call::One(command) => {
                self.pipeline(std::slice::from_ref(command))
                    .await
                    .map(|replies| {
                        Outcome::Answer(Answer::one(replies.first().unwrap_or(&Reply::Nil), format))
                    })
            }
            Call::Pipeline(commands) => self
                .pipeline(commands)
                .await
                .map(|replies| Outcome::Answer(Answer::many(replies, format))),
            Call::Transaction(commands) => self
                .transaction(commands, format)
                .await
                .map(Outcome::Answer),
            Call::Stream(command) => self.stream(command).await,
        };
        done.unwrap_or_else(|error| {
            let text = format!("ERR no connection to the database: {error}");
            Outcome::Answer(Answer::error(StatusCode::INTERNAL_SERVER_ERROR, &text))
        })
    }

    async fn pipeline(&self, commands: &[Command]) -> io::Result<Vec<Reply>> {
        let refused = self.refused(commands).await?;
        let sent: Vec<_> = commands
            .iter()
            .zip(&refused)
            .filter(|(_, refused)| refused.is_none())
            .collect();
        let sent: Vec<_> = sent
            .into_iter()
            .map(|(command, _)| self.scripts.translate(command))
            .collect();
        let mut replies = self.exchange(&sent).await?.into_iter();
        Ok(commands
            .iter()
            .zip(refused)
            .map(|(command, refused)| match refused {
                Some(text) => Reply::Error(text),
                None => self.finish(command, replies.next().unwrap_or(Reply::Nil)),
            })
            .collect())
    }

    /// The error of each command that Redis is not asked for.
    async fn refused(&self, commands: &[Command]) -> io::Result<Vec<Option<String>>> {
        let mut refused = Vec::with_capacity(commands.len());
        for command in commands {
            let mut text = rules::refused(command, self.max_request_bytes);
            if text.is_none() && rules::may_have_a_large_key(command) {
                let mut question = vec![Bytes::from("COMMAND"), Bytes::from("GETKEYS")];
                question.extend(self.scripts.translate(command));
                let keys = self.exchange(&[question]).await?;
                text = keys.first().and_then(rules::key_too_large);
            }
            refused.push(text);
        }
        Ok(refused)
    }

    async fn transaction(&self, commands: &[Command], format: Format) -> io::Result<Answer> {
        let discarded = |text: &str| Ok(Answer::error(StatusCode::BAD_REQUEST, text));
        if let Some(text) = self.refused(commands).await?.iter().flatten().next() {
            return discarded(text);
        }
        let mut sent = vec![vec![Bytes::from("MULTI")]];
        sent.extend(
            commands
                .iter()
                .map(|command| self.scripts.translate(command)),
        );
        sent.push(vec![Bytes::from("EXEC")]);
        let mut replies = self.exchange(&sent).await?;
        let executed = replies.pop();
        let queued = replies
            .into_iter()
            .skip(1)
            .zip(commands)
            .map(|(reply, command)| rules::worded(reply, command));
        match executed {
            Some(Reply::Array(results)) => {
                let results = results
                    .into_iter()
                    .zip(commands)
                    .map(|(reply, command)| self.finish(command, reply));
                Ok(Answer::many(results.collect(), format))
            }
            other => {
                // Redis says EXECABORT; the reason is the first command that it would not queue.
                let mut errors = queued.chain(other).filter_map(|reply| match reply {
                    Reply::Error(text) => Some(text),
                    _ => None,
                });
                discarded(&errors.next().unwrap_or_default())
            }
        }
    }

    async fn stream(&self, command: &Command) -> io::Result<Outcome> {
        if command.len() < 2 && rules::name(command) != "MONITOR" {
            let text = "ERR wrong number of arguments";
            return Ok(Outcome::Answer(Answer::error(
                StatusCode::BAD_REQUEST,
                text,
            )));
        }
        let mut connection = self.database.connect().await?;
        let mut command = command.clone();
        for channel in command.iter_mut().skip(1) {
            *channel = self.database.channel(channel);
        }
        connection.send(&[command]).await?;
        let (lines, receiver) = mpsc::channel(64);
        let suffix = self.database.suffix();
        tokio::spawn(crate::events::forward(connection, suffix, lines));
        Ok(Outcome::Events(receiver))
    }

    fn finish(&self, command: &Command, reply: Reply) -> Reply {
        if self.writers.contains(&rules::name(command)) {
            self.writes.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(text) = rules::too_large(size(&reply), self.max_request_bytes) {
            return Reply::Error(text);
        }
        Scripts::reply(command, rules::worded(reply, command))
    }

    // A request has a connection to itself, so that two transactions never mix.
    async fn exchange(&self, commands: &[Command]) -> io::Result<Vec<Reply>> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.database.connect().await?,
        };
        let mut commands = commands.to_vec();
        for command in &mut commands {
            if rules::name(command) == "PUBLISH"
                && let Some(channel) = command.get_mut(1)
            {
                *channel = self.database.channel(channel);
            }
        }
        let replies = converse(&mut connection, &commands).await;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if replies.is_ok() {
            idle.push(connection);
        } else {
            // The others lead to the same server, which is gone or was restarted.
            idle.clear();
        }
        replies
    }
}

async fn converse(connection: &mut Connection, commands: &[Command]) -> io::Result<Vec<Reply>> {
    connection.send(commands).await?;
    let mut replies = Vec::with_capacity(commands.len());
    for _ in commands {
        replies.push(connection.receive().await?);
    }
    Ok(replies)
}

async fn spoil(fault: Fault, outcome: Outcome) -> Outcome {
    match (fault, outcome) {
        (Fault::ResetBefore | Fault::ResetAfter, _) => Outcome::Reset,
        (Fault::Truncated, Outcome::Answer(answer)) => Outcome::Half(answer),
        (Fault::Slow(time), outcome) => {
            tokio::time::sleep(time).await;
            outcome
        }
        (
            Fault::Answer {
                status,
                content_type,
                body,
            },
            _,
        ) => Outcome::Answer(Answer {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            content_type,
            body: body.into(),
            retry_after: None,
        }),
        (Fault::TryLater { status, after }, _) => Outcome::Answer(Answer {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            content_type: "text/plain",
            body: "try later\n".into(),
            retry_after: Some(after),
        }),
        (Fault::Truncated | Fault::Drip, outcome) => outcome,
    }
}

fn record(parts: &Parts, commands: &[Command]) -> Request {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = parts.headers.iter();
    Request {
        method: parts.method.to_string(),
        path: parts
            .uri
            .path_and_query()
            .map_or_else(String::new, ToString::to_string),
        headers: headers
            .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
            .collect(),
        commands: commands
            .iter()
            .map(|command| command.iter().map(|argument| text(argument)).collect())
            .collect(),
    }
}

fn size(reply: &Reply) -> usize {
    match reply {
        Reply::Bulk(bytes) => bytes.len(),
        Reply::Array(items) => items.iter().map(size).sum(),
        _ => 0,
    }
}
