//! Takes the batches of one request to the server, as often as each command allows.

use super::http::{Endpoint, IDLE, Path};
use super::wire::{Answered, Encoded, protocol};
use crate::error::Error;
use crate::runtime::BoxFuture;
use crate::store::auto_pipeline::{Item, Kind, QueuedBatch, Transport};
use crate::store::command::{Effect, Reply};
use crate::store::repeat::{Failure, Patience, Stage, Tries};
use crate::store::sequence::{Said, open_again};
use crate::store::server_error::is_transient;
use crate::store::waiting::{LONGEST, Replies};
use reqwest::Client;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How long a write that nobody waits for any more may still hold up the writes behind it.
const LINGER: Duration = Duration::from_secs(1);

/// The connections of one runtime, and the rules for repeating.
pub(crate) struct HttpTransport {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) client: Client,
    pub(crate) patience: Patience,
    pub(crate) most_commands: usize,
    pub(crate) most_bytes: usize,
    /// When the last answer came, unless something went wrong after it.
    pub(crate) answered: Mutex<Option<Instant>>,
}

impl HttpTransport {
    /// How long an exchange may take from now on. A connection that is still being opened lives and
    /// dies with the request that asked for it, so such a read goes on without its callers.
    fn until(&self, kind: Kind, until: Instant) -> Instant {
        let answered = *self.answered();
        let is_connected = answered.is_some_and(|answered| answered.elapsed() < IDLE);
        if kind == Kind::Writes || is_connected {
            return until;
        }
        until.max(Instant::now() + self.endpoint.connect_timeout().min(LONGEST))
    }

    fn answered(&self) -> MutexGuard<'_, Option<Instant>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for HttpTransport {
    type Item = Encoded;

    fn deliver(self: Arc<Self>, kind: Kind, batches: Vec<QueuedBatch<Encoded>>) -> BoxFuture<()> {
        Box::pin(async move { Delivery::new(&self, kind, batches).run().await })
    }
}

struct Delivery<'a> {
    transport: &'a HttpTransport,
    kind: Kind,
    batches: Vec<Open>,
    tries: Tries,
    apart: Apart,
}

/// What a request may hold, made finer each time the server refuses one as a whole, so that in the
/// end only the culprit fails.
#[derive(Clone, Copy)]
enum Apart {
    Together,
    Callers,
    Commands,
}

/// A batch, and a command in it.
type Place = (usize, usize);

struct Open {
    lines: Vec<Line>,
    caller: Option<oneshot::Sender<Replies>>,
}

struct Line {
    command: Encoded,
    outcome: Option<Result<Reply, Error>>,
}

/// The answer to one command, before it is known whether it stands.
struct Note {
    place: Place,
    effect: Effect,
    said: Said,
    /// Nothing only for what will be sent again.
    outcome: Option<Result<Reply, Error>>,
}

impl Line {
    fn hear(
        &mut self,
        place: Place,
        answered: Answered,
        endpoint: &Endpoint,
        may_repeat: bool,
    ) -> Note {
        let (said, outcome) = match answered.into_reply() {
            Ok(Ok(reply)) => (Said::Settled, Some(Ok(reply))),
            Err(error) => (Said::Settled, Some(Err(error))),
            // The script did not run, so this is no repeat, whatever the command does.
            Ok(Err(text)) if text.starts_with("NOSCRIPT") && self.command.send_source() => {
                (Said::NoScript, None)
            }
            Ok(Err(text)) => {
                let not_now = is_transient(&text) && may_repeat;
                let said = if not_now { Said::NotNow } else { Said::Settled };
                (said, Some(Err(endpoint.worded(&text))))
            }
        };
        Note {
            place,
            effect: self.command.effect(),
            said,
            outcome,
        }
    }
}

/// What one exchange carries: places of commands, and the body.
struct Load {
    places: Vec<Place>,
    /// How many commands the body holds.
    count: usize,
    path: Path,
    body: Vec<u8>,
}

impl<'a> Delivery<'a> {
    fn new(transport: &'a HttpTransport, kind: Kind, batches: Vec<QueuedBatch<Encoded>>) -> Self {
        let last = batches.iter().map(|batch| batch.until).max();
        let linger = match kind {
            Kind::Reads => Duration::ZERO,
            Kind::Writes => LINGER,
        };
        let until = last.unwrap_or_else(Instant::now) + linger;
        let open = |batch: QueuedBatch<Encoded>| {
            let (items, caller) = batch.open();
            let line = |command| Line {
                command,
                outcome: None,
            };
            Open {
                lines: items.into_iter().map(line).collect(),
                caller: Some(caller),
            }
        };
        Self {
            transport,
            kind,
            tries: Tries::new(transport.patience, until),
            batches: batches.into_iter().map(open).collect(),
            apart: Apart::Together,
        }
    }

    async fn run(mut self) {
        while let Some(load) = self.next_load() {
            let Load {
                places,
                count,
                path,
                body,
            } = load;
            if self.tries.is_over() {
                self.give_up(&Failure::out_of_time().error);
                break;
            }
            let sent = (wide(count), wide(body.len()));
            let endpoint = &self.transport.endpoint;
            let exchange = endpoint.exchange(&self.transport.client, path, self.kind, body);
            let until = self.transport.until(self.kind, self.tries.until());
            let result = tokio::time::timeout_at(until, exchange)
                .await
                .unwrap_or_else(|_| Err(Failure::out_of_time()));
            *self.transport.answered() = result.is_ok().then(Instant::now);
            if !matches!(&result, Err(failure) if failure.stage == Stage::NotSent) {
                endpoint.meter.requests.add(1);
                endpoint.meter.commands.add(sent.0);
                endpoint.meter.bytes_sent.add(sent.1);
            }
            let again = match result {
                Ok(answers) if answers.len() != count => {
                    let came = answers.len();
                    let error = protocol(format!("{came} answers came for {count} commands"));
                    self.fail(&places, &Failure::lasting(error))
                }
                Ok(answers) if path == Path::Transaction => self.settle(&places, answers),
                Ok(answers) => self.take(&places, answers),
                Err(failure) => self.fail(&places, &failure),
            };
            self.hand_over();
            if let Some(error) = again {
                if self.tries.pause().await {
                    endpoint.meter.retries.add(1);
                } else {
                    self.give_up(&error);
                }
            }
        }
        self.hand_over();
    }

