//! Two processes and a network that delivers late, more than once, in another order or not at all, drawn by lot.
//! The scripts and the client are the real ones, on the embedded engine. The interleavings that these rules are
//! there for are told in the design of late writes, in `docs/interop.md`.

mod network;

use super::Client;
use super::guard::{self, Change, Observed};
use crate::error::Error;
use crate::key::{FullKey, Key};
use crate::runtime::BoxFuture;
use crate::store::command::{Purpose, Reply};
use bytes::Bytes;
use network::{Arrival, Network, polled, processes, ready};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

const KEY: &str = "late:1";
const PROCESSES: usize = 2;
const LIFE: &[u8] = b"3600000";
const HISTORIES: u64 = 2_000;
const STEPS: usize = 40;

/// When a value was written, and by whom; a load, before its body ran; a put whose caller waits, at any time.
#[derive(Clone, Copy)]
struct Written {
    by: usize,
    at: usize,
    is_load: bool,
}

/// A put whose caller waits.
struct Slow {
    by: usize,
    value: String,
    put: BoxFuture<Result<(), Error>>,
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
    slow: Vec<Slow>,
    /// When a caller of each process last went away.
    abandoned: [usize; PROCESSES],
    /// What a process was told is there, until another or it itself does something.
    there: Option<(usize, String)>,
    checks: usize,
}

impl History {
    fn wrote(&mut self, value: &str, by: usize, at: usize, is_load: bool) {
        let written = Written { by, at, is_load };
        self.writes.insert(value.to_owned(), written);
    }

    /// Whether a put of this process may still be delivered that it has not given up.
    fn has_loose_puts(&self, process: usize) -> bool {
        self.slow.iter().any(|slow| slow.by == process)
            || self.abandoned[process] > self.acknowledged[process]
    }

    /// A caller who waits goes away.
    fn abandon(&mut self, at: usize) {
        let Slow { by, value, put } = self.slow.swap_remove(at);
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

/// One history.
struct Run {
    seed: u64,
    network: Arc<Network>,
    clients: Vec<Arc<Client>>,
    key: FullKey,
    loads: Vec<(usize, usize, Observed)>,
    history: History,
}

type Told = Box<dyn std::fmt::Debug>;

impl Run {
    fn new(seed: u64) -> Self {
        let network = Network::new(seed);
        Self {
            seed,
            clients: processes(&network),
            network,
            key: FullKey::new(KEY),
            loads: Vec::new(),
            history: History::default(),
        }
    }

    fn step(&mut self, step: usize) {
        self.history.now = step + 1;
        let process = self.network.lot(PROCESSES);
        let what = match self.network.lot(13) {
            0..3 => self.set(process, step),
            3..5 => self.delete(process, step),
            5..7 => self.read(process, step),
            7 if !self.loads.is_empty() => self.fill(step),
            8 => {
                self.history.there.take_if(|(by, _)| *by != process);
                Box::new(("flush", process, ready(self.clients[process].flush())))
            }
            9 if !self.history.slow.is_empty() => {
                let at = self.network.lot(self.history.slow.len());
                self.history.abandon(at);
                Box::new("a caller goes away")
            }
            _ => self.arrive(),
        };
        let value = self.network.value();
        self.history
            .check(value.as_deref(), &(self.seed, step, what));
    }

    fn set(&mut self, process: usize, step: usize) -> Told {
        let history = &mut self.history;
        let value = format!("{process}:{step}");
        history.there = None;
        history.wrote(&value, process, step, false);
        let (client, key) = (Arc::clone(&self.clients[process]), self.key.clone());
        let entry = (key, Bytes::from(value.clone()));
        let mut put: BoxFuture<_> = Box::pin(async move {
            let counters = client.registry.counters("late");
            client
                .put(vec![entry], &Bytes::from_static(LIFE), &counters)
                .await
        });
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
                history.wrote(&value, process, usize::MAX, false);
                let by = process;
                history.slow.push(Slow { by, value, put });
            }
        }
        Box::new(("set", process, result))
    }

    fn delete(&mut self, process: usize, step: usize) -> Told {
        self.history.there = None;
        let deleted = ready(self.clients[process].invalidate_all([Key::from(KEY)]));
        if deleted.is_ok() {
            self.history.acknowledged[process] = step;
        }
        self.history.own[process] = None;
        Box::new(("delete", process, deleted))
    }

    /// What a process reads, it loads.
    fn read(&mut self, process: usize, step: usize) -> Told {
        let history = &mut self.history;
        // Only what is owed by another may take a value away.
        history.there.take_if(|(by, _)| *by != process);
        let client = &self.clients[process];
        let counters = client.registry.counters("late");
        let read = guard::read(&self.key);
        let read = client.settled(&self.key, &counters, read, Duration::ZERO);
        if let Ok(observed) = ready(read).and_then(guard::observed) {
            let value = observed.value.as_deref();
            let value = value.map(|it| String::from_utf8(it.to_vec()).unwrap());
            if let Some(value) = value {
                let Written { by, at, is_load } = history.writes[&value];
                let is_last = history.own[process].as_ref() == Some(&value);
                let believes = is_load || by != process || is_last || at == usize::MAX;
                assert!(believes, "{process} believes {value}: {} {step}", self.seed);
            }
            self.loads.push((process, step, observed));
        }
        Box::new(("read", process))
    }

    fn fill(&mut self, step: usize) -> Told {
        let (process, at, observed) = {
            let at = self.network.lot(self.loads.len());
            self.loads.swap_remove(at)
        };
        let value = format!("load of {process}:{at}:{step}");
        self.history.there = None;
        self.history.wrote(&value, process, at, true);
        let (before, life) = (ready(observed.sha1()), Bytes::from_static(LIFE));
        let fill = guard::fill(&self.key, &[], &observed, before, value.into(), life);
        let filled = ready(self.clients[process].send(vec![fill], Duration::ZERO));
        Box::new(("fill", process, filled))
    }

    fn arrive(&mut self) -> Told {
        let arrival = self.network.deliver();
        if let Some(arrival) = &arrival {
            let is_loose = arrival.is_put && self.history.has_loose_puts(arrival.from);
            let keeps = |by| by == arrival.from && !arrival.is_plain && !is_loose;
            self.history.there.take_if(|(by, _)| !keeps(*by));
        }
        Box::new(arrival)
    }
}

fn history(seed: u64) -> usize {
    let mut run = Run::new(seed);
    for step in 0..STEPS {
        run.step(step);
    }
    run.history.checks
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
    let full = FullKey::new(KEY);
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
