//! Several processes that keep a value of one server, and what goes wrong between them, drawn by lot: requests and
//! messages that are late or lost, connections that are cut or half open, callers that go away, clocks that are set,
//! and processes that are frozen between any two steps while time goes on.
//!
//! The processes are real `Millpond`s, the server is the embedded engine; what is simulated is the network, the
//! clocks, and who runs when. Each process is a runtime of its own on this thread, which runs for a few polls at a
//! time, so that all of a history follows from its seed.
//!
//! No value is older than the backplane promises, see [`History::check`]; and for each [`Rule`] there are histories
//! in which one is, once that rule is left out. Not simulated are threads: that a message and a load that is kept
//! exclude each other is what `Stripes` is for.

mod process;
mod rule;
mod server;

use crate::random::dice::Dice;
use crate::random::seeded;
use crate::sync;
use process::{Frozen, How, Process};
use rule::Rule;
use server::Server;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PROCESSES: usize = 3;

/// For how long a value is kept, and for how long where messages are lost on connections that stand; for how long a
/// proof counts; and how old a value may be that nothing proves.
const LOCAL: Duration = Duration::from_secs(3_600);
const BRIEF_LOCAL: Duration = Duration::from_millis(300);
const SILENCE: Duration = Duration::from_millis(200);
const UNVERIFIED: Duration = Duration::from_millis(50);

/// The longest step of the time, apart from a freeze.
const LONGEST: usize = 60;

/// How many steps a history has.
const STEPS: usize = 3_000;

/// After so many steps in which things go wrong there are twice as many in which nothing new does, so that what is
/// wrong by then is seen.
const PHASE: usize = 250;

impl Dice {
    fn time(&mut self, most: usize) -> Duration {
        Duration::from_millis(self.below(most) as u64 + 1)
    }
}

/// What goes wrong most at the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    /// Connections are cut.
    Cuts,
    /// Requests and answers are late.
    Delays,
    /// Processes are frozen, and messages wait.
    Freezes,
}

/// What is true, and what has to hold.
#[derive(Default)]
struct History {
    /// In ms, by the clock of an observer.
    now: AtomicU64,
    /// Counts what happens within one ms.
    ticks: AtomicU64,
    truth: AtomicU64,
    hits: AtomicU64,
    state: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    /// Which values were invalidated, and when that was acknowledged.
    acknowledged: Vec<(u64, u64)>,
    /// The newest value whose invalidation each process has ended, with whatever outcome.
    own: [u64; PROCESSES],
    violation: Option<String>,
}

impl History {
    fn now(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }

    fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn truth(&self) -> u64 {
        self.truth.load(Ordering::SeqCst)
    }

    fn change(&self) -> u64 {
        self.truth.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn hit(&self, is_trusted: bool) {
        self.hits.fetch_add(u64::from(is_trusted), Ordering::SeqCst);
    }

    fn acknowledge(&self, value: u64) {
        sync::lock(&self.state)
            .acknowledged
            .push((self.now(), value));
    }

    fn ended(&self, process: usize, value: u64) {
        let own = &mut sync::lock(&self.state).own[process];
        *own = value.max(*own);
    }

    /// What a caller of this process must see at least.
    fn own(&self, process: usize) -> u64 {
        sync::lock(&self.state).own[process]
    }

    /// What everybody must see at least that long after.
    fn acknowledged(&self, began: u64, bound: Duration) -> u64 {
        let bound = u64::try_from(bound.as_millis()).unwrap();
        let told = sync::lock(&self.state);
        let until = told.acknowledged.iter();
        let seen = until.filter(|(at, _)| at + bound < began || bound == 0 && *at <= began);
        seen.map(|(_, value)| *value).max().unwrap_or(0)
    }

    /// A caller got this value, and must not get an older one than that: the own process is never behind what it
    /// invalidated, and others by `backplane_silence` while they trust their subscription, else by
    /// `local_unverified`. Where messages are lost on connections that stand, `local` is the bound. Who looks at the store is never behind what was acknowledged.
    fn check(&self, value: u64, least: u64, what: impl FnOnce() -> String) {
        if value < least {
            let what = what();
            self.violated(format!("{what} returns {value}, and {least} is due"));
        }
    }

    fn violated(&self, what: String) {
        sync::lock(&self.state).violation.get_or_insert(what);
    }

    fn violation(&self) -> Option<String> {
        sync::lock(&self.state).violation.clone()
    }
}

/// What a history came to: how many values were used in trust, and what was violated after how many steps.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    hits: u64,
    steps: usize,
    violation: Option<String>,
}

