//! What a hit in the local tier promises, by hand: `quick_cache` and what has to stand around it, each part in the cheapest
//! way that was found. A miss does no more than the benchmark needs: no single flight, no removal against loads.
//!
//! A hit
//! - renders a key that no other arguments have: the digits of an integer, or a text of which each byte is looked at, since
//!   some have to be encoded. A short key is three words, which are hashed and compared as such. An argument of more than
//!   eight bytes takes a slower way, which no call of the benchmark sees;
//! - looks at one byte of its thread: whether something else was asked for (`uncached`, `refresh`, `with_status`), or a
//!   scope has a cache of its own;
//! - finds the cache of the process, which somebody has set;
//! - finds the value in one table for the values of all functions, bounded in bytes, under the number of the function and
//!   the key, and asks it for its type;
//! - compares its age, by the monotonic or the wall clock as they stood at the last tick, whichever says more, with its
//!   lifetime and with that which the function allows, since functions share keys. A thread that keeps a number up to date
//!   would be cheaper to ask, and late after the process was frozen;
//! - looks whether it has tags, or other processes may have changed it;
//! - counts, in a lane that this thread has to itself.

#![expect(
    clippy::inline_always,
    reason = "what is known of a function at compile time is used up"
)]

use crate::subject::{User, load};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, Weighter};
use rustix::time::{ClockId, clock_gettime};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt::Write;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// The number of a function, and up to which age it uses a value, in ns.
type Site = (u32, u64);

/// Functions with a store share keys.
const SHARED: Site = (0, 1_000_000_000 * LIFE.as_secs());
const HERE: Site = (1, u64::MAX);
const LIFE: Duration = Duration::from_hours(1);

/// In front of a store.
pub(crate) async fn number(id: u64) -> Arc<User> {
    match number_hit(SHARED, *b"user:", id) {
        Some(user) => user,
        None => Box::pin(fetched(Name::of(SHARED.0, "user:", &id.to_string()), id)).await,
    }
}

/// In front of a store.
pub(crate) async fn text(id: &str) -> Arc<User> {
    if let Some(user) = text_hit(SHARED, *b"name:", id) {
        return user;
    }
    let number = id.parse().unwrap_or(u64::MAX);
    Box::pin(fetched(Name::of(SHARED.0, "name:", id), number)).await
}

/// Without a store, and not async.
pub(crate) fn here(id: u64) -> Arc<User> {
    match number_hit(HERE, *b"here:", id) {
        Some(user) => user,
        None => loaded(Name::of(HERE.0, "here:", &id.to_string()), id),
    }
}

/// Stands for the way to the store.
async fn fetched(name: Name, id: u64) -> Arc<User> {
    std::future::ready(loaded(name, id)).await
}

#[cold]
#[inline(never)]
fn loaded(name: Name, id: u64) -> Arc<User> {
    let user = load(id);
    if let Some(local) = INSTALLED.get() {
        local.keep(name, user.clone(), size_of::<User>(), LIFE);
    }
    user
}

// ---- the key

/// The name of an entry whose key is short: the number of the function, and the key with zeros behind it, which no key has.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Short {
    words: [u64; 3],
    function: u32,
}

#[derive(Clone, PartialEq, Eq)]
enum Name {
    Short(Short),
    Long(u32, Box<str>),
}

impl Short {
    /// A key of a prefix of five bytes and at most eight more, the first of them in the lowest byte. No byte is written to
    /// memory and read again as a part of a word, for which a processor waits.
    #[inline]
    fn of_part(function: u32, prefix: [u8; 5], part: u64) -> Self {
        let [p0, p1, p2, p3, p4] = prefix;
        let prefix = u64::from_le_bytes([p0, p1, p2, p3, p4, 0, 0, 0]);
        Self {
            words: [prefix | (part << 40), part >> 24, 0],
            function,
        }
    }

    /// The same of one with up to 19 digits.
    #[cold]
    fn of_more_digits(function: u32, prefix: [u8; 5], number: u64) -> Option<Self> {
        let mut bytes = [0; 24];
        bytes[..5].copy_from_slice(&prefix);
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(number).as_bytes();
        bytes.get_mut(5..5 + digits.len())?.copy_from_slice(digits);
        Some(Self::of_bytes(function, bytes))
    }

