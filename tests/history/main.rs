//! Several processes on one cache, under faults: stalls that let old bytes through later, cut connections,
//! lost answers, processes that are stopped for a while or killed. Whatever happens, a read that begins
//! after an acknowledged change finds nothing older, no acknowledged write is lost, and nothing that was
//! removed comes back; not out of a batch, and not as an old value either.
//!
//! Each run is seconds long. For minutes: `MILLPOND_HISTORY_SECONDS=300 cargo test --release --all-features
//! --test history -- --nocapture`; `MILLPOND_HISTORY_SEED` repeats the choices of a run, which prints its seed
//! (the interleaving itself is up to the machine).

#![cfg(all(feature = "upstash", feature = "redis"))]

mod dice;
mod faults;
mod functions;
mod record;
#[path = "../support/mod.rs"]
mod support;
mod worker;

use dice::Dice;
use faults::{Faults, Server};
use millpond::{ManualClock, Millpond};
use millpond_gateway::{Database, needs_redis};
use record::{Act, End, Operation, Record};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use support::process::Process;
use tokio::sync::mpsc;

const PROCESSES: usize = 3;

/// How many orders a process has at a time.
const ORDERS: usize = 12;

/// The part of the other processes.
#[tokio::test]
#[ignore = "the other tests run it in a process of its own"]
async fn a_process_of_the_history() {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let (url, token) = (variable("HISTORY_URL"), variable("HISTORY_TOKEN"));
    if url.is_empty() {
        return;
    }
    let builder = match token.as_str() {
        "" => Millpond::builder().redis(url),
        token => Millpond::builder().upstash(url, token),
    };
    // A circuit that stays open for seconds would leave little to check: its clock runs faster.
    let clock = ManualClock::new();
    let builder = builder
        .budget(Duration::from_millis(250))
        .backoff(Duration::from_millis(10))
        .clock(clock.clone());
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            clock.advance(Duration::from_millis(100));
        }
    });
    let truth = variable("HISTORY_TRUTH");
    let (port, number) = truth.split_once('/').expect("a port and a number");
    let truth = Database::at(port.parse().unwrap(), number.parse().unwrap());
    worker::work(builder.build().unwrap(), truth).await;
}

#[tokio::test]
async fn over_rest_nothing_older_comes_back() {
    let redis = needs_redis!();
    run(Server::rest(redis).await).await;
}

#[tokio::test]
async fn over_resp_nothing_older_comes_back() {
    let redis = needs_redis!();
    run(Server::resp(redis).await).await;
}

/// What a name stands for, and who changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// An entry that every process invalidates and reads.
    Shared,
    /// An entry that one process changes in every way, and all read. A `put` that arrives after another
    /// process's invalidation is not caught, which docs/interop.md says.
    Entry,
    /// A group of entries that every process invalidates by their tag, and reads.
    Group,
    /// An entry that every process invalidates and reads, past its lifetime for the most part.
    Old,
    Field,
    Session,
}

impl Kind {
    /// After so many changes a name is left alone for another. A session that was destroyed stays so, and
    /// what comes after that shows it.
    fn changes(self) -> u64 {
        match self {
            Self::Session => 20,
            Self::Shared | Self::Entry | Self::Group | Self::Old | Self::Field => 60,
        }
    }
}

#[derive(Clone, Debug)]
struct Name {
    text: String,
    kind: Kind,
    owner: usize,
}

/// What a process can be told for a name of a kind, and how often. Reads stand first.
fn verbs(kind: Kind, owns: bool) -> &'static [(&'static str, Act)] {
    use Act::{Erase, Get, Read, Remove, Write};
    match (kind, owns) {
        (Kind::Shared, _) => &[
            ("read", Read),
            ("read_many", Read),
            ("get", Get),
            ("invalidate", Remove),
            ("delete", Remove),
        ],
        (Kind::Entry, true) => &[
            ("read", Read),
            ("read_many", Read),
            ("get", Get),
            ("get", Get),
            ("put", Write),
            ("set", Write),
            ("set_many", Write),
            ("update", Remove),
            ("invalidate", Remove),
            ("delete", Remove),
        ],
        (Kind::Entry, false) => &[("read", Read), ("read_many", Read), ("get", Get)],
        (Kind::Group, _) => &[
            ("read_page", Read),
            ("read_pages", Read),
            ("get_page", Get),
            ("invalidate_group", Remove),
            ("update_page", Remove),
        ],
        (Kind::Old, _) => &[
            ("read_old", Read),
            ("read_old", Read),
            ("read_old", Read),
            ("read_old", Read),
            ("get_old", Get),
            ("invalidate_old", Remove),
            ("update_old", Remove),
        ],
        (Kind::Field, true) => &[
            ("hget", Get),
            ("hget", Get),
            ("hset", Write),
            ("hset", Write),
            ("hdelete", Erase),
        ],
        (Kind::Field, false) => &[("hget", Get)],
        (Kind::Session, true) => &[
            ("sget", Get),
            ("sget", Get),
            ("supdate", Write),
            ("supdate", Write),
            ("sdestroy", Erase),
        ],
        (Kind::Session, false) => &[],
    }
}

