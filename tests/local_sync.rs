//! `local = "only"` on functions that are not async: callers wait on their threads, and never for themselves.

mod support;

use millpond::{Builder, Lookup, Millpond, cached, invalidates};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::thread;
use std::time::Duration;

fn pond() -> Millpond {
    Millpond::memory()
}

/// Opens once, for everybody.
#[derive(Default)]
struct Gate(Mutex<bool>, Condvar);

impl Gate {
    fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    fn pass(&self) {
        let open = self.0.lock().unwrap();
        drop(self.1.wait_while(open, |open| !*open).unwrap());
    }
}

/// Waits until so many callers wait for another one's load, or lead one.
fn until(what: impl Fn() -> bool) {
    while !what() {
        thread::yield_now();
    }
}

#[test]
fn a_sync_function_is_cached_without_a_runtime() {
    #[cached(local = "only", key = "<n>", skip(bodies))]
    fn square(n: u64, bodies: &mut Vec<u64>) -> u64 {
        bodies.push(n);
        n * n
    }

    let mut bodies = Vec::new();
    assert_eq!(square(3, &mut bodies), 9);
    assert_eq!(square(3, &mut bodies), 9);
    assert_eq!(square(4, &mut bodies), 16);
    assert_eq!(bodies, [3, 4]);
    square::invalidate(3);
    assert_eq!(square::entry(3).get(), Lookup::Miss);
    assert_eq!(square::entry(4).get(), Lookup::Hit(16));
    square(3, &mut bodies);
    assert_eq!(bodies, [3, 4, 3]);
}

#[test]
fn returns_and_question_marks_leave_the_body() {
    #[cached(local = "only", key = "<text>", skip(bodies))]
    fn parse(text: &str, bodies: &AtomicUsize) -> Result<Option<u32>, std::num::ParseIntError> {
        bodies.fetch_add(1, Ordering::SeqCst);
        if text.is_empty() {
            return Ok(None);
        }
        let number = text.parse()?;
        Ok(Some(number))
    }

    let bodies = AtomicUsize::new(0);
    for _ in 0..2 {
        assert_eq!(parse("", &bodies), Ok(None));
        assert_eq!(parse("7", &bodies), Ok(Some(7)));
        assert!(parse("x", &bodies).is_err());
    }
    assert_eq!(bodies.load(Ordering::SeqCst), 4, "an error is not kept");
    assert_eq!(parse::entry("").get(), Lookup::Null);
}