    fn of_text(function: u32, text: &str) -> Option<Self> {
        let mut bytes = [0; 24];
        let room = bytes.get_mut(..text.len())?;
        room.copy_from_slice(text.as_bytes());
        Some(Self::of_bytes(function, bytes))
    }

    #[inline]
    fn of_bytes(function: u32, bytes: [u8; 24]) -> Self {
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| bytes[at * 8 + byte]));
        Self {
            words: [word(0), word(1), word(2)],
            function,
        }
    }
}

impl Hash for Short {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [first, second, third] = self.words;
        state.write_u128(u128::from(first) | u128::from(second) << 64);
        state.write_u128(u128::from(third) | u128::from(self.function) << 64);
    }
}

impl Equivalent<Name> for Short {
    #[inline]
    fn equivalent(&self, name: &Name) -> bool {
        matches!(name, Name::Short(short) if short == self)
    }
}

/// The name of an entry whose key is long, to be looked up.
struct Long<'a>(u32, &'a str);

impl Hash for Long<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.1.as_bytes());
        state.write_u32(self.0);
    }
}

impl Equivalent<Name> for Long<'_> {
    fn equivalent(&self, name: &Name) -> bool {
        matches!(name, Name::Long(function, text) if (*function, &**text) == (self.0, self.1))
    }
}

impl Name {
    fn of(function: u32, prefix: &str, part: &str) -> Self {
        let mut text = String::new();
        render(&mut text, prefix, part);
        match Short::of_text(function, &text) {
            Some(short) => Self::Short(short),
            None => Self::Long(function, text.into()),
        }
    }
}

/// Writes any key.
fn render(text: &mut String, prefix: &str, part: &str) {
    text.clear();
    text.push_str(prefix);
    let is_reserved = RESERVED.contains(&part);
    for (at, c) in part.char_indices() {
        let is_plain = u8::try_from(c).is_ok_and(is_plain);
        if is_plain && !(is_reserved && at == 0) {
            text.push(c);
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            // A text takes whatever is written.
            let _ = write!(text, "%{byte:02X}");
        }
    }
}

/// What stands beside keys.
const RESERVED: [&str; 4] = ["guard", "doubt", "fence", "lease"];

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Short(short) => short.hash(state),
            Self::Long(function, text) => Long(*function, text).hash(state),
        }
    }
}

/// The digits of a number below 10^8 as text, the first of them in the lowest byte, all at once.
#[inline]
fn digits(number: u64) -> u64 {
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x7F_0000_007F;
    let twos = hundreds | (fours - 100 * hundreds) << 16;
    let tens = ((twos * 103) >> 10) & 0x000F_000F_000F_000F;
    let each = tens | (twos - 10 * tens) << 8;
    // The last digit stays, be it a zero.
    let zeros = (each | 1 << 56).trailing_zeros() & !7;
    (each | 0x3030_3030_3030_3030) >> zeros
}

/// Whether a byte of an argument is written as it is.
#[inline]
fn is_plain(byte: u8) -> bool {
    const PLAIN: [bool; 256] = {
        let mut plain = [false; 256];
        let mut byte = b'!';
        while byte <= b'~' {
            plain[byte as usize] = !matches!(
                byte,
                b':' | b'%' | b'{' | b'}' | b'*' | b'?' | b'[' | b']' | b'\\'
            );
            byte += 1;
        }
        plain
    };
    PLAIN[usize::from(byte)]
}

#[inline(always)]
fn number_hit<T: Any + Send + Sync>(
    (function, within): Site,
    prefix: [u8; 5],
    id: u64,
) -> Option<Arc<T>> {
    let short = if id < 100_000_000 {
        Short::of_part(function, prefix, digits(id))
    } else {
        Short::of_more_digits(function, prefix, id)?
    };
    hit(&short, within)
}

#[inline(always)]
fn text_hit<T: Any + Send + Sync>(site: Site, prefix: [u8; 5], id: &str) -> Option<Arc<T>> {
    let (function, within) = site;
    let may_be_reserved = matches!(id.as_bytes().last(), None | Some(b'd' | b't' | b'e'));
    let mut is_plain = !may_be_reserved;
    if id.len() <= 8 {
        let (mut word, mut shift) = (0, 0);
        for byte in id.bytes() {
            is_plain &= self::is_plain(byte);
            word |= u64::from(byte) << shift;
            shift += 8;
        }
        if is_plain {
            return hit(&Short::of_part(function, prefix, word), within);
        }
    }
    any_hit(site, prefix, id)
}