/// What is tried: all, or those of `MILLPOND_HISTORY_KINDS=shared,entry,group,old,field,session`.
fn kinds() -> Vec<Kind> {
    let all = [
        Kind::Shared,
        Kind::Entry,
        Kind::Group,
        Kind::Old,
        Kind::Field,
        Kind::Session,
    ];
    let wanted = std::env::var("MILLPOND_HISTORY_KINDS")
        .unwrap_or_else(|_| "shared,entry,group,old,field,session".to_owned());
    all.into_iter()
        .filter(|kind| wanted.contains(&format!("{kind:?}").to_lowercase()))
        .collect()
}

/// A process, and what it was told.
struct Worker {
    orders: mpsc::UnboundedSender<Told>,
    under_way: usize,
    /// Counts how often it was started anew.
    life: usize,
}

enum Told {
    Order(String),
    Signal(&'static str),
}

/// Lets a process run until its orders end; what it says goes to the history.
fn hire(
    server: &Server,
    number: usize,
    life: usize,
    history: &mpsc::UnboundedSender<Said>,
) -> Worker {
    let environment = server.environment(number);
    let environment = environment
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let mut process = Process::start("a_process_of_the_history", &environment);
    let (orders, mut given) = mpsc::unbounded_channel();
    let history = history.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                order = given.recv() => match order {
                    Some(Told::Order(order)) => process.tell(&order).await,
                    Some(Told::Signal(name)) => process.signal(name).await,
                    // Killed, by being dropped.
                    None => return,
                },
                text = process.says() => {
                    if history.send(Said { number, life, text }).is_err() {
                        return;
                    }
                }
            }
        }
    });
    Worker {
        orders,
        under_way: 0,
        life,
    }
}

struct Said {
    number: usize,
    life: usize,
    text: String,
}

struct History {
    dice: Dice,
    start: Instant,
    server: Server,
    workers: Vec<Worker>,
    said: mpsc::UnboundedSender<Said>,
    names: Vec<Name>,
    named: usize,
    orders: u64,
    under_way: HashMap<u64, Operation>,
    record: Record,
}

impl History {
    fn new(server: Server, dice: Dice, said: mpsc::UnboundedSender<Said>) -> Self {
        let workers = (0..PROCESSES)
            .map(|number| hire(&server, number, 0, &said))
            .collect();
        let mut history = Self {
            dice,
            start: Instant::now(),
            server,
            workers,
            said,
            names: Vec::new(),
            named: 0,
            orders: 0,
            under_way: HashMap::new(),
            record: Record::default(),
        };
        let kinds = kinds();
        for owner in 0..PROCESSES {
            for &kind in &kinds {
                let name = history.new_name(kind, owner);
                history.names.push(name);
            }
        }
        history
    }

    fn new_name(&mut self, kind: Kind, owner: usize) -> Name {
        self.named += 1;
        Name {
            text: format!("{kind:?}{}", self.named).to_lowercase(),
            kind,
            owner,
        }
    }

    fn now(&self) -> u128 {
        self.start.elapsed().as_micros()
    }

    /// Tells a process the next thing to do.
    fn order(&mut self, number: usize) {
        let at = self.dice.below(self.names.len());
        let Name { text, kind, owner } = self.names[at].clone();
        if self.record.versions(&text) >= kind.changes() && !self.record.is_changing(&text) {
            self.names[at] = self.new_name(kind, owner);
            return;
        }
        let verbs = verbs(kind, owner == number);
        if verbs.is_empty() {
            return;
        }
        let (mut verb, mut act) = verbs[self.dice.below(verbs.len())];
        if kind == Kind::Session && self.record.versions(&text) == 0 {
            (verb, act) = ("screate", Act::Write);
        }
        let changes = !matches!(act, Act::Read | Act::Get);
        if changes && self.record.is_changing(&text) {
            return;
        }
        let pause = self.dice.below(30);
        // A caller that goes away, sometimes at once and sometimes when the answer is nearly there.
        let drop = match self.dice.below(6) {
            0 if changes => 1 + self.dice.below(60),
            _ => 0,
        };
        let operation = self.record.begin(self.now(), &text, number, verb, act);
        self.orders += 1;
        let line = format!(
            "{} {verb} {text} {} {pause} {drop}",
            self.orders, operation.version
        );
        self.under_way.insert(self.orders, operation);
        let worker = &mut self.workers[number];
        worker.under_way += 1;
        // A process that has died says so itself.
        let _ = worker.orders.send(Told::Order(line));
    }

