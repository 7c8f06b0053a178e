//! Delivers requests to the server, as often as the effect of each command allows: encode, exchange, note
//! the answers, and send again what did not run and may. What is settled is handed over at once, so a
//! request never waits for the repeats of another.

mod line;
mod merged;

use super::command::Effect;
use super::merging::Merging;
use super::repeat::{Failure, Patience, Stage, Tries};
use super::respite;
use super::sequence::{Said, open_again};
use super::server_error::not_run;
use super::transport::{Answer, Encoded, Kind, Outgoing, Transport, sent};
use super::turn::Turn;
use super::until::Until;
use super::waiting::{Replies, Request};
use crate::error::{Error, ErrorKind};
use crate::few::Few;
use crate::runtime::Since;
use crate::store::request_limits::RequestLimits;
use line::{Apart, Line, Note, Place};
use merged::MERGES;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long the answer to a write is still listened for when nobody waits for it any more. On a
/// transport with one write under way, that is also how long it may hold up the writes behind it.
const LINGER: Duration = Duration::from_secs(1);

pub(crate) struct Delivery<T: Transport> {
    transport: Arc<T>,
    limits: RequestLimits,
    kind: Kind,
    requests: Few<Open<T::Command>>,
    /// The caller who may keep the time, where there is only one.
    keeper: Option<Arc<Turn>>,
    tries: Tries,
    apart: Apart,
    /// Exchanges that a wrong node answered.
    strays: u32,
    /// Whether a connection was found closed and replaced.
    has_reopened: bool,
    /// The error in which the server asked to be left alone.
    respite: Option<Error>,
}

/// A request that is being delivered.
struct Open<C> {
    lines: Few<Line<C>>,
    turn: Arc<Turn>,
    /// Nothing once it has its answers.
    caller: Option<oneshot::Sender<Replies>>,
}

/// What one exchange carries.
struct Load<B> {
    places: Few<Place>,
    /// How many keys each of them reads, if it is an `MGET`.
    keys: Few<usize>,
    /// How many of them leave as one command.
    runs: Few<usize>,
    /// How many commands of callers it holds.
    count: usize,
    encoded: Encoded<B>,
}

impl<T: Transport> Delivery<T> {
    pub(crate) fn new(
        transport: Arc<T>,
        limits: RequestLimits,
        patience: Patience,
        kind: Kind,
        requests: Few<Request<T::Command>>,
    ) -> Self {
        // The most patient caller decides; each of the others stops waiting by itself.
        let until = |request: &&Request<T::Command>| request.asked.instant + request.within;
        let (asked, within) = requests.iter().max_by_key(until).map_or_else(
            || (Since::now(), Duration::ZERO),
            |request| (request.asked, request.within),
        );
        let open = |request: Request<T::Command>| {
            let (commands, turn, caller) = request.open();
            Open {
                lines: commands.into_iter().map(Line::new).collect(),
                turn,
                caller: Some(caller),
            }
        };
        Self {
            transport,
            limits,
            kind,
            keeper: match &*requests {
                [request] => Some(Arc::clone(request.turn())),
                _ => None,
            },
            requests: requests.into_iter().map(open).collect(),
            tries: Tries::new(patience, asked, within),
            apart: Apart::Nothing,
            strays: 0,
            has_reopened: false,
            respite: None,
        }
    }

    /// Delivers until everything is settled. An error if the server asked to be left alone: then nothing
    /// that waits behind this is to be sent either.
    pub(crate) async fn run(&mut self) -> Option<Error> {
        while self.unsettled().next().is_some() {
            if self.tries.is_over() {
                self.give_up(&Failure::out_of_time().error);
                break;
            }
            let again = self.attempt().await;
            if let Some(error) = self.respite.clone() {
                self.give_up(&error);
                break;
            }
            self.hand_over();
            if let Some(error) = again {
                if self.tries.pause().await {
                    self.transport.meter().retries.add(1);
                } else {
                    self.give_up(&error);
                }
            }
        }
        self.hand_over();
        self.respite.take()
    }