/// One history, which ends at the first violation.
fn history(seed: u64, without: Option<Rule>) -> Outcome {
    seeded::begin(seed);
    let mut dice = Dice(seed);
    let history = Arc::new(History::default());
    let is_lossy = match without {
        None => seed.is_multiple_of(4),
        Some(rule) => rule == Rule::EndsWithLocal,
    };
    let server = Arc::new(Server::new(without, is_lossy));
    let process = |number| Process::new(number, without, is_lossy, &server, &history);
    let mut processes: Vec<Process> = (0..[2, 2, PROCESSES][dice.below(3)]).map(process).collect();
    let number = processes.len();
    // One of both clocks can be wrong, and never both.
    let is_suspended = dice.below(2) == 0;
    let usual = [Trouble::Cuts, Trouble::Delays, Trouble::Freezes][dice.below(3)];
    // What another change would heal is seen where there is none for a while.
    let changes = [4, 15, 50][dice.below(3)];
    for step in 0..STEPS {
        let is_calm = !(step / PHASE).is_multiple_of(3);
        let trouble = if is_calm { Trouble::None } else { usual };
        let process = &mut processes[dice.below(number)];
        match dice.below(1_000) {
            at if at < changes && !is_calm => {
                let how = [How::Key, How::Key, How::Tag, How::Update][dice.below(4)];
                process.change(how, dice.below(4) == 0);
            }
            0..300 if process.frozen.is_none() => process.run(dice.below(10) + 1),
            300..450 if process.frozen.is_none() && process.reads() < 4 => process.read(),
            450..650 => server.serve(&mut dice, trouble),
            650..940 => server.tell(&mut dice, trouble),
            940..970 => {
                let leaps = !is_calm && dice.below(20) == 0;
                let most = if leaps { 1_500 } else { LONGEST };
                let time = dice.time(most);
                let passed = u64::try_from(time.as_millis()).unwrap();
                history.now.fetch_add(passed, Ordering::SeqCst);
                server.advance(time);
                for process in &mut processes {
                    process.advance(time);
                }
            }
            970..985 if trouble == Trouble::Freezes || !is_calm && dice.below(4) == 0 => {
                process.frozen = match process.frozen {
                    None if is_suspended && dice.below(2) == 0 => Some(Frozen::Suspended),
                    None => Some(Frozen::Stopped),
                    Some(_) => None,
                };
            }
            985..994 => process.frozen = None,
            994..1_000 if !is_suspended && !is_calm => process.set_back(dice.time(1_500)),
            _ => {}
        }
        let violation = history.violation();
        if violation.is_some() || step + 1 == STEPS {
            return Outcome {
                hits: history.hits.load(Ordering::SeqCst),
                steps: step + 1,
                violation,
            };
        }
    }
    unreachable!("the last step returns")
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn no_process_uses_what_is_older_than_the_backplane_promises() {
    let first = variable("MILLPOND_SIMULATOR_SEED").unwrap_or(1);
    let steps = variable("MILLPOND_SIMULATOR_STEPS").unwrap_or(200_000);
    let (mut hits, mut done) = (0, 0);
    for seed in first.. {
        let outcome = history(seed, None);
        if let Some(violation) = outcome.violation {
            panic!("seed {seed}, step {}: {violation}", outcome.steps);
        }
        hits += outcome.hits;
        done += outcome.steps as u64;
        if done >= steps {
            break;
        }
    }
    assert!(
        hits > done / 100,
        "only {hits} values were used in trust in {done} steps"
    );
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for (rule, seed) in Rule::ALL {
        assert_eq!(history(seed, Some(rule)), history(seed, Some(rule)));
    }
}

#[test]
fn without_any_one_of_the_rules_some_process_does() {
    // A change of the code gives each seed another history, and then some later one shows it.
    const MOST: u64 = 2_000;
    for (rule, seed) in Rule::ALL {
        let is_shown = |seed: &u64| history(*seed, Some(rule)).violation.is_some();
        let shown = (seed..seed + MOST).find(is_shown);
        println!("{rule:?} is shown by {shown:?}");
        assert!(shown.is_some(), "nothing shows that {rule:?} is needed");
    }
}
