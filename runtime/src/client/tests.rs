//! Two processes and a network that delivers late, more than once, in another order or not at all, drawn by lot.
//! The scripts and the client are the real ones, on the embedded engine. The interleavings that these rules are
//! there for are told in the design of late writes, in `docs/interop.md`.

use super::Client;
use super::guard::{self, Change, Observed};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::key::{FullKey, Key};
use crate::runtime::BoxFuture;
use crate::settings::Settings;
use crate::stats::Registry;
use crate::store::command::{Call, Command, Effect, Purpose, Reply, Script};
use crate::store::memory::Memory;
use crate::store::{Batch, Store};
use crate::sync;
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

const KEY: &str = "late:1";
const PROCESSES: usize = 2;
const HISTORIES: u64 = 2_000;
const STEPS: usize = 40;

/// Numbers by lot, the same for the same seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }
}

/// What is under way, by the process that sent it.
struct Late {
    from: usize,
    commands: VecDeque<Command>,
}

/// A server, and what it has not got yet.
struct Network {
    server: Memory,
    state: Mutex<(Dice, Vec<Late>)>,
}

/// What the network delivered late.
#[derive(Debug)]
struct Arrival {
    from: usize,
    /// Whether it is half of a first invalidation, which costs a miss if it is late.
    is_plain: bool,
    is_put: bool,
}

/// The outcome of a future; none if it waits for an answer.
fn polled<F: Future + ?Sized>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// The outcome of a future that has nothing to wait for.
fn ready<F: Future>(future: F) -> F::Output {
    polled(std::pin::pin!(future)).expect("it does not wait")
}

fn is_put(command: &Command) -> bool {
    let Call::Script { script, .. } = command.call else {
        return false;
    };
    script == Script::Put
}

impl Network {
    fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            server: Memory::new(Clock::System, 1 << 20, Arc::default()),
            state: Mutex::new((Dice(seed), Vec::new())),
        })
    }

    fn run(&self, command: Command) -> Result<Reply, Error> {
        let batch = Batch {
            commands: vec![command],
            within: std::time::Duration::ZERO,
        };
        ready(self.server.send(batch)).pop().unwrap()
    }

    fn lot(&self, bound: usize) -> usize {
        sync::lock(&self.state).0.below(bound)
    }

    fn delay(&self, from: usize, commands: impl IntoIterator<Item = Command>) {
        let commands: VecDeque<_> = commands.into_iter().collect();
        if !commands.is_empty() {
            sync::lock(&self.state).1.push(Late { from, commands });
        }
    }

    /// What a process sends: it runs and is answered, or one of the things that go wrong. None for a put that is
    /// slow: its caller may go away before there is an answer.
    fn carry(&self, from: usize, commands: Vec<Command>) -> Option<Vec<Result<Reply, Error>>> {
        if commands.iter().all(is_put) && self.lot(5) == 0 {
            if self.lot(3) == 0 {
                commands.into_iter().for_each(|it| drop(self.run(it)));
            } else {
                self.delay(from, commands);
            }
            return None;
        }
        Some(self.answers(from, commands))
    }

    fn answers(&self, from: usize, commands: Vec<Command>) -> Vec<Result<Reply, Error>> {
        let repeatable: Vec<_> = commands
            .iter()
            .filter(|it| it.effect != Effect::Once)
            .cloned()
            .collect();
        let delivered = match self.lot(10) {
            0..5 => return commands.into_iter().map(|it| self.run(it)).collect(),
            5 => {
                let refused = Error::new(ErrorKind::Unavailable, "nothing left");
                return commands.iter().map(|_| Err(refused.clone())).collect();
            }
            // The first copy is late, and the engine sends it again.
            6 if repeatable.len() == commands.len() => {
                self.delay(from, commands.clone());
                return commands.into_iter().map(|it| self.run(it)).collect();
            }
            6 | 7 => commands.len(),
            8 => self.lot(commands.len() + 1),
            _ => 0,
        };
        if self.lot(4) == 0 {
            self.delay(from, repeatable);
        }
        let lost = |command: &Command| match command.effect {
            Effect::Read => Err(Error::new(ErrorKind::Timeout, "no answer")),
            _ => Err(Error::new(ErrorKind::OutcomeUnknown, "no answer")),
        };
        let answers = commands.iter().map(lost).collect();
        let mut commands = VecDeque::from(commands);
        for command in commands.drain(..delivered) {
            drop(self.run(command));
        }
        self.delay(from, commands);
        answers
    }

    /// Something that is under way arrives.
    fn deliver(&self) -> Option<Arrival> {
        let (from, command) = {
            let (dice, late) = &mut *sync::lock(&self.state);
            if late.is_empty() {
                return None;
            }
            let at = dice.below(late.len());
            let from = late[at].from;
            let command = late[at].commands.pop_front().unwrap();
            if late[at].commands.is_empty() {
                late.swap_remove(at);
            }
            (from, command)
        };
        if command.effect == Effect::Repeatable && self.lot(4) == 0 {
            self.delay(from, [command.clone()]);
        }
        let is_plain = matches!(command.call, Call::Plain(_)) && command.effect != Effect::Read;
        let is_put = is_put(&command);
        drop(self.run(command));
        Some(Arrival {
            from,
            is_plain,
            is_put,
        })
    }

    fn value(&self) -> Option<String> {
        let value = self.server.peek(KEY.as_bytes())?;
        Some(String::from_utf8(value.to_vec()).unwrap())
    }
}

