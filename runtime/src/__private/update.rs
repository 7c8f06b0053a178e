//! `#[updates]`: the value of a body is stored in the entries of cached functions.

use super::mutation::{Armed, Body, Local, OneTarget, Target, Targets, target};
use crate::cache::only::OnlyEntry;
use crate::cache::{Cache, ReturnKind};
use crate::client::delivery::Invalidated;
use crate::entry::{AllEntries, EntryRef, LocalEntryRef, ObservedAt, PutAs, TypedEntryRef, keep};
use crate::key::Tag;
use crate::runtime::Instant;
use crate::scope;
use bytes::Bytes;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// A tag in a cache, and whether processes keep what it is for.
#[derive(Debug)]
struct TagIn {
    cache: Arc<Cache>,
    tag: Tag,
    is_near: bool,
}

fn tag_target(tag: &TagIn) -> (Arc<Cache>, Invalidated) {
    let TagIn {
        cache,
        tag,
        is_near,
    } = tag;
    let (tag, is_near) = (tag.clone(), *is_near);
    (Arc::clone(cache), Invalidated::Tag { tag, is_near })
}

type Form<V> = fn(&V) -> Result<Bytes, crate::Error>;

/// The entries that a call updates with its value.
pub struct EntryRefs<K: ReturnKind> {
    kind: K,
    entries: Vec<(EntryRef, Form<K::Value>)>,
    /// What else is invalidated: tags, and other entries.
    tags: Vec<TagIn>,
    others: Targets,
    /// Those that only this process keeps.
    local: Vec<(OnlyEntry, KeepLocally<K::Value>)>,
}

/// Keeps a value, unless somebody else moved its entry meanwhile; whether it did.
type KeepLocally<V> = Box<dyn FnOnce(&V) -> bool + Send>;

impl<K: ReturnKind> EntryRefs<K> {
    /// None yet.
    pub const fn new(kind: K) -> Self {
        Self {
            kind,
            entries: Vec::new(),
            tags: Vec::new(),
            others: Targets::new(),
            local: Vec::new(),
        }
    }

    /// Something that the same call invalidates.
    pub fn also(&mut self, target: impl Target) {
        match target.into_target().0 {
            OneTarget::Shared((cache, Invalidated::Tag { tag, is_near })) => {
                self.tags.push(TagIn {
                    cache,
                    tag,
                    is_near,
                });
            }
            OneTarget::Shared(other) => self.others.shared.push(other),
            OneTarget::Local(other) => self.others.local.push(other),
        }
    }
}

impl<T> TypedEntryRef<T> {
    /// Lets a call update this entry; its value must be one that the entry takes.
    pub fn add_to<K: ReturnKind>(self, entries: &mut EntryRefs<K>)
    where
        K::Value: PutAs<T>,
    {
        let form = <K::Value as PutAs<T>>::plain_form;
        entries.entries.push((self.reference, form));
    }
}

impl<T: 'static> LocalEntryRef<T> {
    /// Lets a call update this entry; its value must be one that the entry takes.
    pub fn add_to<K: ReturnKind>(self, entries: &mut EntryRefs<K>)
    where
        K::Value: Clone + Into<T>,
    {
        let (entry, form) = self.into_parts();
        let (kept, sample) = (entry.clone(), entry.sample());
        let keep = move |value: &K::Value| {
            form.is_some_and(|form| keep(&kept, sample, form, &value.clone().into()))
        };
        entries.local.push((entry, Box::new(keep)));
    }
}

/// A tag in the list of `#[updates]`.
#[derive(Debug)]
pub struct TagRef(TagIn);

impl TagRef {
    /// Lets a call invalidate this tag.
    pub fn add_to<K: ReturnKind>(self, entries: &mut EntryRefs<K>) {
        entries.tags.push(self.0);
    }
}

impl Tag {
    #[doc(hidden)]
    pub fn entry_ref(self) -> TagRef {
        TagRef(TagIn {
            cache: Arc::clone(&scope::current().0.cache),
            tag: self,
            is_near: false,
        })
    }
}

impl AllEntries {
    #[doc(hidden)]
    pub fn entry_ref(self) -> TagRef {
        TagRef(TagIn {
            cache: self.cache,
            tag: self.tag,
            is_near: self.is_near,
        })
    }
}

