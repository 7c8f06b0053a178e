//! The least that a check with the promises of millpond has to do, by hand: the budget has the name that it has in the
//! database, is found by a keyed hash, is read by a clock that can be set beside one that cannot, answers with numbers, is
//! counted, and can be given back.

use std::collections::HashMap;
use std::fmt::Write;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const UNITS: u64 = 1_000_000_000;
const HOUR: u64 = 3_600_000;

/// How much of it is done.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Done {
    Name,
    Clocks,
    Counter,
    Receipt,
}

/// What a decision says.
struct Answer {
    _remaining: u64,
    _reset: u64,
    _receipt: Option<Arc<Receipt>>,
}

/// What was taken from, and how much has been given back.
struct Receipt {
    _name: Box<str>,
    _returned: AtomicU64,
}

pub(crate) struct ByHand {
    done: Done,
    name: Mutex<String>,
    counters: Mutex<HashMap<String, u64>>,
    checks: AtomicU64,
}

impl ByHand {
    pub(crate) fn new(done: Done) -> Self {
        Self {
            done,
            name: Mutex::default(),
            counters: Mutex::default(),
            checks: AtomicU64::new(0),
        }
    }

    pub(crate) fn call(&self, calls: u64) {
        let mut name = self.name.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..calls {
            black_box(self.check(&mut name, black_box("user-42")));
        }
    }

    fn check(&self, name: &mut String, id: &str) -> Option<Answer> {
        name.clear();
        write!(name, "@upstash/ratelimit:FIXED:{id}").ok()?;
        black_box(&*name);
        if self.done < Done::Clocks {
            return None;
        }
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let now = wall.as_secs() * 1_000 + u64::from(wall.subsec_millis());
        black_box(Instant::now());
        let window = now / HOUR;
        let length = name.len();
        push_number(name, window);
        if self.done < Done::Counter {
            return None;
        }
        let taken = self.take(name);
        self.checks.fetch_add(1, Ordering::Relaxed);
        let receipt = (self.done == Done::Receipt).then(|| Receipt {
            _name: name[..length].into(),
            _returned: AtomicU64::new(0),
        });
        Some(Answer {
            _remaining: UNITS.saturating_sub(taken),
            _reset: (window + 1) * HOUR,
            _receipt: receipt.map(Arc::new),
        })
    }

    fn take(&self, name: &str) -> u64 {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = counters.get_mut(name) {
            *taken += 1;
            return *taken;
        }
        counters.insert(name.to_owned(), 1);
        1
    }
}

/// As `itoa` does it, which millpond has.
fn push_number(name: &mut String, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    name.push(':');
    name.push_str(str::from_utf8(&digits[at..]).unwrap_or_default());
}