/// The network as one process has it.
struct Line {
    process: usize,
    network: Arc<Network>,
}

impl Store for Line {
    fn send(&self, batch: Batch) -> BoxFuture<Vec<Result<Reply, Error>>> {
        match self.network.carry(self.process, batch.commands) {
            Some(answers) => Box::pin(std::future::ready(answers)),
            None => Box::pin(std::future::pending()),
        }
    }
}

fn processes(network: &Arc<Network>) -> Vec<Arc<Client>> {
    let line = |process| Line {
        process,
        network: Arc::clone(network),
    };
    let settings = || Settings {
        retries: 0,
        ..Settings::default()
    };
    (0..PROCESSES)
        .map(|process| {
            let store: Box<dyn Store> = Box::new(line(process));
            Arc::new(Client::new(
                Ok(store),
                settings(),
                Registry::default(),
                false,
            ))
        })
        .collect()
}

/// When a value was written, and by whom; a load, before its body ran; a put whose caller waits, at any time.
#[derive(Clone, Copy)]
struct Written {
    by: usize,
    at: usize,
    is_load: bool,
}

/// What has to hold, from what callers were told.
#[derive(Default)]
struct History {
    now: usize,
    writes: HashMap<String, Written>,
    /// When each process last began a change that was acknowledged.
    acknowledged: [usize; PROCESSES],
    /// What each last wrote: nothing if that has no answer, or was a delete.
    own: [Option<String>; PROCESSES],
    /// Puts whose callers wait.
    slow: Vec<(usize, String, BoxFuture<Result<(), Error>>)>,
    /// When a caller of each process last went away.
    abandoned: [usize; PROCESSES],
    /// What a process was told is there, until another or it itself does something.
    there: Option<(usize, String)>,
    checks: usize,
}

impl History {
    /// Whether a put of this process may still be delivered that it has not given up.
    fn has_loose_puts(&self, process: usize) -> bool {
        self.slow.iter().any(|(by, ..)| *by == process)
            || self.abandoned[process] > self.acknowledged[process]
    }

    /// A caller who waits goes away.
    fn abandon(&mut self, at: usize) {
        let (by, value, put) = self.slow.swap_remove(at);
        drop(put);
        self.abandoned[by] = self.now;
        self.writes.get_mut(&value).unwrap().at = self.now;
    }

    /// What the server holds may be there.
    fn check(&mut self, value: Option<&str>, why: &dyn std::fmt::Debug) {
        if let Some((by, there)) = &self.there {
            assert_eq!(value, Some(&there[..]), "what {by} was told: {why:?}");
            self.checks += 1;
        }
        let Some(Written { by, at, is_load }) = value.map(|value| self.writes[value]) else {
            return;
        };
        let later = if is_load {
            self.acknowledged.into_iter().max().unwrap()
        } else {
            self.acknowledged[by]
        };
        assert!(
            at >= later,
            "{value:?} of {at} is back after {later}: {why:?}"
        );
    }
}