    fn hear(&mut self, said: &Said, faults: &Faults) {
        if said.life != self.workers[said.number].life {
            return;
        }
        let (number, end) = said.text.split_once(' ').expect("a number and an end");
        let operation = self.under_way.remove(&number.parse().expect("a number"));
        let operation = operation.expect("an order that was given");
        self.workers[said.number].under_way -= 1;
        let began = self.start + Duration::from_micros(operation.began.try_into().unwrap());
        let may_come_twice = faults.has_stalled(said.number, began.into());
        let at = self.now();
        self.record
            .end(at, &operation, End::parse(end), may_come_twice);
    }

    /// Kills a process, and starts another in its place. What it owed is lost with it, so the names that
    /// only it changed are left alone.
    fn replace(&mut self, number: usize) {
        let life = self.workers[number].life + 1;
        self.workers[number] = hire(&self.server, number, life, &self.said);
        let at = self.now();
        let lost: Vec<u64> = self
            .under_way
            .iter()
            .filter(|(_, operation)| operation.process == number)
            .map(|(order, _)| *order)
            .collect();
        for order in lost {
            if let Some(operation) = self.under_way.remove(&order) {
                self.record.end(at, &operation, End::Dropped, true);
            }
        }
        self.record.forget(number);
        for at in 0..self.names.len() {
            let Name { kind, owner, .. } = self.names[at];
            if owner == number && !matches!(kind, Kind::Shared | Kind::Group | Kind::Old) {
                self.names[at] = self.new_name(kind, owner);
            }
        }
    }
}

async fn run(server: Server) {
    let variable = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let seconds = variable("MILLPOND_HISTORY_SECONDS").unwrap_or(6);
    let seed = variable("MILLPOND_HISTORY_SEED").unwrap_or_else(dice::seed);
    println!("{}: seed {seed}, {seconds} s", server.name());
    let mut dice = Dice::new(seed);
    let mut faults = Faults::new(dice.fork());
    let (said, mut heard) = mpsc::unbounded_channel();
    let mut history = History::new(server, dice, said);
    let end = tokio::time::Instant::now() + Duration::from_secs(seconds);
    while tokio::time::Instant::now() < end && history.record.violations.is_empty() {
        for number in 0..PROCESSES {
            for _ in history.workers[number].under_way..ORDERS {
                history.order(number);
            }
        }
        tokio::select! {
            said = heard.recv() => history.hear(&said.expect("the history can be told"), &faults),
            fault = faults.next() => match fault {
                faults::Next::OnServer(fault) => faults.act(fault, &history.server),
                faults::Next::Signal(number, name) => {
                    let _ = history.workers[number].orders.send(Told::Signal(name));
                }
                faults::Next::Kill(number) => history.replace(number),
            },
            () = tokio::time::sleep_until(end) => {}
        }
    }
    faults.end(&history.server);
    for number in faults.stopped() {
        let _ = history.workers[number].orders.send(Told::Signal("CONT"));
    }
    // What is under way ends by itself: every operation has a budget.
    while !history.under_way.is_empty() {
        let said = tokio::time::timeout(Duration::from_secs(30), heard.recv()).await;
        let said = said.expect("every order ends").expect("an end");
        history.hear(&said, &faults);
    }
    println!("{}: {:?}", history.server.name(), history.record.counts);
    println!("{}: {}", history.server.name(), faults);
    let violations = &history.record.violations;
    assert!(
        violations.is_empty(),
        "seed {seed}: {} violations, the first of them:\n{}",
        violations.len(),
        violations[0]
    );
    let counts = history.record.counts;
    let has_old = kinds().contains(&Kind::Old);
    assert!(
        counts.bound > 100 && counts.acknowledged > 50 && (counts.old > 20 || !has_old),
        "too little was checked: {counts:?}"
    );
}