impl<K: ReturnKind> std::fmt::Debug for EntryRefs<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.entries.iter().map(|(entry, _)| &entry.key))
            .finish()
    }
}

/// Runs the body and stores its value in the entries, where nobody else wrote meanwhile; where
/// somebody did, or where the value cannot be stored, it invalidates.
pub async fn updating<K, F>(refs: EntryRefs<K>, body: F) -> K::Return
where
    K: ReturnKind,
    F: Future<Output = K::Return>,
{
    let EntryRefs {
        kind,
        entries,
        tags,
        others,
        local,
    } = refs;
    let (entries, forms): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
    let mut targets = Targets::of(
        entries
            .iter()
            .map(target)
            .chain(tags.iter().map(tag_target))
            .chain(others.shared.iter().cloned())
            .collect(),
    );
    let entries_here = local.iter().map(|(entry, _)| Local::Entry(entry.clone()));
    targets.local.extend(entries_here);
    targets.local.extend(others.local.iter().cloned());
    let update = Update {
        entries,
        tags,
        others,
    };
    // Boxed, as every step of the cache's own: functions that call functions would each hold it.
    let (update, samples) = Box::pin(update.sample()).await;
    let mut armed = Armed(None);
    let returned = Body::new(targets, &mut armed, body).await;
    let value = match kind.split(returned) {
        Ok(value) => value,
        Err(error) => {
            armed.0 = None;
            return kind.failure(error);
        }
    };
    for (entry, keep) in local {
        if !keep(&value) {
            entry.invalidate();
        }
    }
    let forms: Vec<_> = forms.iter().map(|form| form(&value).ok()).collect();
    Box::pin(update.store(forms, samples, armed)).await;
    kind.success(value)
}

/// What a call updates, apart from the types of its values.
struct Update {
    entries: Vec<EntryRef>,
    tags: Vec<TagIn>,
    others: Targets,
}

/// What the entries held before the body, and how much of the budget is left: the steps share one, as the read and
/// the fill of a cached function do.
struct Samples {
    observed: Vec<Option<ObservedAt>>,
    left: Duration,
}

impl Update {
    async fn sample(self) -> (Self, Samples) {
        let entries = self.entries.iter();
        let budgets = entries.map(|entry| entry.cache.client.settings.budget);
        let budget = budgets.max().unwrap_or_default();
        let start = Instant::now();
        let mut observed = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            observed.push(entry.observe(budget.saturating_sub(start.elapsed())).await);
        }
        let left = budget.saturating_sub(start.elapsed());
        (self, Samples { observed, left })
    }

    /// Stores the plain forms of the value, and invalidates the rest. Dropped before that is decided, it leaves
    /// everything to what is armed.
    async fn store(self, forms: Vec<Option<Bytes>>, samples: Samples, mut armed: Armed) {
        let Samples { observed, left } = samples;
        let mut stale = self.others;
        let mut unmoved = self.tags;
        let start = Instant::now();
        for ((entry, bytes), observed) in self.entries.into_iter().zip(forms).zip(observed) {
            let left = left.saturating_sub(start.elapsed());
            // Those of its own move together with the value: in two steps, another's invalidation could get lost.
            // One that may come from a value has a family, which is no tag of the entry and moves before it.
            let is_own = |TagIn { cache, tag, .. }: &TagIn| {
                Arc::ptr_eq(cache, &entry.cache)
                    && !tag.may_come_from_a_value()
                    && entry.tags.iter().any(|own| own == tag)
            };
            let own = unmoved.iter().filter(|tag| is_own(tag));
            let own: Vec<Tag> = own.map(|own| own.tag.clone()).collect();
            if entry.update(bytes, observed, &own, left).await {
                unmoved.retain(|tag| !is_own(tag));
            } else {
                stale.shared.push(target(&entry));
            }
        }
        stale.shared.extend(unmoved.iter().map(tag_target));
        armed.0 = None;
        // What is not delivered in time is delivered in the background.
        let left = left.saturating_sub(start.elapsed());
        crate::runtime::timeout(left, Box::pin(stale.invalidate())).await;
    }
}