    /// The first commands without an outcome that fit into one request, at least one.
    fn next_load(&self) -> Option<Load> {
        let mut places = Vec::new();
        let mut path = Path::Pipeline;
        let mut count = 0;
        let mut body = vec![b'['];
        let open = self.batches.iter().enumerate().flat_map(|(p, batch)| {
            let lines = batch.lines.iter().enumerate();
            lines
                .filter(|(_, line)| line.outcome.is_none())
                .map(move |(l, line)| ((p, l), line))
        });
        for (place, line) in open {
            if let Some(&first) = places.first() {
                let full = places.len() >= self.transport.most_commands
                    || body.len() + line.command.bytes() > self.transport.most_bytes
                    || self.apart.parts(first, place)
                    || path == Path::Transaction
                    || line.command.is_alone();
                if full {
                    break;
                }
                body.push(b',');
            }
            if line.command.is_alone() {
                path = Path::Transaction;
            }
            count += line.command.count();
            places.push(place);
            line.command.write(&mut body);
        }
        body.push(b']');
        (!places.is_empty()).then_some(Load {
            places,
            count,
            path,
            body,
        })
    }

    /// Notes the answers; an error if some command should be sent again after a pause.
    fn take(&mut self, places: &[Place], answers: Vec<Answered>) -> Option<Error> {
        let may_repeat = self.tries.may_repeat();
        let mut notes = Vec::with_capacity(places.len());
        for (&place, answered) in places.iter().zip(answers) {
            if let Some(line) = line(&mut self.batches, place) {
                notes.push(line.hear(place, answered, &self.transport.endpoint, may_repeat));
            }
        }
        let mut again = None;
        for batch in notes.chunk_by_mut(|one, other| one.place.0 == other.place.0) {
            let said: Vec<_> = batch.iter().map(|note| (note.effect, note.said)).collect();
            for (note, open) in batch.iter_mut().zip(open_again(&said)) {
                if !open {
                    if let Some(line) = line(&mut self.batches, note.place) {
                        line.outcome = note.outcome.take();
                    }
                } else if note.said == Said::NotNow {
                    again = note.outcome.take().and_then(Result::err);
                }
            }
        }
        again
    }

    /// Notes what a transaction was answered: it ran as one, so nothing of it is sent again.
    fn settle(&mut self, places: &[Place], answers: Vec<Answered>) -> Option<Error> {
        let endpoint = &self.transport.endpoint;
        let replies = answers.into_iter().map(|answered| {
            let said = answered.into_reply();
            said.and_then(|reply| reply.map_err(|text| endpoint.worded(&text)))
                .unwrap_or_else(Reply::Error)
        });
        let reply = Reply::Array(replies.collect());
        if let Some(line) = places
            .first()
            .and_then(|place| line(&mut self.batches, *place))
        {
            line.outcome = Some(Ok(reply));
        }
        None
    }

    /// Settles what must not be sent again; the error back if something is to be, after a pause.
    fn fail(&mut self, places: &[Place], failure: &Failure) -> Option<Error> {
        if failure.stage == Stage::Refused
            && let Some(finer) = Apart::finer(places)
        {
            self.apart = finer;
            return None;
        }
        let may_repeat = self.tries.may_repeat();
        let mut again = None;
        for place in places {
            let Some(line) = line(&mut self.batches, *place) else {
                continue;
            };
            let effect = line.command.effect();
            if may_repeat && failure.allows_repeat(effect) {
                again = Some(failure.error.clone());
            } else {
                line.outcome = Some(Err(failure.verdict(effect)));
            }
        }
        again
    }

    /// The same error for everything that has no outcome yet and is not on its way.
    fn give_up(&mut self, error: &Error) {
        for line in self.batches.iter_mut().flat_map(|open| &mut open.lines) {
            line.outcome.get_or_insert_with(|| Err(error.clone()));
        }
    }

    /// Answers every caller whose commands are all settled.
    fn hand_over(&mut self) {
        for batch in &mut self.batches {
            if batch.lines.iter().any(|line| line.outcome.is_none()) {
                continue;
            }
            if let Some(caller) = batch.caller.take() {
                let outcomes = batch.lines.iter_mut();
                let replies = outcomes.filter_map(|line| line.outcome.clone()).collect();
                // The caller may have gone away.
                let _ = caller.send(replies);
            }
        }
    }
}

impl Apart {
    /// Whether two commands must not share a request.
    fn parts(self, one: Place, other: Place) -> bool {
        match self {
            Self::Together => false,
            Self::Callers => one.0 != other.0,
            Self::Commands => one != other,
        }
    }

    /// The way to divide these commands, if they can be divided.
    fn finer(places: &[Place]) -> Option<Self> {
        let [first, .., last] = places else {
            return None;
        };
        Some(if first.0 == last.0 {
            Self::Commands
        } else {
            Self::Callers
        })
    }
}

fn line(batches: &mut [Open], (batch, line): Place) -> Option<&mut Line> {
    batches.get_mut(batch)?.lines.get_mut(line)
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