    /// One exchange; the error of what is to be sent again after a pause, if anything is.
    async fn attempt(&mut self) -> Option<Error> {
        let once = self.unsettled().any(|line| line.effect() == Effect::Once);
        if once && self.transport.divides() {
            self.apart = Apart::Commands;
        }
        let transport = Arc::clone(&self.transport);
        // Until here callers can still withdraw: nothing of theirs has left.
        let connection = Until::new(self.tries.until(), self.keeper.clone())
            .wait_for(transport.connect(once))
            .await
            .unwrap_or_else(|| Err(not_connected()));
        let connection = match connection {
            Ok(connection) => connection,
            Err(failure) => return self.fail(&self.all_unsettled(), false, &failure),
        };
        let Load {
            places,
            keys,
            runs,
            count,
            encoded: Encoded { bytes, body },
        } = self.next_load()?;
        let is_merged = MERGES && runs.len() < places.len();
        let linger = match self.kind {
            Kind::Reads => Duration::ZERO,
            Kind::Writes => LINGER,
        };
        let until = Until::new(self.tries.until() + linger, self.keeper.clone());
        let result = transport
            .exchange(&connection, self.kind, body, until)
            .await;
        let has_left = |stage| !matches!(stage, Stage::NotSent | Stage::Stale);
        if result
            .as_ref()
            .map_or_else(|failure| has_left(failure.stage), |_| true)
        {
            let meter = transport.meter();
            meter.requests.add(1);
            meter.commands.add_len(count);
            meter.bytes_sent.add_len(bytes);
        }
        match result {
            Ok(answers) if answers.len() == runs.len() => {
                if answers.iter().any(Answer::is_of_wrong_node) {
                    self.strays += 1;
                    transport.renew(&connection, self.strays);
                }
                if let Some(merging) = self.merging() {
                    merged::weigh(merging, &keys, &runs, &answers);
                }
                if is_merged {
                    let divided = merged::divide(&keys, &runs, answers, |text| {
                        not_run(text).is_some()
                            || asks_for_respite(&transport.worded(text)).is_some()
                    });
                    self.take_divided(&places, divided)
                } else {
                    self.take(&places, answers)
                }
            }
            Ok(answers) => {
                let (came, wanted) = (answers.len(), runs.len());
                let error = Error::new(
                    ErrorKind::Protocol,
                    format!("{came} answers came for {wanted} commands"),
                );
                self.fail(&places, false, &Failure::garbled(error))
            }
            Err(failure) => self.fail(&places, is_merged, &failure),
        }
    }

