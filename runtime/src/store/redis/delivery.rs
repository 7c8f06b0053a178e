//! Takes one batch to the server, as often as each command allows.

use super::link::{Connection, Link, Opened};
use super::wire;
use crate::error::Error;
use crate::stats::Meter;
use crate::store::command::{Call, Command, Effect, Reply};
use crate::store::repeat::{Failure, Stage, Tries};
use crate::store::sequence::{Said, open_again};
use crate::store::server_error::{is_transient, server_error};
use crate::store::waiting::Replies;
use bytes::Bytes;
use redis::{Cmd, ErrorKind, Pipeline, RedisError, ServerErrorKind, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tokio::time::timeout_at;

/// How long the answer to a write is still listened for when nobody waits for it any more.
const LINGER: Duration = Duration::from_secs(1);

pub(crate) struct Delivery {
    pub(crate) link: Arc<Link>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) lines: Vec<Line>,
    pub(crate) tries: Tries,
    pub(crate) turn: Arc<Turn>,
}

pub(crate) struct Line {
    command: Command,
    /// The server does not know the script, so it goes along.
    in_full: bool,
    outcome: Option<Result<Reply, Error>>,
}

pub(crate) fn lines(commands: Vec<Command>) -> Vec<Line> {
    let line = |command: Command| Line {
        outcome: harmless(&command.call).err().map(Err),
        command,
        in_full: false,
    };
    commands.into_iter().map(line).collect()
}

/// Commands that change what the connection is, or how many answers come on it. All callers of one
/// runtime share it, so the next answer would be that to somebody else's command.
const OF_A_CONNECTION: [&str; 24] = [
    "ASKING",
    "AUTH",
    "CLIENT",
    "DISCARD",
    "EXEC",
    "HELLO",
    "MONITOR",
    "MULTI",
    "PSUBSCRIBE",
    "PSYNC",
    "PUNSUBSCRIBE",
    "QUIT",
    "READONLY",
    "READWRITE",
    "REPLCONF",
    "RESET",
    "SELECT",
    "SSUBSCRIBE",
    "SUBSCRIBE",
    "SUNSUBSCRIBE",
    "SYNC",
    "UNSUBSCRIBE",
    "UNWATCH",
    "WATCH",
];

/// Refuses what must not be sent on a connection that others use.
fn harmless(call: &Call) -> Result<(), Error> {
    match call {
        Call::Plain(words) => fits(words),
        Call::Script { .. } => Ok(()),
        Call::Transaction(commands) => commands.iter().try_for_each(|words| fits(words)),
    }
}

fn fits(words: &[Bytes]) -> Result<(), Error> {
    let Some(name) = words.first() else {
        return Err(Error::new(
            crate::error::ErrorKind::InvalidValue,
            "an empty command",
        ));
    };
    let same = |known: &&&str| name.eq_ignore_ascii_case(known.as_bytes());
    match OF_A_CONNECTION.iter().find(same) {
        None => Ok(()),
        Some(name) => Err(Error::new(
            crate::error::ErrorKind::Unsupported,
            format!(
                "{name} changes the connection, which all callers share; for MULTI and EXEC use \
                 transaction(), for the others a connection of your own"
            ),
        )),
    }
}

/// Who was first: the task that sends, or the caller that gives up.
#[derive(Default)]
pub(crate) struct Turn(AtomicU8);

const SENT: u8 = 1;
const WITHDRAWN: u8 = 2;

impl Turn {
    /// Whether the commands may leave; from then on they cannot be withdrawn.
    fn leave(&self) -> bool {
        let taken = self
            .0
            .compare_exchange(0, SENT, Ordering::AcqRel, Ordering::Acquire);
        matches!(taken, Ok(_) | Err(SENT))
    }

