//! A network that delivers late, more than once, in another order or not at all, drawn by lot.

use super::{KEY, PROCESSES};
use crate::client::Client;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::random::dice::Dice;
use crate::runtime::BoxFuture;
use crate::settings::Settings;
use crate::stats::Registry;
use crate::store::command::{Call, Command, Effect, Reply, Script};
use crate::store::memory::Memory;
use crate::store::{Batch, Replies, Store};
use crate::sync;
use bytes::Bytes;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// What is under way, by the process that sent it.
struct Late {
    from: usize,
    commands: VecDeque<Command>,
}

/// A server, and what it has not got yet.
pub(super) struct Network {
    server: Memory,
    state: Mutex<(Dice, Vec<Late>)>,
}

/// What the network delivered late.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) from: usize,
    /// Whether it is half of a first invalidation, which costs a miss if it is late.
    pub(super) is_plain: bool,
    pub(super) is_put: bool,
}

/// The outcome of a future; none if it waits for an answer.
pub(super) fn polled<F: Future + ?Sized>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// The outcome of a future that has nothing to wait for.
pub(super) fn ready<F: Future>(future: F) -> F::Output {
    polled(std::pin::pin!(future)).expect("it does not wait")
}

fn is_put(command: &Command) -> bool {
    let Call::Script { script, .. } = command.call else {
        return false;
    };
    script == Script::Put
}

impl Network {
    pub(super) fn new(seed: u64) -> Arc<Self> {
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

    pub(super) fn lot(&self, bound: usize) -> usize {
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
    fn carry(&self, from: usize, commands: Vec<Command>) -> Option<Replies> {
        if commands.iter().all(is_put) && self.lot(5) == 0 {
            if self.lot(3) == 0 {
                for command in commands {
                    drop(self.run(command));
                }
            } else {
                self.delay(from, commands);
            }
            return None;
        }
        Some(self.answers(from, commands))
    }

    fn answers(&self, from: usize, commands: Vec<Command>) -> Replies {
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
    pub(super) fn deliver(&self) -> Option<Arrival> {
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

    pub(super) fn value(&self) -> Option<String> {
        let get = Command::new(Effect::Read, ["GET", KEY].map(Bytes::from));
        match self.run(get).ok()? {
            Reply::Bulk(value) => Some(String::from_utf8(value.to_vec()).unwrap()),
            _ => None,
        }
    }
}

/// The network as one process has it.
struct Line {
    process: usize,
    network: Arc<Network>,
}

impl Store for Line {
    fn send(&self, batch: Batch) -> BoxFuture<Replies> {
        match self.network.carry(self.process, batch.commands) {
            Some(answers) => Box::pin(std::future::ready(answers)),
            None => Box::pin(std::future::pending()),
        }
    }
}

pub(super) fn processes(network: &Arc<Network>) -> Vec<Arc<Client>> {
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