/// The same for a longer key, or one that may have to be encoded.
#[cold]
#[inline(never)]
fn any_hit<T: Any + Send + Sync>(
    (function, within): Site,
    prefix: [u8; 5],
    part: &str,
) -> Option<Arc<T>> {
    let prefix = std::str::from_utf8(&prefix).ok()?;
    SCRATCH.with_borrow_mut(|text| {
        render(text, prefix, part);
        match Short::of_text(function, text) {
            Some(short) => hit(&short, within),
            None => hit(&Long(function, text), within),
        }
    })
}

thread_local! {
    static SCRATCH: RefCell<String> = const { RefCell::new(String::new()) };
}

// ---- which cache, and how it is used

static INSTALLED: OnceLock<Local> = OnceLock::new();

thread_local! {
    /// What a call finds around itself; set while a future is polled that asks for it.
    static AROUND: Cell<u8> = const { Cell::new(PLAIN) };
    static SCOPE: RefCell<Option<Arc<Local>>> = const { RefCell::new(None) };
}

const PLAIN: u8 = 0;
/// `uncached`, `refresh`.
const BYPASSED: u8 = 1;
const SCOPED: u8 = 2;
/// `with_status`.
const REPORTS: u8 = 4;

/// Sets a cache for the process. What is set for the thread is taken back at once, and keeps the compiler from knowing
/// that nobody does.
pub(crate) fn install(bytes: u64) {
    AROUND.set(REPORTS);
    AROUND.set(std::hint::black_box(PLAIN));
    let _ = INSTALLED.set(Local::new(bytes));
}

trait Sought: Hash + Equivalent<Name> {}

impl Sought for Short {}
impl Sought for Long<'_> {}

#[inline(always)]
fn hit<T: Any + Send + Sync>(name: &impl Sought, within: u64) -> Option<Arc<T>> {
    let value = match AROUND.get() {
        PLAIN => INSTALLED.get()?.get(name, within),
        around => unusual(name, within, around),
    };
    // Only a function that shares a key finds another type, which is a miss.
    value?.downcast().ok()
}

#[cold]
#[inline(never)]
fn unusual(name: &impl Sought, within: u64, around: u8) -> Option<Value> {
    if around & BYPASSED != 0 {
        return None;
    }
    let found = if around & SCOPED == 0 {
        INSTALLED.get()?.get(name, within)
    } else {
        SCOPE.with_borrow(|scope| scope.as_ref()?.get(name, within))
    };
    if found.is_some() && around & REPORTS != 0 {
        // Here it would say so.
        AROUND.set(around & !REPORTS);
    }
    found
}

// ---- the values

type Value = Arc<dyn Any + Send + Sync>;

/// How often a tag had been moved when a value was read, and how often it has been.
type Tag = (u64, Arc<AtomicU64>);

/// The values of one cache.
struct Local {
    values: Cache<Name, Kept, ByBytes, foldhash::fast::RandomState>,
    /// What has to be asked before some of them are used.
    asked: Mutex<HashMap<u32, Vec<Tag>>>,
}

#[derive(Clone)]
struct Kept {
    value: Value,
    since: Tick,
    /// In ns.
    life: u64,
    bytes: u32,
    counter: u16,
    /// Where it stands in `asked`; 0 if it does not.
    asks: u32,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Name, Kept> for ByBytes {
    fn weight(&self, name: &Name, kept: &Kept) -> u64 {
        let length = match name {
            Name::Short(_) => 24,
            Name::Long(_, text) => text.len() as u64,
        };
        u64::from(kept.bytes) + length + 200
    }
}

impl Local {
    fn new(bytes: u64) -> Self {
        let items = usize::try_from(bytes / 512).unwrap_or(usize::MAX);
        let hasher = foldhash::fast::RandomState::default();
        Self {
            values: Cache::with(items, bytes, ByBytes, hasher, DefaultLifecycle::default()),
            asked: Mutex::default(),
        }
    }