fn history(seed: u64) -> usize {
    let network = Network::new(seed);
    let clients = processes(&network);
    let key = Key::from(KEY);
    let full = FullKey::new(KEY.into());
    let life = Bytes::from_static(b"3600000");
    let mut history = History::default();
    let mut loads: Vec<(usize, usize, Observed)> = Vec::new();
    for step in 0..STEPS {
        history.now = step + 1;
        let process = network.lot(PROCESSES);
        let client = &clients[process];
        let counters = client.registry.counters("late");
        let what: Box<dyn std::fmt::Debug> = match network.lot(13) {
            0..3 => {
                let value = format!("{process}:{step}");
                history.there = None;
                history.writes.insert(
                    value.clone(),
                    Written {
                        by: process,
                        at: step,
                        is_load: false,
                    },
                );
                let entry = (full.clone(), Bytes::from(value.clone()));
                let (client, life) = (Arc::clone(client), life.clone());
                let mut put: BoxFuture<_> =
                    Box::pin(async move { client.put(vec![entry], &life, &counters).await });
                let result = polled(put.as_mut());
                match &result {
                    Some(Ok(())) => {
                        history.acknowledged[process] = step;
                        history.there = Some((process, value.clone()));
                        history.own[process] = Some(value);
                    }
                    Some(Err(error)) if error.may_have_run() => history.own[process] = None,
                    Some(Err(_)) => {}
                    None => {
                        history.writes.get_mut(&value).unwrap().at = usize::MAX;
                        history.slow.push((process, value, put));
                    }
                }
                Box::new((seed, step, process, "set", result))
            }
            3..5 => {
                history.there = None;
                let deleted = ready(client.invalidate_all([key.clone()]));
                if deleted.is_ok() {
                    history.acknowledged[process] = step;
                }
                history.own[process] = None;
                Box::new((seed, step, process, "delete", deleted))
            }
            5..7 => {
                // Only what is owed by another may take a value away.
                history.there.take_if(|(by, _)| *by != process);
                let read = client.settled(
                    &full,
                    &counters,
                    guard::read(&full),
                    std::time::Duration::ZERO,
                );
                let observed = ready(read).and_then(guard::observed);
                if let Ok(observed) = &observed {
                    let value = observed.value.as_deref();
                    let value = value.map(|it| String::from_utf8(it.to_vec()).unwrap());
                    if let Some(value) = value.filter(|it| !history.writes[it].is_load) {
                        let own = history.writes[&value].by == process;
                        let last = history.own[process].as_ref() == Some(&value);
                        let is_slow = history.writes[&value].at == usize::MAX;
                        assert!(
                            !own || last || is_slow,
                            "{process} believes {value}: {seed} {step}"
                        );
                    }
                    loads.push((process, step, observed.clone()));
                }
                Box::new((seed, step, process, "read"))
            }
            7 if !loads.is_empty() => {
                let (process, at, observed) = loads.swap_remove(network.lot(loads.len()));
                let value = format!("load of {process}:{at}:{step}");
                history.there = None;
                history.writes.insert(
                    value.clone(),
                    Written {
                        by: process,
                        at,
                        is_load: true,
                    },
                );
                let before = ready(observed.sha1());
                let fill = guard::fill(&full, &observed, before, value.into(), life.clone());
                let filled = ready(clients[process].send(vec![fill], std::time::Duration::ZERO));
                Box::new((seed, step, process, "fill", filled))
            }
            8 => {
                history.there.take_if(|(by, _)| *by != process);
                Box::new((seed, step, process, "flush", ready(client.flush())))
            }
            9 if !history.slow.is_empty() => {
                history.abandon(network.lot(history.slow.len()));
                Box::new((seed, step, "a caller goes away"))
            }
            _ => {
                let arrival = network.deliver();
                if let Some(arrival) = &arrival {
                    let is_loose = arrival.is_put && history.has_loose_puts(arrival.from);
                    let keeps = |by| by == arrival.from && !arrival.is_plain && !is_loose;
                    history.there.take_if(|(by, _)| !keeps(*by));
                }
                Box::new((seed, step, arrival))
            }
        };
        history.check(network.value().as_deref(), &what);
    }
    history.checks
}

#[test]
fn no_late_delivery_undoes_what_was_acknowledged() {
    let checks: usize = (0..HISTORIES).map(history).sum();
    assert!(checks > 5_000, "{checks}");
}

/// A counter, and what it was last told to be.
fn count(seed: u64) -> usize {
    let network = Network::new(seed);
    let clients = processes(&network);
    let key = Key::from(KEY);
    let full = FullKey::new(KEY.into());
    let mut there: Option<(usize, String)> = None;
    let mut checks = 0;
    for step in 0..STEPS {
        let process = network.lot(PROCESSES);
        match network.lot(8) {
            0..3 => {
                let change = Change {
                    name: "INCRBY",
                    args: vec!["1".into()],
                    life: None,
                    purpose: Purpose::Value,
                };
                let counted = ready(clients[process].change(&key, &full, change, false));
                there = match counted {
                    Ok(Reply::Int(sum)) => Some((process, sum.to_string())),
                    Ok(other) => panic!("{other:?}"),
                    Err(_) => None,
                };
            }
            3 => {
                there.take_if(|(by, _)| *by != process);
                drop(ready(clients[process].flush()));
            }
            _ => {
                if let Some(Arrival { from, .. }) = network.deliver() {
                    there.take_if(|(by, _)| *by != from);
                }
            }
        }
        if let Some((by, sum)) = &there {
            assert_eq!(network.value().as_ref(), Some(sum), "{by}: {seed} {step}");
            checks += 1;
        }
    }
    checks
}

#[test]
fn no_late_increment_is_counted_after_a_later_one_was_answered() {
    let checks: usize = (0..HISTORIES).map(count).sum();
    assert!(checks > 5_000, "{checks}");
}
