//! Delivers requests to the server, as often as the effect of each command allows: encode, exchange, note
//! the answers, and send again what did not run and may. What is settled is handed over at once, so a
//! request never waits for the repeats of another.

mod apart;
mod merged;

use super::command::{Effect, Reply};
#[cfg(not(target_arch = "wasm32"))]
use super::deadlines::Deadlines;
use super::line::{Line, Note, Place};
use super::merging::Merging;
use super::repeat::{Failure, Patience, Stage, Tries};
use super::respite;
use super::sequence::{Said, open_again};
use super::server_error::not_run;
use super::transport::{Answer, Encoded, Kind, Outgoing, Transport, sent};
use super::turn::Turn;
use super::until::Until;
use super::waiting::Request;
use crate::clock::Since;
use crate::error::{Error, ErrorKind};
use crate::few::Few;
#[cfg(not(target_arch = "wasm32"))]
use crate::few::memory_of;
use crate::store::request_limits::RequestLimits;
use apart::Apart;
use merged::MERGES;
use std::sync::Arc;
use std::time::Duration;

/// How long the answer to a write is still listened for when nobody waits for it any more. On a
/// transport with one write under way, that is also how long it may hold up the writes behind it.
const LINGER: Duration = Duration::from_secs(1);

pub(crate) struct Delivery<T: Transport> {
    transport: Arc<T>,
    limits: RequestLimits,
    kind: Kind,
    requests: Few<Request<T::Command>>,
    /// The caller who may keep the time, where there is only one.
    keeper: Option<Arc<Turn>>,
    /// Where the time is kept together with that of others.
    #[cfg(not(target_arch = "wasm32"))]
    deadlines: Option<Arc<Deadlines>>,
    tries: Tries,
    apart: Apart,
    /// Exchanges that a wrong node answered.
    strays: u32,
    /// Whether a connection was found closed and replaced.
    has_reopened: bool,
    /// The error in which the server asked to be left alone.
    respite: Option<Error>,
}

/// What one exchange carries.
struct Load {
    places: Few<Place>,
    /// How many keys each of them reads, if it is an `MGET`.
    keys: Few<usize>,
    /// How many of them leave as one command.
    runs: Few<usize>,
    /// How many commands of callers it holds.
    count: usize,
    /// And on the wire.
    bytes: usize,
}

/// What came of a first exchange, of the only command, that somebody else made.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) enum Begun<T: Transport> {
    NotConnected(Failure),
    Exchanged {
        connection: T::Connection,
        bytes: usize,
        result: Result<Vec<Answer>, Failure>,
    },
}

