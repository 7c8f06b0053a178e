//! The local tier: values that this process keeps as they are, in one bounded cache for a `Millpond`. A hit
//! sends, decodes and allocates nothing.
//!
//! A load samples its key and its tags before it begins, and what it loaded is kept only if none of them was
//! moved since: a removal during a load wins.

mod form;
mod lanes;
mod name;
mod shared;
mod stripes;
mod tags;
mod within;

use crate::client::backplane::Trust;
use crate::clock::{Clock, Coarse};
#[cfg(feature = "dashboard")]
use crate::stats::Windows;
use crate::sync;
pub use form::Form;
pub(crate) use form::Value;
use lanes::Lanes;
pub use name::FunctionNumber;
pub(crate) use name::{Name, Named, SHARED, ShortName};
use name::{OwnedName, Sought};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, OptionsBuilder, Weighter};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use stripes::{Moves, Stripes};
use tags::{TagSample, TagTable};
pub(crate) use within::Within;

/// What an entry takes beside its key and its value: the entry itself, its place in the table, and the queue
/// that says which one goes first.
const OVERHEAD: u64 = 200;

/// A usual size, by which the queues are made.
const USUAL: u64 = 512;

type Values = Cache<OwnedName, Kept, ByBytes, foldhash::fast::RandomState>;

/// The values of one `Millpond`.
pub(crate) struct Local {
    clock: Clock,
    namespace: usize,
    bytes: u64,
    /// Nothing until the first value is kept.
    values: OnceLock<Values>,
    stripes: Stripes,
    tags: TagTable,
    /// Where values are kept that are in the store too.
    shared: OnceLock<&'static SharedCode>,
    hits: Arc<LocalHits>,
    trust: Arc<Trust>,
    /// From which age in ns on values that others could change are used only if this process hears of invalidations;
    /// nothing where there are no others.
    doubted: Option<u64>,
    #[cfg(feature = "dashboard")]
    windows: Arc<Windows>,
}

/// What is done to values that are in the store too, see [`shared`].
struct SharedCode {
    changed: fn(&Local, &str),
    outdate: fn(&Local, &str),
    forget_where: ForgetWhere,
}

type ForgetWhere = fn(&Local, &dyn Fn(&str) -> bool);

/// How often values were found, by prefix. It may outlive the values.
#[derive(Default)]
pub(crate) struct LocalHits {
    lanes: Lanes,
    /// The numbers under which hits are counted.
    prefixes: Mutex<HashMap<&'static str, u32>>,
}

#[derive(Clone)]
struct Kept {
    value: Value,
    since: Coarse,
    /// At which age in ns it is over.
    life: u64,
    /// The subscription under which it was read; [`NO_OTHERS`] if no other process can change it.
    subscription: u64,
    tags: Option<KeptTags>,
    bytes: u32,
    /// Under which number hits are counted.
    counter: u32,
}

/// In a place of their own: most values have none, and what is kept is copied at each hit.
type KeptTags = Arc<Box<[TagSample]>>;

/// What no subscription is called.
const NO_OTHERS: u64 = u64::MAX;

#[derive(Clone)]
struct ByBytes;

impl Weighter<OwnedName, Kept> for ByBytes {
    fn weight(&self, name: &OwnedName, kept: &Kept) -> u64 {
        u64::from(kept.bytes)
            .saturating_add(name.bytes())
            .saturating_add(OVERHEAD)
    }
}

/// How a key and its tags stood when a load began.
pub(crate) struct Sample {
    moved: u64,
    tags: Option<KeptTags>,
    /// Where more tags come from the value: what moves with each of those.
    family: Option<TagSample>,
    /// What is kept is as old as this says.
    at: Coarse,
    /// The subscription that stood then.
    subscription: u64,
}

#[cfg(all(test, any(feature = "upstash", feature = "redis")))]
impl Sample {
    /// As if another subscription had stood.
    pub(crate) fn set_subscription(&mut self, subscription: u64) {
        self.subscription = subscription;
    }
}

/// What is to be kept.
pub(crate) struct Keep {
    pub(crate) value: Value,
    /// No longer than the function uses it.
    pub(crate) life: Duration,
    pub(crate) bytes: usize,
    pub(crate) prefix: &'static str,
}

/// What is known of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) age: Duration,
    /// Whether the next call asks the store first.
    pub(crate) is_doubted: bool,
    pub(crate) left: Duration,
    pub(crate) bytes: u64,
}

impl Local {
    /// `namespace`: how many bytes of each name of the store it is.
    pub(crate) fn new(
        clock: Clock,
        bytes: u64,
        namespace: usize,
        trust: Arc<Trust>,
        unverified: Option<Duration>,
    ) -> Self {
        Self {
            doubted: unverified.map(|age| clock.last_age(age)),
            clock,
            namespace,
            bytes,
            values: OnceLock::new(),
            stripes: Stripes::default(),
            tags: TagTable::default(),
            shared: OnceLock::new(),
            hits: Arc::default(),
            trust,
            #[cfg(feature = "dashboard")]
            windows: Arc::default(),
        }
    }

