//! A check of a budget without commands answers and leaves the same as the script.

use super::{Error, Memory, ROOMY, call, memory, run, show};
use crate::error::ErrorKind;
use crate::limit::algorithm::{Algorithm, Held, Rule};
use crate::limit::script::{self, Budget, Taking};
use crate::store::Store;
use proptest::prelude::*;
use std::time::Duration;

const WINDOW: u64 = 10_000;

#[derive(Clone, Debug)]
enum Step {
    Check {
        algorithm: Algorithm,
        cost: u64,
        add: u64,
    },
    /// What somebody does by hand to the counter of now.
    Command(&'static str),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let algorithm = prop_oneof![Just(Algorithm::FixedWindow), Just(Algorithm::SlidingWindow)];
    let check = (algorithm, 0..7_u64, any::<bool>()).prop_map(|(algorithm, cost, adds)| {
        let add = if adds { cost } else { 0 };
        Step::Check {
            algorithm,
            cost,
            add,
        }
    });
    let command = prop::sample::select(vec![
        "SET {} 3",
        "SET {} -4",
        "SET {} 2.5",
        "SET {} 007",
        "SET {} text",
        "SET {} 9223372036854775807",
        "SET {} -9223372036854775808",
        "INCRBY {} 2",
        "INCRBY {} -2",
        "DEL {}",
        "HSET {} field 1",
        "PERSIST {}",
        "PEXPIRE {} 300",
    ]);
    let step = prop_oneof![
        6 => check,
        1 => command.prop_map(Step::Command),
        2 => (0..2 * WINDOW).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..60)
}

type Found = Result<(bool, Held), (ErrorKind, String)>;

fn told(error: &Error) -> (ErrorKind, String) {
    (error.kind(), error.to_string())
}

fn here(memory: &Memory, budget: &Budget, now: u64) -> Found {
    let texts: Vec<_> = budget
        .keys
        .iter()
        .map(|key| str::from_utf8(key).unwrap())
        .collect();
    let taking = Taking {
        rule: budget.rule,
        key: texts[0],
        earlier: texts.get(1).copied(),
        cost: budget.cost,
        add: budget.add,
    };
    let found = memory.take(&taking, now, memory.clock.now()).unwrap();
    found
        .map(|(verdict, held)| (verdict.allowed, held))
        .map_err(|error| told(&error))
}

fn there(memory: &Memory, budget: &Budget, now: u64) -> Found {
    let reply = call(memory, script::check(std::slice::from_ref(budget), now))
        .map_err(|error| told(&error))?;
    let (took, held) = script::read_check(&reply, 1).map_err(|error| told(&error))?;
    Ok((took, held[0]))
}

#[derive(Clone, Debug)]
enum BucketStep {
    Take { cost: u64, adds: bool },
    Command(&'static str),
    Pass(u64),
}

fn bucket_steps() -> impl Strategy<Value = Vec<BucketStep>> {
    let take = (0..7_u64, any::<bool>()).prop_map(|(cost, adds)| BucketStep::Take { cost, adds });
    let command = prop::sample::select(vec![
        "HSET {} refilledAt 1767225600000",
        "HSET {} tokens 3",
        "HSET {} tokens 2.5",
        "HSET {} tokens -4",
        "HSET {} tokens text",
        "HSET {} other field",
        "HDEL {} tokens",
        "HDEL {} refilledAt",
        "SET {} 3",
        "DEL {}",
        "PERSIST {}",
        "PEXPIRE {} 300",
    ]);
    let step = prop_oneof![
        6 => take,
        1 => command.prop_map(BucketStep::Command),
        2 => (0..2 * WINDOW).prop_map(BucketStep::Pass),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_window_is_checked_without_commands_as_the_script_does_it(steps in steps()) {
        let (direct, direct_clock) = memory(ROOMY);
        let (scripted, clock) = memory(ROOMY);
        for step in steps {
            let now = clock.unix_ms();
            let key = |index: u64| format!("p:U:u:{index}");
            let index = now / WINDOW;
            match step {
                Step::Check { algorithm, cost, add } => {
                    let mut keys = vec![key(index).into()];
                    if algorithm == Algorithm::SlidingWindow {
                        keys.push(key(index - 1).into());
                    }
                    let rule = Rule::new(algorithm, 5, WINDOW, 5).unwrap();
                    let budget = Budget { rule, keys, cost, add, look_first: false };
                    prop_assert_eq!(here(&direct, &budget, now), there(&scripted, &budget, now));
                }
                Step::Command(command) => {
                    let command = command.replace("{}", &key(index));
                    prop_assert_eq!(show(&run(&direct, &command)), show(&run(&scripted, &command)));
                }
                Step::Pass(ms) => {
                    direct_clock.advance(Duration::from_millis(ms));
                    clock.advance(Duration::from_millis(ms));
                }
            }
            for index in [index - 1, index] {
                for command in ["TYPE", "GET", "PTTL"] {
                    let command = format!("{command} {}", key(index));
                    prop_assert_eq!(show(&run(&direct, &command)), show(&run(&scripted, &command)));
                }
            }
            let weigh = |memory: &super::Memory| memory.keyspace.lock().unwrap().weigh();
            prop_assert_eq!(weigh(&direct), weigh(&scripted));
            let commands = |memory: &super::Memory| memory.meter.commands.get();
            prop_assert_eq!(commands(&direct), commands(&scripted));
        }
    }

    #[test]
    fn tokens_are_taken_without_commands_as_the_script_does_it(steps in bucket_steps()) {
        let (direct, direct_clock) = memory(ROOMY);
        let (scripted, clock) = memory(ROOMY);
        for step in steps {
            let now = clock.unix_ms();
            match step {
                BucketStep::Take { cost, adds } => {
                    let budget = Budget {
                        rule: Rule::new(Algorithm::TokenBucket, 5, WINDOW, 2).unwrap(),
                        keys: vec!["p:U:u".into()],
                        cost,
                        add: if adds { cost } else { 0 },
                        look_first: false,
                    };
                    prop_assert_eq!(here(&direct, &budget, now), there(&scripted, &budget, now));
                }
                BucketStep::Command(command) => {
                    let command = command.replace("{}", "p:U:u");
                    prop_assert_eq!(show(&run(&direct, &command)), show(&run(&scripted, &command)));
                }
                BucketStep::Pass(ms) => {
                    direct_clock.advance(Duration::from_millis(ms));
                    clock.advance(Duration::from_millis(ms));
                }
            }
            for command in ["TYPE p:U:u", "HGETALL p:U:u", "PTTL p:U:u"] {
                prop_assert_eq!(show(&run(&direct, command)), show(&run(&scripted, command)));
            }
            let weigh = |memory: &Memory| memory.keyspace.lock().unwrap().weigh();
            prop_assert_eq!(weigh(&direct), weigh(&scripted));
            let commands = |memory: &Memory| memory.meter.commands.get();
            prop_assert_eq!(commands(&direct), commands(&scripted));
        }
    }
}