    #[inline(never)]
    fn get(&self, name: &impl Sought, within: u64) -> Option<Value> {
        let kept = self.values.get(name)?;
        let age = now().since(kept.since);
        if age >= kept.life || age >= within || (kept.asks != 0 && !self.is_current(kept.asks)) {
            return None;
        }
        count(kept.counter);
        Some(kept.value)
    }

    #[cold]
    #[inline(never)]
    fn is_current(&self, asks: u32) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let tags = asked.get(&asks);
        let is_current = |(then, now): &Tag| *then == now.load(Ordering::Acquire);
        tags.is_some_and(|tags| tags.iter().all(is_current))
    }

    fn keep(&self, name: Name, value: Value, bytes: usize, life: Duration) {
        let (Name::Short(Short { function, .. }) | Name::Long(function, _)) = name;
        let kept = Kept {
            value,
            since: now(),
            life: u64::try_from(life.as_nanos()).unwrap_or(u64::MAX),
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
            counter: u16::try_from(function).unwrap_or(u16::MAX),
            asks: 0,
        };
        self.values.insert(name, kept);
    }
}

// ---- the clocks

/// What both clocks said, in ns.
#[derive(Clone, Copy)]
struct Tick {
    wall: u64,
    monotonic: u64,
}

impl Tick {
    #[inline]
    fn since(self, then: Self) -> u64 {
        let monotonic = self.monotonic.saturating_sub(then.monotonic);
        monotonic.max(self.wall.saturating_sub(then.wall))
    }
}

thread_local! {
    static LAST: Cell<Tick> = const { Cell::new(Tick { wall: 0, monotonic: 0 }) };
}

/// Both go on at the same ticks, so that one is read only where the other went on.
#[inline]
fn now() -> Tick {
    let wall = read(ClockId::RealtimeCoarse);
    let last = LAST.get();
    if last.wall == wall {
        return last;
    }
    next(wall)
}

#[cold]
#[inline(never)]
fn next(mut wall: u64) -> Tick {
    let now = loop {
        let monotonic = read(ClockId::MonotonicCoarse);
        let again = read(ClockId::RealtimeCoarse);
        if again == wall {
            break Tick { wall, monotonic };
        }
        wall = again;
    };
    LAST.set(now);
    now
}

#[inline]
fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = time.tv_sec.cast_unsigned().wrapping_mul(1_000_000_000);
    seconds.wrapping_add(time.tv_nsec.cast_unsigned())
}

// ---- the counters

/// Those of one thread; each function has a place in it.
type Lane = [AtomicU64];

const COUNTERS: usize = 4_096;

static LANES: Mutex<Vec<&'static Lane>> = Mutex::new(Vec::new());
/// Those of threads that have ended.
static FREE: Mutex<Vec<&'static Lane>> = Mutex::new(Vec::new());

thread_local! {
    static LANE: Cell<Option<&'static Lane>> = const { Cell::new(None) };
    /// Gives it back. Apart, since a hit need not know of a destructor.
    static TAKEN: Taken = const { Taken(Cell::new(None)) };
}

struct Taken(Cell<Option<&'static Lane>>);

impl Drop for Taken {
    fn drop(&mut self) {
        LANE.set(None);
        if let Some(lane) = self.0.take() {
            FREE.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(lane);
        }
    }
}

#[inline]
fn count(number: u16) {
    let lane = match LANE.get() {
        Some(lane) => lane,
        None => begin_lane(),
    };
    if let Some(counter) = lane.get(usize::from(number)) {
        // Nobody else writes here.
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

#[cold]
#[inline(never)]
fn begin_lane() -> &'static Lane {
    let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let lane = free.unwrap_or_else(|| {
        let counters = (0..COUNTERS).map(|_| AtomicU64::new(0));
        let lane: &'static Lane = counters.collect::<Vec<_>>().leak();
        LANES
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(lane);
        lane
    });
    LANE.set(Some(lane));
    TAKEN.with(|taken| taken.0.set(Some(lane)));
    lane
}

/// All hits of all threads.
pub(crate) fn hits() -> u64 {
    let lanes = LANES.lock().unwrap_or_else(PoisonError::into_inner);
    let counters = lanes.iter().flat_map(|lane| lane.iter());
    counters
        .map(|counter| counter.load(Ordering::Relaxed))
        .sum()
}
