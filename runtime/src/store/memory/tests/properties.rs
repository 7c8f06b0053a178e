//! The engine against a plain map, and against arguments that make no sense.

use super::{ROOMY, memory, run, show};
use proptest::prelude::*;
use std::collections::HashMap;
use std::time::Duration;

#[derive(Clone, Debug)]
enum Step {
    Line(String),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = (0..5_u8).prop_map(|n| format!("k{n}"));
    let line = (key.clone(), key, 0..60_u64).prop_flat_map(|(a, b, n)| {
        prop::sample::select(vec![
            format!("SET {a} {n}"),
            format!("SET {a} {n} PX {}", n + 1),
            format!("SET {a} {n} NX"),
            format!("SET {a} {n} XX KEEPTTL"),
            format!("GET {a}"),
            format!("DEL {a} {b}"),
            format!("INCRBY {a} {n}"),
            format!("PEXPIRE {a} {n}"),
            format!("PERSIST {a}"),
            format!("PTTL {a}"),
            format!("EXISTS {a} {b}"),
            String::from("DBSIZE"),
        ])
    });
    let step = prop_oneof![
        8 => line.prop_map(Step::Line),
        2 => (0..40_u64).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..120)
}

/// What the engine should do, written the obvious way: a map, looked through whole each time.
#[derive(Default)]
struct Model {
    now: u64,
    keys: HashMap<String, (i64, Option<u64>)>,
}

impl Model {
    fn run(&mut self, line: &str) -> String {
        let now = self.now;
        self.keys
            .retain(|_, (_, until)| until.is_none_or(|at| at > now));
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse::<i64>().unwrap();
        let ms = |at: usize| words[at].parse::<u64>().unwrap();
        let old = words.get(1).and_then(|key| self.keys.get(*key).copied());
        let key = words
            .get(1)
            .map(|key| (*key).to_owned())
            .unwrap_or_default();
        let mut put = |value, until| {
            self.keys.insert(key.clone(), (value, until));
            "OK".to_owned()
        };
        match (words[0], words.get(3), old) {
            ("SET", None, _) | ("SET", Some(&"NX"), None) => put(number(2), None),
            ("SET", Some(&"PX"), _) => put(number(2), Some(now + ms(4))),
            ("SET", Some(&"XX"), Some((_, until))) => put(number(2), until),
            ("SET" | "GET", _, None) | ("SET", _, Some(_)) => "nil".into(),
            ("GET", _, Some((value, _))) => value.to_string(),
            ("DEL", ..) => {
                let removed = words[1..]
                    .iter()
                    .filter(|key| self.keys.remove(**key).is_some());
                removed.count().to_string()
            }
            ("INCRBY", ..) => {
                let (value, until) = old.unwrap_or((0, None));
                put(value + number(2), until);
                (value + number(2)).to_string()
            }
            ("PEXPIRE", _, Some((value, _))) => {
                put(value, Some(now + ms(2)));
                "1".into()
            }
            ("PERSIST", _, Some((value, Some(_)))) => {
                put(value, None);
                "1".into()
            }
            ("PEXPIRE" | "PERSIST", ..) => "0".into(),
            ("PTTL", _, None) => "-2".into(),
            ("PTTL", _, Some((_, None))) => "-1".into(),
            ("PTTL", _, Some((_, Some(at)))) => (at - now).to_string(),
            ("EXISTS", ..) => {
                let there = words[1..]
                    .iter()
                    .filter(|key| self.keys.contains_key(**key));
                there.count().to_string()
            }
            ("DBSIZE", ..) => self.keys.len().to_string(),
            _ => unreachable!("{line}"),
        }
    }
}

proptest! {
    #[test]
    fn any_sequence_answers_as_a_plain_map_would(steps in steps()) {
        let (memory, clock) = memory(ROOMY);
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Wait(ms) => {
                    clock.advance(Duration::from_millis(ms));
                    model.now += ms;
                }
                Step::Line(line) => {
                    prop_assert_eq!(show(&run(&memory, &line)), model.run(&line), "{}", line);
                }
            }
            let (kept, counted) = memory.keyspace.lock().unwrap().weigh();
            prop_assert_eq!(kept, counted);
        }
    }

    #[test]
    fn no_command_whatever_its_arguments_panics_or_breaks_the_bound(
        lines in prop::collection::vec(
            (0..64_usize, prop::collection::vec("[a-c]|-?[0-9]{1,3}|NX|XX|PX|GET|COUNT|INCR|1e999|", 0..6)),
            1..80,
        )
    ) {
        const NAMES: &str = "GET MGET SET SETEX PSETEX SETNX GETSET GETDEL GETEX MSET APPEND STRLEN INCR DECR \
            INCRBY DECRBY INCRBYFLOAT DEL UNLINK EXISTS TYPE SCAN TTL PTTL EXPIRE PEXPIRE EXPIREAT PEXPIREAT \
            PERSIST HSET HMSET HSETNX HGET HMGET HGETALL HKEYS HVALS HDEL HLEN HEXISTS HINCRBY HINCRBYFLOAT \
            HSCAN RPUSH LLEN LRANGE SADD SCARD ZADD ZINCRBY ZRANGE ZCARD PING ECHO TIME DBSIZE";
        let names: Vec<&str> = NAMES.split_whitespace().collect();
        let (memory, _) = memory(3_000);
        for (name, args) in lines {
            let line = format!("{} {}", names[name % names.len()], args.join(" "));
            let _ = run(&memory, line.trim_end());
            let (kept, counted) = memory.keyspace.lock().unwrap().weigh();
            prop_assert_eq!(kept, counted);
            prop_assert!(kept <= 3_000, "{} bytes after {}", kept, line);
        }
    }
}