    /// The first unsettled commands that fit into one exchange, at least one; nothing if all callers
    /// that are left have withdrawn.
    fn next_load(&mut self) -> Option<Load<T::Body>> {
        let mut places: Few<Place> = Few::new();
        let mut commands: Few<&T::Command> = Few::new();
        let (mut bytes, mut has_alone) = (0, false);
        let most_keys = match self.apart {
            Apart::Nothing => self.merging().map_or(0, Merging::most_keys),
            _ => 0,
        };
        'full: for (at, request) in self.requests.iter_mut().enumerate() {
            let Open { lines, turn, .. } = request;
            if lines.iter().all(Line::is_settled) {
                continue;
            }
            if !places.is_empty() && (self.apart >= Apart::Callers || has_alone) {
                break;
            }
            if !turn.leave() {
                // Its caller has been told already that nothing left.
                for line in lines.iter_mut() {
                    line.settle(Err(Failure::out_of_time().error));
                }
                continue;
            }
            for (index, line) in lines
                .iter()
                .enumerate()
                .filter(|(_, line)| !line.is_settled())
            {
                let command = line.command();
                let full = commands.len() >= self.limits.commands
                    || bytes + command.bytes() > self.limits.bytes
                    || self.apart == Apart::Commands
                    || command.is_alone();
                if full && !places.is_empty() {
                    break 'full;
                }
                bytes += command.bytes();
                has_alone |= command.is_alone();
                places.push((at, index));
                commands.push(command);
            }
        }
        let runs = merged::runs(&commands, most_keys);
        (!places.is_empty()).then(|| Load {
            count: runs.iter().map(|commands| sent(commands)).sum(),
            encoded: self.transport.encode(&runs),
            keys: merged::keys(&commands),
            runs: runs.iter().map(|commands| commands.len()).collect(),
            places,
        })
    }

    /// Whether reads leave as one, and how many.
    fn merging(&self) -> Option<&Merging> {
        let may = MERGES && self.kind == Kind::Reads;
        may.then(|| self.transport.merging()).flatten()
    }

    /// Notes the answers to what left as one.
    fn take_divided(&mut self, places: &[Place], divided: Vec<Option<Answer>>) -> Option<Error> {
        if divided.iter().any(Option::is_none) {
            self.separate(Apart::Together, true);
        }
        let answered = places.iter().zip(divided);
        let answered = answered.filter_map(|(place, answer)| Some((*place, answer?)));
        let (places, answers): (Few<Place>, Vec<Answer>) = answered.unzip();
        self.take(&places, answers)
    }

    /// What is still open leaves in smaller parts from now on.
    fn separate(&mut self, apart: Apart, was_merged: bool) {
        self.apart = apart;
        if let Some(merging) = self.merging().filter(|_| was_merged) {
            merging.refused();
        }
    }

    /// Notes the answers; an error if some command should be sent again after a pause.
    fn take(&mut self, places: &[Place], answers: Vec<Answer>) -> Option<Error> {
        let tries = &self.tries;
        let mut notes: Few<Note> = Few::with_capacity(places.len());
        for (&place, answer) in places.iter().zip(answers) {
            let transport = &self.transport;
            if let Some(line) = line(&mut self.requests, place) {
                let worded = |text: &str| transport.worded(text);
                notes.push(line.hear(place, answer, || tries.may_repeat(), worded));
            }
        }
        let mut again = None;
        // Each caller's commands keep their order; those of different callers have none.
        for batch in notes.chunk_by_mut(|one, other| one.place.0 == other.place.0) {
            let said = batch.iter().map(|note| (note.effect, note.said));
            // Nearly always everything is settled, and then nothing is open again.
            let is_settled = said.clone().all(|(_, said)| said == Said::Settled);
            let open: Vec<bool> = if is_settled {
                Vec::new()
            } else {
                open_again(said).collect()
            };
            let open = open.into_iter().chain(std::iter::repeat(false));
            for (note, open) in batch.iter_mut().zip(open) {
                let Note {
                    place,
                    said,
                    outcome,
                    ..
                } = note;
                match (open, outcome.take()) {
                    (false, Some(outcome)) => {
                        self.respite = self
                            .respite
                            .take()
                            .or_else(|| asks_for_respite(outcome.as_ref().err()?));
                        if let Some(line) = line(&mut self.requests, *place) {
                            line.settle(outcome);
                        }
                    }
                    (true, Some(Err(error))) if *said == Said::NotNow => again = Some(error),
                    _ => {}
                }
            }
        }
        again
    }

    /// Settles what must not be sent again; the error back if something is to be, after a pause.
    fn fail(&mut self, places: &[Place], merged: bool, failure: &Failure) -> Option<Error> {
        if failure.stage == Stage::Refused
            && let Some(finer) = Apart::finer(places, merged)
        {
            self.separate(finer, merged);
            return None;
        }
        // Once: a server that closes each connection at once is waited for like any other.
        let is_stale = matches!(failure.stage, Stage::Stale | Stage::StaleRead);
        if is_stale && !std::mem::replace(&mut self.has_reopened, true) {
            if failure.stage == Stage::StaleRead {
                self.tries.count_failure();
                self.transport.meter().retries.add(1);
            }
            return None;
        }
        self.respite = asks_for_respite(&failure.error);
        let may_repeat = self.tries.may_repeat() && self.respite.is_none();
        let mut again = None;
        for place in places {
            let Some(line) = line(&mut self.requests, *place) else {
                continue;
            };
            if may_repeat && failure.allows_repeat(line.effect()) {
                again = Some(failure.error.clone());
            } else {
                line.settle(Err(failure.verdict(line.effect())));
            }
        }
        again
    }

    /// The same error for everything that is not settled and not on its way.
    fn give_up(&mut self, error: &Error) {
        for line in self.requests.iter_mut().flat_map(|open| &mut open.lines) {
            if !line.is_settled() {
                line.settle(Err(error.clone()));
            }
        }
    }

    /// Answers every caller whose commands are all settled.
    fn hand_over(&mut self) {
        for request in &mut self.requests {
            if !request.lines.iter().all(Line::is_settled) {
                continue;
            }
            if let Some(caller) = request.caller.take() {
                let mut replies = Vec::with_capacity(request.lines.len());
                replies.extend(request.lines.iter_mut().filter_map(Line::outcome));
                // The caller may have gone away.
                let _ = caller.send(replies);
            }
        }
    }

    fn unsettled(&self) -> impl Iterator<Item = &Line<T::Command>> {
        let lines = self.requests.iter().flat_map(|request| &request.lines);
        lines.filter(|line| !line.is_settled())
    }

    fn all_unsettled(&self) -> Vec<Place> {
        let requests = self.requests.iter().enumerate();
        let lines = requests.flat_map(|(at, request)| {
            let lines = request.lines.iter().enumerate();
            lines.map(move |(index, line)| ((at, index), line))
        });
        let open = lines.filter(|(_, line)| !line.is_settled());
        open.map(|(place, _)| place).collect()
    }
}

fn line<C>(requests: &mut [Open<C>], (request, line): Place) -> Option<&mut Line<C>> {
    requests.get_mut(request)?.lines.get_mut(line)
}

fn asks_for_respite(error: &Error) -> Option<Error> {
    respite::of(error).is_some().then(|| error.clone())
}

fn not_connected() -> Failure {
    Failure {
        stage: Stage::NotSent,
        error: Error::new(
            ErrorKind::Timeout,
            "no connection to the server was opened in time",
        ),
    }
}