    /// The same, counted in these windows.
    #[cfg(feature = "dashboard")]
    pub(crate) fn in_windows(self, windows: &Arc<Windows>) -> Self {
        let windows = Arc::clone(windows);
        Self { windows, ..self }
    }

    /// The value that is kept under this name. Counts a hit; a caller that cannot use the
    /// value calls [`was_no_hit`](Self::was_no_hit).
    #[inline(never)]
    pub(crate) fn get(&self, name: Name<'_>, within: Within) -> Option<Value> {
        match name.sought() {
            Sought::Short(short) => self.get_short(&short, within),
            Sought::Long(long) => self.find(&long, within),
        }
    }

    /// The same under a short name.
    #[inline(never)]
    pub(crate) fn get_short(&self, name: &ShortName, within: Within) -> Option<Value> {
        self.find(name, within)
    }

    #[expect(clippy::inline_always, reason = "each caller is a function of its own")]
    #[inline(always)]
    fn find(&self, sought: &(impl Hash + Equivalent<OwnedName>), within: Within) -> Option<Value> {
        let values = self.values.get()?;
        // Before there is a value, which would have to be put away for it. For the same reason, that is taken apart at once.
        let now = self.clock.coarse();
        let Kept {
            value,
            since,
            life,
            subscription,
            tags,
            counter,
            ..
        } = values.get(sought)?;
        let age = now.nanos_since(since);
        if age >= life || within.is_past(age) {
            return None;
        }
        let asks = subscription != NO_OTHERS || tags.is_some();
        if asks && !self.is_usable(tags, subscription, age, now) {
            return None;
        }
        #[cfg(feature = "dashboard")]
        self.windows.begin(now);
        self.hits.lanes.add(counter);
        Some(value)
    }

    /// Whether a value may be used that its tags or other processes may have outdated.
    #[inline(never)]
    fn is_usable(&self, tags: Option<KeptTags>, subscription: u64, age: u64, now: Coarse) -> bool {
        tags.is_none_or(|tags| are_current(&tags)) && !self.is_doubted(subscription, age, now)
    }

    /// Whether the store has to be asked first.
    fn is_doubted(&self, subscription: u64, age: u64, now: Coarse) -> bool {
        subscription != NO_OTHERS
            && self.doubted.is_some_and(|doubted| age >= doubted)
            && !self.trust.holds(subscription, now)
    }

    /// The same where `restored` can use it.
    pub(crate) fn get_as<T>(
        &self,
        name: Name<'_>,
        within: Within,
        restored: impl FnOnce(Value) -> Option<T>,
    ) -> Option<T> {
        let restored = restored(self.get(name, within)?);
        if restored.is_none() {
            self.was_no_hit(name);
        }
        restored
    }

    /// The value that was just found cannot be used.
    pub(crate) fn was_no_hit(&self, name: Name<'_>) {
        let sought = name.sought();
        if let Some(kept) = self.values.get().and_then(|values| values.peek(&sought)) {
            self.hits.lanes.take_back(kept.counter);
        }
    }

    /// What is known of the entry, if it would be a hit.
    pub(crate) fn known(&self, name: Name<'_>) -> Option<Known> {
        let kept = self.values.get()?.peek(&name.sought())?;
        let now = self.clock.coarse();
        let age = now.nanos_since(kept.since);
        (!kept.is_over(age)).then(|| Known {
            age: Duration::from_nanos(age),
            is_doubted: self.is_doubted(kept.subscription, age, now),
            left: Duration::from_nanos(kept.life.saturating_sub(age)),
            bytes: kept.bytes.into(),
        })
    }