#[test]
fn fifty_threads_run_one_body() {
    #[cached(local = "only", key = "<id>", on = pond, skip(pond, bodies, gate))]
    fn load(id: u64, pond: &Millpond, bodies: &AtomicUsize, gate: &Gate) -> Arc<u64> {
        bodies.fetch_add(1, Ordering::SeqCst);
        gate.pass();
        Arc::new(id)
    }

    let (pond, bodies, gate) = (pond(), AtomicUsize::new(0), Gate::default());
    let values: Vec<_> = thread::scope(|scope| {
        let call = || load(1, &pond, &bodies, &gate);
        let calls: Vec<_> = (0..50).map(|_| scope.spawn(call)).collect();
        until(|| bodies.load(Ordering::SeqCst) == 1);
        gate.open();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert!(values.iter().all(|value| Arc::ptr_eq(value, &values[0])));
    assert_eq!(bodies.load(Ordering::SeqCst), 1);
    let stats = pond.stats().cache;
    assert_eq!(stats.shared + stats.local_hits, 49);
    assert_eq!(pond.stats().commands, 0);
}

#[test]
fn a_function_may_call_itself() {
    #[cached(local = "only", key = "<n>", on = pond, skip(pond))]
    fn fibonacci(n: u64, pond: &Millpond) -> u64 {
        match n {
            0 | 1 => n,
            n => fibonacci(n - 1, pond) + fibonacci(n - 2, pond),
        }
    }

    #[cached(local = "only", key = "<n>", on = pond, skip(pond, depth))]
    fn same(n: u64, pond: &Millpond, depth: u32) -> u32 {
        if depth == 0 {
            0
        } else {
            1 + same(n, pond, depth - 1)
        }
    }

    let pond = pond();
    assert_eq!(fibonacci(90, &pond), 2_880_067_194_370_816_120);
    assert_eq!(pond.stats().prefix("fibonacci").loads, 91);
    assert_eq!(same(1, &pond, 5), 5);
    assert_eq!(pond.stats().prefix("same").bypassed, 5);
}

#[test]
fn two_threads_whose_bodies_want_each_others_loads_go_on() {
    #[cached(local = "only", on = pond, skip(pond, both))]
    fn left(pond: &Millpond, both: &Barrier, deep: bool) -> u64 {
        if deep {
            both.wait();
            right(pond, both, false)
        } else {
            1
        }
    }

    #[cached(local = "only", on = pond, skip(pond, both))]
    fn right(pond: &Millpond, both: &Barrier, deep: bool) -> u64 {
        if deep {
            both.wait();
            left(pond, both, false)
        } else {
            1
        }
    }

    let (pond, both) = (pond(), Barrier::new(2));
    thread::scope(|scope| {
        let first = scope.spawn(|| left(&pond, &both, true));
        let second = scope.spawn(|| right(&pond, &both, true));
        assert_eq!(first.join().unwrap(), 1);
        assert_eq!(second.join().unwrap(), 1);
    });
}

#[test]
fn a_panic_belongs_to_its_caller() {
    #[cached(local = "only", on = pond, skip(pond, bodies, gate))]
    fn load(pond: &Millpond, bodies: &AtomicUsize, gate: &Gate) -> u64 {
        if bodies.fetch_add(1, Ordering::SeqCst) == 0 {
            gate.pass();
            panic!("the first body");
        }
        7
    }

    let (pond, bodies, gate) = (pond(), AtomicUsize::new(0), Gate::default());
    thread::scope(|scope| {
        let call = || load(&pond, &bodies, &gate);
        let first = scope.spawn(move || catch_unwind(AssertUnwindSafe(call)));
        until(|| bodies.load(Ordering::SeqCst) == 1);
        let second = scope.spawn(call);
        gate.open();
        assert!(first.join().unwrap().is_err());
        assert_eq!(second.join().unwrap(), 7);
    });
    assert_eq!(load(&pond, &bodies, &gate), 7);
    assert_eq!(bodies.load(Ordering::SeqCst), 2);
}

#[test]
fn nobody_waits_longer_than_flight_wait() {
    #[cached(local = "only", on = pond, skip(pond, bodies, gate))]
    fn load(pond: &Millpond, bodies: &AtomicUsize, gate: &Gate) -> usize {
        let body = bodies.fetch_add(1, Ordering::SeqCst);
        if body == 0 {
            gate.pass();
        }
        body
    }

    let wait = Duration::from_millis(20);
    let pond = Builder::flight_wait(Millpond::builder(), wait)
        .build()
        .unwrap();
    let (bodies, gate) = (AtomicUsize::new(0), Gate::default());
    thread::scope(|scope| {
        let first = scope.spawn(|| load(&pond, &bodies, &gate));
        until(|| bodies.load(Ordering::SeqCst) == 1);
        assert_eq!(load(&pond, &bodies, &gate), 1, "its own body");
        gate.open();
        assert_eq!(first.join().unwrap(), 0);
    });
    assert_eq!(load(&pond, &bodies, &gate), 0);
}

#[test]
fn a_removal_during_a_load_wins() {
    #[cached(local = "only", on = pond, skip(pond, bodies, gate), all)]
    fn load(pond: &Millpond, bodies: &AtomicUsize, gate: &Gate) -> usize {
        let body = bodies.fetch_add(1, Ordering::SeqCst);
        if body == 0 {
            gate.pass();
        }
        body
    }

    for remove in [
        (|pond| drop(load::invalidate(pond))) as fn(&Millpond),
        |pond| drop(load::invalidate_all(pond)),
    ] {
        let (pond, bodies, gate) = (pond(), AtomicUsize::new(0), Gate::default());
        thread::scope(|scope| {
            let first = scope.spawn(|| load(&pond, &bodies, &gate));
            until(|| bodies.load(Ordering::SeqCst) == 1);
            remove(&pond);
            gate.open();
            assert_eq!(first.join().unwrap(), 0);
        });
        assert_eq!(load::entry(&pond).get(), Lookup::Miss);
        assert_eq!(pond.stats().cache.refused, 1);
    }
}

#[tokio::test]
async fn sync_functions_use_the_scope_of_the_task_that_calls_them() {
    #[cached(local = "only", key = "<id>")]
    fn load(id: u64) -> u64 {
        id
    }

    #[invalidates(load(id))]
    async fn change(id: u64) -> Result<(), String> {
        if id == 9 {
            Err("refused".to_owned())
        } else {
            Ok(())
        }
    }

    let pond = pond();
    pond.scope(async {
        load(1);
        load(9);
        load(1);
        change(1).await.unwrap();
        change(9).await.unwrap_err();
        assert_eq!(load::entry(1).get(), Lookup::Miss);
        assert_eq!(load::entry(9).get(), Lookup::Hit(9));
    })
    .await;
    pond.bypass(async { load(9) }).await;
    let stats = pond.stats().cache;
    assert_eq!((stats.loads, stats.local_hits), (2, 2));
}

#[test]
fn methods_keep_values_too() {
    struct Repo {
        pond: Millpond,
        rows: Vec<String>,
    }

    impl Repo {
        #[cached(local = "only", prefix = "row", key = "<at>", on = self.pond, skip(self))]
        fn row(&self, at: usize) -> Option<String> {
            self.rows.get(at).cloned()
        }

        #[cached(local = "only", prefix = "rows", on = self.pond, skip(self))]
        fn rows(&mut self) -> usize {
            self.rows.push("another".to_owned());
            self.rows.len()
        }
    }

    let mut repo = Repo {
        pond: pond(),
        rows: vec!["Ada".to_owned()],
    };
    assert_eq!(repo.row(0).as_deref(), Some("Ada"));
    assert_eq!(repo.row(1), None);
    assert_eq!(repo.rows(), 2);
    assert_eq!(repo.rows(), 2);
    assert_eq!(repo.row(1), None);
    repo.row_entry(1).put("Eve".to_owned());
    assert_eq!(repo.row(1).as_deref(), Some("Eve"));
}

#[test]
fn keys_of_any_length_and_any_text_are_told_apart_and_removed() {
    #[cached(local = "only", prefix = "text", key = "<text>", skip(bodies))]
    fn reversed(text: &str, bodies: &mut usize) -> String {
        *bodies += 1;
        text.chars().rev().collect()
    }
    #[cached(
        local = "only",
        prefix = "texts",
        key = "<one>:<other?>:<number>",
        skip(bodies)
    )]
    fn joined(one: String, other: Option<char>, number: i64, bodies: &mut usize) -> String {
        *bodies += 1;
        format!("{one} {other:?} {number}")
    }
    #[cached(local = "only", prefix = "nothing", skip(bodies))]
    fn nothing(bodies: &mut usize) -> usize {
        *bodies += 1;
        *bodies
    }

    // Around the lengths at which a key is kept or written elsewhere, some of them equal up to there.
    let lengths = (0..=80).chain([255, 256, 257, 1_000]);
    let mut texts: Vec<String> = lengths.map(|length| "x".repeat(length)).collect();
    texts.extend((1..=80).map(|length| "x".repeat(length - 1) + "y"));
    texts.extend((1..=30).map(|length| "x".repeat(length - 1) + ":"));
    texts.extend(
        [
            "guard", "lease", "a\0", "a\0\0", "%-", "ä", "日本", "a b", "{a}",
        ]
        .map(str::to_owned),
    );
    let mut bodies = 0;
    for round in 1..=2 {
        for text in &texts {
            let right: String = text.chars().rev().collect();
            assert_eq!(reversed(text, &mut bodies), right, "{text}");
            for number in [i64::MIN, 0, 7] {
                let right = format!("{text} Some('z') {number}");
                let joined = joined(text.clone(), Some('z'), number, &mut bodies);
                assert_eq!(joined, right, "{round}");
            }
        }
        assert_eq!(bodies, 4 * texts.len());
    }
    for (at, text) in texts.iter().enumerate() {
        assert_eq!(
            reversed::entry(text).get(),
            Lookup::Hit(reversed(text, &mut bodies))
        );
        if at % 2 == 0 {
            reversed::invalidate(text);
        }
    }
    bodies = 0;
    for text in &texts {
        reversed(text, &mut bodies);
    }
    assert_eq!(bodies, texts.len().div_ceil(2));
    assert_eq!((nothing(&mut 5), nothing(&mut 7)), (6, 6));
    nothing::invalidate();
    assert_eq!(nothing(&mut 7), 8);
}
