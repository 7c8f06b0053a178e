//! A check of a window without commands answers and leaves the same as the script.

use super::{ROOMY, call, memory, run, show};
use crate::limit::algorithm::{Algorithm, Rule};
use crate::limit::script::{self, Budget, Window};
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
                    let (current, earlier) = (key(index), key(index - 1));
                    let is_sliding = algorithm == Algorithm::SlidingWindow;
                    let window = Window {
                        rule,
                        key: &current,
                        earlier: is_sliding.then_some(&earlier),
                        cost,
                        add,
                    };
                    let read = direct.clock.now();
                    let here = direct.check_window(&window, now, read).unwrap();
                    let here = here.map(|(verdict, held)| (verdict.allowed, held));
                    let budget = Budget { rule, keys, cost, add, look_first: false };
                    let there = call(&scripted, script::check(&[budget], now));
                    let there = there.and_then(|reply| script::read_check(&reply, 1));
                    let there = there.map(|(took, held)| (took, held[0]));
                    let error = |error: crate::error::Error| (error.kind(), error.to_string());
                    prop_assert_eq!(here.map_err(error), there.map_err(error));
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
}