    /// To be called before a load begins.
    pub(crate) fn sample<'a>(
        &self,
        name: Name<'_>,
        tags: impl ExactSizeIterator<Item = &'a str>,
    ) -> Sample {
        Sample {
            moved: self.stripes.moved(name),
            tags: (tags.len() > 0)
                .then(|| Arc::new(tags.map(|tag| self.tags.sample(tag)).collect())),
            family: None,
            at: self.clock.coarse(),
            subscription: self.trust.subscription(),
        }
    }

    /// The same where more tags come from the value, each of which moves this one too.
    pub(crate) fn sample_with_family<'a>(
        &self,
        name: Name<'_>,
        tags: impl ExactSizeIterator<Item = &'a str>,
        family: &str,
    ) -> Sample {
        let family = Some(self.tags.sample(family));
        Sample {
            family,
            ..self.sample(name, tags)
        }
    }

    /// The sample with tags that came from the value; nothing if one of them may have moved since it was taken.
    pub(crate) fn tagged<'a>(
        &self,
        sample: Sample,
        more: impl Iterator<Item = &'a str>,
    ) -> Option<Sample> {
        let more = more.map(|tag| self.tags.sample(tag));
        let known = sample.tags.iter().flat_map(|tags| tags.iter().cloned());
        let tags: Box<[TagSample]> = known.chain(more).collect();
        let is_current = sample.family.as_ref().is_none_or(TagSample::is_current);
        is_current.then_some(Sample {
            tags: Some(Arc::new(tags)),
            ..sample
        })
    }

    /// What is kept is as old as if its load had begun now.
    pub(crate) fn departs(&self, sample: &mut Sample) {
        sample.at = self.clock.coarse();
    }

    /// Keeps a value that was loaded, unless its key or a tag was moved since the sample was taken; whether it did.
    pub(crate) fn keep(&self, name: Name<'_>, sample: Sample, keep: Keep) -> bool {
        self.insert(name, sample, keep, Moves::No)
    }

    /// The same with a value that is newer than what was loaded, so that loads under way are not kept.
    pub(crate) fn replace(&self, name: Name<'_>, sample: Sample, keep: Keep) -> bool {
        self.insert(name, sample, keep, Moves::Yes)
    }

    /// Whether there is a value, whatever its age.
    pub(crate) fn is_there(&self, name: Name<'_>) -> bool {
        let values = self.values.get();
        values.is_some_and(|values| values.contains_key(&name.sought()))
    }

    fn insert(&self, name: Name<'_>, sample: Sample, keep: Keep, moves: Moves) -> bool {
        if sample.tags.iter().any(|tags| !are_current(tags)) {
            return false;
        }
        let has_others = name.is_shared() && self.doubted.is_some();
        let kept = Kept {
            value: keep.value,
            since: sample.at,
            life: self.clock.last_age(keep.life),
            subscription: if has_others {
                sample.subscription
            } else {
                NO_OTHERS
            },
            bytes: u32::try_from(keep.bytes).unwrap_or(u32::MAX),
            tags: sample.tags,
            counter: self.hits.counter(keep.prefix),
        };
        let values = self.values.get_or_init(|| values(self.bytes));
        // What has to go for it is dropped without the lock: destructors are the user's.
        let mut gone = Default::default();
        let keep = || values.insert_with_lifecycle(name.owned(), kept, &mut gone);
        let kept = self.stripes.unless_moved(name, sample.moved, moves, keep);
        kept.is_some()
    }

    /// Removes a value, and keeps loads that are under way from being kept.
    pub(crate) fn remove(&self, name: Name<'_>) {
        let removed = self.stripes.move_on(name, || {
            let values = self.values.get()?;
            values.remove(&name.sought())
        });
        // A destructor of the user's runs without the lock.
        drop(removed);
    }

    /// Makes a miss of everything that is kept under a tag.
    pub(crate) fn move_tag(&self, tag: &str) {
        self.tags.move_on(tag);
    }

    /// What counts the hits.
    pub(crate) fn hits(&self) -> &Arc<LocalHits> {
        &self.hits
    }

    /// How many bytes the values take, as far as is known.
    pub(crate) fn bytes(&self) -> u64 {
        self.values.get().map_or(0, Cache::weight)
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.values.get().map_or(0, Cache::len)
    }
}

impl LocalHits {
    fn counter(&self, prefix: &'static str) -> u32 {
        let mut prefixes = sync::lock(&self.prefixes);
        let next = u32::try_from(prefixes.len()).unwrap_or(u32::MAX);
        *prefixes.entry(prefix).or_insert(next.min(lanes::LAST))
    }

    /// Hits by prefix.
    pub(crate) fn by_prefix(&self) -> Vec<(&'static str, u64)> {
        let prefixes = sync::lock(&self.prefixes);
        let each = prefixes.iter();
        each.map(|(prefix, number)| (*prefix, self.lanes.sum(*number)))
            .collect()
    }
}

impl Kept {
    fn is_over(&self, age: u64) -> bool {
        age >= self.life || self.tags.iter().any(|tags| !are_current(tags))
    }
}

fn are_current(tags: &[TagSample]) -> bool {
    tags.iter().all(TagSample::is_current)
}

fn values(bytes: u64) -> Values {
    let items = usize::try_from(bytes / USUAL).unwrap_or(usize::MAX).max(32);
    let options = OptionsBuilder::new()
        .estimated_items_capacity(items)
        .weight_capacity(bytes)
        .build();
    let hasher = foldhash::fast::RandomState::default();
    match options {
        Ok(options) => Cache::with_options(options, ByBytes, hasher, DefaultLifecycle::default()),
        // Not reached: both numbers are given.
        Err(_) => Cache::with(items, bytes, ByBytes, hasher, DefaultLifecycle::default()),
    }
}