/// Takes note of the answer to a command that left by itself, if there is nothing else to do about it.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn clean_reply<T: Transport>(
    transport: &T,
    command: &T::Command,
    bytes: usize,
    answers: &mut Vec<Answer>,
) -> Option<Reply> {
    let [Answer::Reply(_)] = &answers[..] else {
        return None;
    };
    let meter = transport.meter();
    meter.requests.add(1);
    meter.commands.add_len(command.count());
    meter.bytes_sent.add_len(bytes);
    if let Some(merging) = transport.merging() {
        merged::weigh(merging, &merged::keys(&[command]), &[1], answers);
    }
    match answers.pop() {
        Some(Answer::Reply(reply)) => Some(reply),
        _ => None,
    }
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
        Self {
            transport,
            limits,
            kind,
            keeper: match &*requests {
                [request] => Some(Arc::clone(request.turn())),
                _ => None,
            },
            requests,
            #[cfg(not(target_arch = "wasm32"))]
            deadlines: None,
            tries: Tries::new(patience, asked, within),
            apart: Apart::Nothing,
            strays: 0,
            has_reopened: false,
            respite: None,
        }
    }

    /// The same, with its time kept together with that of others.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn among(self, deadlines: &Arc<Deadlines>) -> Self {
        Self {
            deadlines: Some(Arc::clone(deadlines)),
            ..self
        }
    }

    fn until(&self, linger: Duration) -> Until {
        let instant = self.tries.until() + linger;
        #[cfg(not(target_arch = "wasm32"))]
        return Until::new(instant, self.keeper.clone()).among(self.deadlines.as_ref());
        #[cfg(target_arch = "wasm32")]
        Until::new(instant, self.keeper.clone())
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
            if !self.goes_on(again).await {
                break;
            }
        }
        self.hand_over();
        self.respite.take()
    }

    /// It is over; the memory of its requests is for others.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn end(self) -> Option<Vec<Request<T::Command>>> {
        memory_of(self.requests)
    }

    /// As [`Self::run`], where the first exchange was made.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) async fn run_on(&mut self, begun: Begun<T>) -> Option<Error> {
        let again = match begun {
            Begun::NotConnected(failure) => self.fail(&self.all_unsettled(), false, &failure),
            Begun::Exchanged {
                connection,
                bytes,
                result,
            } => {
                let load = self.of_one(bytes)?;
                self.heard(&connection, &load, result)
            }
        };
        if self.goes_on(again).await {
            return self.run().await;
        }
        self.hand_over();
        self.respite.take()
    }

    /// What the only command is, as a load that took so many bytes.
    #[cfg(not(target_arch = "wasm32"))]
    fn of_one(&self, bytes: usize) -> Option<Load> {
        let command = self.requests.first()?.lines.first()?.command();
        Some(Load {
            places: Few::from([(0, 0)]),
            keys: merged::keys(&[command]),
            runs: Few::from([1]),
            count: command.count(),
            bytes,
        })
    }

    /// Hands over what is settled, and pauses where something is to be sent again; whether there is to be another
    /// exchange.
    async fn goes_on(&mut self, again: Option<Error>) -> bool {
        if let Some(error) = self.respite.clone() {
            self.give_up(&error);
            return false;
        }
        self.hand_over();
        if let Some(error) = again {
            if self.tries.pause().await {
                self.transport.meter().retries.add(1);
            } else {
                self.give_up(&error);
            }
        }
        true
    }

    /// One exchange; the error of what is to be sent again after a pause, if anything is.
    async fn attempt(&mut self) -> Option<Error> {
        let once = self.unsettled().any(|line| line.effect() == Effect::Once);
        if once && self.transport.divides() {
            self.apart = Apart::Commands;
        }
        let transport = Arc::clone(&self.transport);
        // Until here callers can still withdraw: nothing of theirs has left.
        let connection = self
            .until(Duration::ZERO)
            .wait_for(transport.connect(once))
            .await
            .unwrap_or_else(|| Err(not_connected()));
        let connection = match connection {
            Ok(connection) => connection,
            Err(failure) => return self.fail(&self.all_unsettled(), false, &failure),
        };
        let (load, body) = self.next_load()?;
        let linger = match self.kind {
            Kind::Reads => Duration::ZERO,
            Kind::Writes => LINGER,
        };
        let until = self.until(linger);
        let result = transport
            .exchange(&connection, self.kind, body, until)
            .await;
        self.heard(&connection, &load, result)
    }

    /// Takes note of what came of an exchange.
    fn heard(
        &mut self,
        connection: &T::Connection,
        load: &Load,
        result: Result<Vec<Answer>, Failure>,
    ) -> Option<Error> {
        let Load {
            places, keys, runs, ..
        } = load;
        let is_merged = MERGES && runs.len() < places.len();
        let has_left = |stage| !matches!(stage, Stage::NotSent | Stage::Stale);
        if result
            .as_ref()
            .map_or_else(|failure| has_left(failure.stage), |_| true)
        {
            let meter = self.transport.meter();
            meter.requests.add(1);
            meter.commands.add_len(load.count);
            meter.bytes_sent.add_len(load.bytes);
        }
        match result {
            Ok(mut answers) if answers.len() == runs.len() => {
                if answers.iter().any(Answer::is_of_wrong_node) {
                    self.strays += 1;
                    self.transport.renew(connection, self.strays);
                }
                if let Some(merging) = self.merging() {
                    merged::weigh(merging, keys, runs, &answers);
                }
                if let Some(items) = merged::all_read(keys, runs, &mut answers) {
                    self.share(places, keys, items);
                    None
                } else if is_merged {
                    let divided = merged::divide(keys, runs, answers, |text| {
                        not_run(text).is_some()
                            || asks_for_respite(&self.transport.worded(text)).is_some()
                    });
                    self.take_divided(places, divided)
                } else {
                    self.take(places, answers)
                }
            }
            Ok(answers) => {
                let (came, wanted) = (answers.len(), runs.len());
                let error = Error::new(
                    ErrorKind::Protocol,
                    format!("{came} answers came for {wanted} commands"),
                );
                self.fail(places, false, &Failure::garbled(error))
            }
            Err(failure) => self.fail(places, is_merged, &failure),
        }
    }

    /// The first unsettled commands that fit into one exchange, at least one; nothing if all callers
    /// that are left have withdrawn.
    fn next_load(&mut self) -> Option<(Load, T::Body)> {
        let mut places: Few<Place> = Few::with_capacity(self.requests.len());
        let mut commands: Few<&T::Command> = Few::with_capacity(self.requests.len());
        let (mut bytes, mut has_alone) = (0, false);
        let most_keys = match self.apart {
            Apart::Nothing => self.merging().map_or(0, Merging::most_keys),
            _ => 0,
        };
        'full: for (at, request) in self.requests.iter_mut().enumerate() {
            if request.lines.iter().all(Line::is_settled) {
                continue;
            }
            if !places.is_empty() && (self.apart >= Apart::Callers || has_alone) {
                break;
            }
            if !request.turn().leave() {
                // Its caller has been told already that nothing left.
                for line in &mut request.lines {
                    line.settle(Err(Failure::out_of_time().error));
                }
                continue;
            }
            let lines = request.lines.iter().enumerate();
            for (index, line) in lines.filter(|(_, line)| !line.is_settled()) {
                let command = line.command();
                let own = command.bytes();
                let full = commands.len() >= self.limits.commands
                    || bytes + own > self.limits.bytes
                    || self.apart == Apart::Commands
                    || command.is_alone();
                if full && !places.is_empty() {
                    break 'full;
                }
                bytes += own;
                has_alone |= command.is_alone();
                places.push((at, index));
                commands.push(command);
            }
        }
        let runs = merged::runs(&commands, most_keys);
        if places.is_empty() {
            return None;
        }
        let Encoded { bytes, body } = self.transport.encode(&runs);
        let load = Load {
            count: runs.iter().map(|commands| sent(commands)).sum(),
            keys: merged::keys(&commands),
            runs: runs.iter().map(|commands| commands.len()).collect(),
            places,
            bytes,
        };
        Some((load, body))
    }

    /// Whether reads leave as one, and how many.
    fn merging(&self) -> Option<&Merging> {
        let may = MERGES && self.kind == Kind::Reads;
        may.then(|| self.transport.merging()).flatten()
    }

    /// Gives everybody what was read for all.
    fn share(&mut self, places: &[Place], keys: &[usize], items: Vec<Reply>) {
        let mut items = items.into_iter();
        for (&place, &keys) in places.iter().zip(keys) {
            let own = items.by_ref().take(keys).collect();
            self.settle(place, Ok(Reply::Array(own)));
        }
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
        let is_alone = |at: usize| {
            let of = |at: Option<usize>| places.get(at?).map(|place| place.0);
            let own = of(Some(at));
            own != of(at.checked_sub(1)) && own != of(at.checked_add(1))
        };
        let mut notes: Few<Note> = Few::new();
        for (at, (&place, answer)) in places.iter().zip(answers).enumerate() {
            let (transport, tries) = (&self.transport, &self.tries);
            if let Some(line) = line(&mut self.requests, place) {
                let worded = |text: &str| transport.worded(text);
                let mut note = line.hear(place, answer, || tries.may_repeat(), worded);
                match note.outcome.take() {
                    // Nearly always, and then there is no order to keep.
                    Some(outcome) if note.said == Said::Settled && is_alone(at) => {
                        self.settle(place, outcome);
                    }
                    outcome => notes.push(Note { outcome, ..note }),
                }
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
                    (false, Some(outcome)) => self.settle(*place, outcome),
                    (true, Some(Err(error))) if *said == Said::NotNow => again = Some(error),
                    _ => {}
                }
            }
        }
        again
    }

    fn settle(&mut self, place: Place, outcome: Result<Reply, Error>) {
        if self.respite.is_none()
            && let Err(error) = &outcome
        {
            self.respite = asks_for_respite(error);
        }
        if let Some(request) = self.requests.get_mut(place.0) {
            request.settle(place.1, outcome);
        }
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
        self.requests.iter_mut().for_each(Request::hand_over);
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

fn line<C>(requests: &mut [Request<C>], (request, line): Place) -> Option<&mut Line<C>> {
    requests.get_mut(request)?.lines.get_mut(line)
}

fn asks_for_respite(error: &Error) -> Option<Error> {
    respite::of(error).is_some().then(|| error.clone())
}

pub(crate) fn not_connected() -> Failure {
    Failure {
        stage: Stage::NotSent,
        error: Error::new(
            ErrorKind::Timeout,
            "no connection to the server was opened in time",
        ),
    }
}