    /// Whether the commands stay here.
    pub(crate) fn withdraw(&self) -> bool {
        self.0
            .compare_exchange(0, WITHDRAWN, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

impl Delivery {
    pub(crate) async fn run(mut self) -> Replies {
        while self.lines.iter().any(|line| line.outcome.is_none()) {
            if self.tries.is_over() {
                self.give_up(&Failure::out_of_time().error);
                break;
            }
            let again = match self.attempt().await {
                Ok(again) => again,
                Err(failure) => {
                    let open: Vec<usize> = self.open().collect();
                    self.fail(&open, &failure)
                }
            };
            if let Some(error) = again {
                if self.tries.pause().await {
                    self.meter.retries.add(1);
                } else {
                    self.give_up(&error);
                }
            }
        }
        self.lines
            .into_iter()
            .filter_map(|line| line.outcome)
            .collect()
    }

    /// One try; the error of what is to be sent again after a pause, if anything is.
    async fn attempt(&mut self) -> Result<Option<Error>, Failure> {
        let open: Vec<usize> = self.open().collect();
        let has_once = self.effects(&open).any(|effect| effect == Effect::Once);
        let opened = timeout_at(self.tries.until(), self.link.open(has_once))
            .await
            .unwrap_or_else(|_| Err(not_opened()))?;
        if !self.turn.leave() {
            // The caller has its answer already.
            return Err(Failure::lasting(Failure::out_of_time().error));
        }
        if let Some(transaction) = self.transaction() {
            return self.transact(&opened, &transaction).await;
        }
        let alone = matches!(opened.connection, Connection::Cluster { .. });
        // A command alone finds its own way, be it to the nodes of several slots.
        if alone && (has_once || open.len() == 1) {
            return Ok(self.one_by_one(&opened, &open).await);
        }
        let mut pipeline = Pipeline::with_capacity(open.len());
        for cmd in self.encode(&open) {
            pipeline.add_command(cmd);
        }
        let sent = self.exchange(&opened, opened.connection.run(&pipeline));
        match sent.await {
            Ok(values) if values.len() == open.len() => {
                self.count(&pipeline);
                Ok(self.take(&open, values))
            }
            Ok(values) => {
                self.count(&pipeline);
                let error = Error::new(
                    crate::error::ErrorKind::Protocol,
                    format!("{} replies came for {} commands", values.len(), open.len()),
                );
                Err(Failure::lasting(error))
            }
            Err(Lost::Redis(error)) if alone && is_cross_slot(&error) => {
                Ok(self.one_by_one(&opened, &open).await)
            }
            Err(lost) => {
                let failure = self.judge(&opened, lost);
                if failure.stage != Stage::NotSent {
                    self.count(&pipeline);
                }
                Err(failure)
            }
        }
    }

    /// The transaction that stands alone in this batch.
    fn transaction(&self) -> Option<Pipeline> {
        match self.lines.first().map(|line| &line.command.call) {
            Some(Call::Transaction(commands)) => Some(wire::transaction(commands)),
            _ => None,
        }
    }

    async fn transact(
        &mut self,
        opened: &Arc<Opened>,
        pipeline: &Pipeline,
    ) -> Result<Option<Error>, Failure> {
        let sent = self.exchange(opened, opened.connection.run_transaction(pipeline));
        match sent.await {
            Ok(value) => {
                self.count(pipeline);
                self.meter.bytes_received.add(wide(wire::received(&value)));
                if let Some(line) = self.lines.first_mut() {
                    line.outcome = Some(wire::decode(value));
                }
                Ok(None)
            }
            Err(lost) => {
                let failure = self.judge(opened, lost);
                if failure.stage != Stage::NotSent {
                    self.count(pipeline);
                }
                Err(failure)
            }
        }
    }

    /// On a cluster: each command to its own node, the next one when this one is settled.
    async fn one_by_one(&mut self, opened: &Arc<Opened>, open: &[usize]) -> Option<Error> {
        for &index in open {
            let Some(line) = self.lines.get(index) else {
                continue;
            };
            let cmd = wire::encode(&line.command, line.in_full);
            let may_repeat = line.command.effect != Effect::Once;
            let sent = self.exchange(opened, opened.connection.run_one(&cmd, may_repeat));
            let again = match sent.await {
                Ok(value) => self.take(&[index], vec![value]),
                Err(Lost::Redis(error)) if is_reply(&error) => {
                    let failure = self.link.broken(&error);
                    if failure.error.to_string().starts_with("NOSCRIPT") && self.in_full(index) {
                        return None;
                    }
                    self.fail(&[index], &failure)
                }
                Err(lost) => {
                    let failure = self.judge(opened, lost);
                    self.fail(&[index], &failure)
                }
            };
            self.meter.requests.add(1);
            self.meter.commands.add(1);
            self.meter.bytes_sent.add(wide(wire::sent(&cmd)));
            // What stays open comes before the rest.
            let line = self.lines.get(index);
            if line.is_some_and(|line| line.outcome.is_none()) {
                return again;
            }
        }
        None
    }

    async fn exchange<T>(
        &self,
        opened: &Opened,
        sent: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, Lost> {
        let reads = self
            .lines
            .iter()
            .all(|it| it.command.effect == Effect::Read);
        let linger = if reads { Duration::ZERO } else { LINGER };
        match timeout_at(self.tries.until() + linger, sent).await {
            Ok(Ok(values)) => {
                opened.has_answered();
                Ok(values)
            }
            Ok(Err(error)) => Err(Lost::Redis(error)),
            Err(_) => Err(Lost::Silent),
        }
    }

    fn judge(&self, opened: &Arc<Opened>, lost: Lost) -> Failure {
        match lost {
            Lost::Redis(error) => {
                if error.is_unrecoverable_error() {
                    self.link.discard(opened);
                }
                self.link.broken(&error)
            }
            Lost::Silent => {
                // It may be a connection that leads nowhere any more; the next batch opens another.
                self.link.discard(opened);
                Failure::out_of_time()
            }
        }
    }

    /// Notes the replies; an error if some command should be sent again after a pause.
    fn take(&mut self, open: &[usize], values: Vec<Value>) -> Option<Error> {
        let may_repeat = self.tries.may_repeat();
        let mut said = Vec::with_capacity(open.len());
        for (&index, value) in open.iter().zip(&values) {
            self.meter.bytes_received.add(wide(wire::received(value)));
            let text = error_text(value);
            said.push((
                self.effect(index),
                // The script did not run, so this is no repeat, whatever the command does.
                if text.starts_with("NOSCRIPT") && self.in_full(index) {
                    Said::NoScript
                } else if is_transient(&text) && may_repeat {
                    Said::NotNow
                } else {
                    Said::Settled
                },
            ));
        }
        let mut again = None;
        let verdicts = said.iter().zip(open_again(&said));
        for ((&index, value), ((_, said), open)) in open.iter().zip(values).zip(verdicts) {
            if open {
                if *said == Said::NotNow {
                    again = Some(server_error(&error_text(&value)));
                }
            } else if let Some(line) = self.lines.get_mut(index) {
                line.outcome = Some(wire::decode(value));
            }
        }
        again
    }

    /// Settles what must not be sent again; the error back if something is to be, after a pause.
    fn fail(&mut self, open: &[usize], failure: &Failure) -> Option<Error> {
        let may_repeat = self.tries.may_repeat();
        let mut again = None;
        for &index in open {
            let Some(line) = self.lines.get_mut(index) else {
                continue;
            };
            let effect = line.command.effect;
            if may_repeat && failure.allows_repeat(effect) {
                again = Some(failure.error.clone());
            } else {
                line.outcome = Some(Err(failure.verdict(effect)));
            }
        }
        again
    }

    /// The script goes along from now on. False if it did already, or is none.
    fn in_full(&mut self, index: usize) -> bool {
        self.lines.get_mut(index).is_some_and(|line| {
            let is_script = matches!(line.command.call, Call::Script { .. });
            is_script && !std::mem::replace(&mut line.in_full, true)
        })
    }

    fn give_up(&mut self, error: &Error) {
        for line in &mut self.lines {
            line.outcome.get_or_insert_with(|| Err(error.clone()));
        }
    }

    fn open(&self) -> impl Iterator<Item = usize> {
        let lines = self.lines.iter().enumerate();
        lines.filter_map(|(index, line)| line.outcome.is_none().then_some(index))
    }

    fn effect(&self, index: usize) -> Effect {
        let line = self.lines.get(index);
        line.map_or(Effect::Once, |line| line.command.effect)
    }

    fn effects(&self, open: &[usize]) -> impl Iterator<Item = Effect> {
        let lines = open.iter().filter_map(|index| self.lines.get(*index));
        lines.map(|line| line.command.effect)
    }

    fn encode(&self, open: &[usize]) -> impl Iterator<Item = Cmd> {
        let lines = open.iter().filter_map(|index| self.lines.get(*index));
        lines.map(|line| wire::encode(&line.command, line.in_full))
    }

    fn count(&self, pipeline: &Pipeline) {
        self.meter.requests.add(1);
        self.meter.commands.add(wide(pipeline.len()));
        let bytes = pipeline.cmd_iter().map(wire::sent).sum();
        self.meter.bytes_sent.add(wide(bytes));
    }
}

/// Why there are no replies.
enum Lost {
    Redis(RedisError),
    Silent,
}

fn not_opened() -> Failure {
    Failure {
        stage: Stage::NotSent,
        error: Error::new(
            crate::error::ErrorKind::Timeout,
            "no connection to the server was opened in time",
        ),
    }
}

/// The client refuses such a pipeline before anything leaves.
fn is_cross_slot(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::CrossSlot)
}

/// Empty for a reply that is no error.
fn error_text(value: &Value) -> String {
    match value {
        Value::ServerError(error) => wire::text_of(error),
        _ => String::new(),
    }
}

/// Whether the server answered, with an error.
fn is_reply(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
