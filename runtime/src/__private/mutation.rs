//! Functions that change data: what they invalidate or update, whatever becomes of the call.

use crate::cache::{Cache, ReturnKind};
use crate::client::delivery::Invalidated;
use crate::entry::{AllEntries, Entry, EntryRef, PutAs, TypedEntryRef};
use crate::key::Tag;
use crate::runtime::Instant;
use crate::scope;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The entries that a call invalidates.
#[derive(Debug, Default)]
pub struct Targets(Vec<(Arc<Cache>, Invalidated)>);

impl Targets {
    /// None yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// One more.
    pub fn add(&mut self, target: impl Target) {
        self.0.push(target.into_target().0);
    }

    /// Invalidates them, those of one cache in one request. What fails is delivered in the
    /// background, and logged there.
    async fn invalidate(self) {
        let mut rest = Armed(Some(self));
        while let Some((cache, keys)) = rest.next() {
            let _ = cache.client.invalidate_all(keys).await;
        }
    }
}

/// What `#[invalidates]` can name.
pub trait Target {
    #[doc(hidden)]
    fn into_target(self) -> IntoTarget;
}

/// A target and its cache.
#[derive(Debug)]
pub struct IntoTarget((Arc<Cache>, Invalidated));

impl<R> Target for Entry<R> {
    fn into_target(self) -> IntoTarget {
        IntoTarget(target(self.reference()))
    }
}

impl Target for Tag {
    fn into_target(self) -> IntoTarget {
        let cache = Arc::clone(&scope::current().0.cache);
        IntoTarget((cache, Invalidated::Tag(self)))
    }
}

impl Target for AllEntries {
    fn into_target(self) -> IntoTarget {
        IntoTarget((self.cache, Invalidated::Tag(self.tag)))
    }
}

fn target(entry: &EntryRef) -> (Arc<Cache>, Invalidated) {
    (Arc::clone(&entry.cache), entry.invalidated())
}

/// Targets whose change may have been made: dropped, they are invalidated in the background.
struct Armed(Option<Targets>);

impl Armed {
    /// Takes all the targets of one cache.
    fn next(&mut self) -> Option<(Arc<Cache>, Vec<Invalidated>)> {
        let targets = &mut self.0.as_mut()?.0;
        let (cache, _) = targets.first()?.clone();
        let keys = targets
            .extract_if(.., |(other, _)| Arc::ptr_eq(other, &cache))
            .map(|(_, target)| target)
            .collect();
        Some((cache, keys))
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        for (cache, target) in self.0.take().unwrap_or_default().0 {
            if target.check().is_ok() {
                cache.client.invalidate_later(&target);
            }
        }
    }
}

pin_project! {
    /// The body of a mutation, armed from its first poll on.
    struct Body<'a, F> {
        targets: Option<Targets>,
        armed: &'a mut Armed,
        #[pin]
        inner: F,
    }
}

impl<F: Future> Future for Body<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if let Some(targets) = this.targets.take() {
            this.armed.0 = Some(targets);
        }
        this.inner.poll(cx)
    }
}

/// Runs the body and invalidates after a success.
pub async fn invalidating<K, F>(
    targets: Targets,
    kind: K,
    late: impl FnOnce(&K::Value, &mut Targets),
    body: F,
) -> K::Return
where
    K: ReturnKind,
    F: Future<Output = K::Return>,
{
    let mut armed = Armed(None);
    let returned = Body {
        targets: Some(targets),
        armed: &mut armed,
        inner: body,
    }
    .await;
    // The error, which need not be `Send`, must be gone before the next `await`.
    let value = match kind.split(returned) {
        Ok(value) => value,
        Err(error) => {
            armed.0 = None;
            return kind.failure(error);
        }
    };
    // Armed until it returns: the expression is the user's, and may panic.
    late(&value, armed.0.get_or_insert_default());
    Box::pin(armed.0.take().unwrap_or_default().invalidate()).await;
    kind.success(value)
}

/// Runs the body and invalidates whatever it returned.
pub async fn invalidating_always<K, F>(
    targets: Targets,
    kind: K,
    late: impl FnOnce(&K::Value, &mut Targets),
    body: F,
) -> K::Return
where
    K: ReturnKind,
    F: Future<Output = K::Return>,
{
    let mut armed = Armed(None);
    let returned = Body {
        targets: Some(targets),
        armed: &mut armed,
        inner: body,
    }
    .await;
    let returned = kind.split(returned);
    if let Ok(value) = &returned {
        late(value, armed.0.get_or_insert_default());
    }
    Box::pin(armed.0.take().unwrap_or_default().invalidate()).await;
    match returned {
        Ok(value) => kind.success(value),
        Err(error) => kind.failure(error),
    }
}

fn tag_target((cache, tag): &(Arc<Cache>, Tag)) -> (Arc<Cache>, Invalidated) {
    (Arc::clone(cache), Invalidated::Tag(tag.clone()))
}

type Form<V> = fn(&V) -> Result<bytes::Bytes, crate::Error>;

/// The entries that a call updates with its value.
pub struct EntryRefs<K: ReturnKind> {
    kind: K,
    entries: Vec<(EntryRef, Form<K::Value>)>,
    /// What else is invalidated: tags, and other entries.
    tags: Vec<(Arc<Cache>, Tag)>,
    others: Targets,
}

impl<K: ReturnKind> EntryRefs<K> {
    /// None yet.
    pub const fn new(kind: K) -> Self {
        Self {
            kind,
            entries: Vec::new(),
            tags: Vec::new(),
            others: Targets::new(),
        }
    }

    /// Something that the same call invalidates.
    pub fn also(&mut self, target: impl Target) {
        match target.into_target().0 {
            (cache, Invalidated::Tag(tag)) => self.tags.push((cache, tag)),
            other => self.others.0.push(other),
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

/// A tag in the list of `#[updates]`.
#[derive(Debug)]
pub struct TagRef(Arc<Cache>, Tag);

impl TagRef {
    /// Lets a call invalidate this tag.
    pub fn add_to<K: ReturnKind>(self, entries: &mut EntryRefs<K>) {
        entries.tags.push((self.0, self.1));
    }
}

impl Tag {
    #[doc(hidden)]
    pub fn entry_ref(self) -> TagRef {
        TagRef(Arc::clone(&scope::current().0.cache), self)
    }
}

impl AllEntries {
    #[doc(hidden)]
    pub fn entry_ref(self) -> TagRef {
        TagRef(self.cache, self.tag)
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
pub async fn updating<K, F>(entries: EntryRefs<K>, body: F) -> K::Return
where
    K: ReturnKind,
    F: Future<Output = K::Return>,
{
    let EntryRefs {
        kind,
        entries,
        tags,
        others,
    } = entries;
    let mut observed = Vec::with_capacity(entries.len());
    // The steps share one budget, as the read and the fill of a cached function do.
    let budgets = entries
        .iter()
        .map(|(entry, _)| entry.cache.client.settings.budget);
    let mut left = budgets.max().unwrap_or_default();
    let start = Instant::now();
    for (entry, _) in &entries {
        // Boxed, as every step of the cache's own: functions that call functions would each hold it.
        observed.push(Box::pin(entry.observe(left.saturating_sub(start.elapsed()))).await);
    }
    left = left.saturating_sub(start.elapsed());
    let targets = Targets(
        entries
            .iter()
            .map(|(entry, _)| target(entry))
            .chain(tags.iter().map(tag_target))
            .chain(others.0.iter().cloned())
            .collect(),
    );
    let mut armed = Armed(None);
    let returned = Body {
        targets: Some(targets),
        armed: &mut armed,
        inner: body,
    }
    .await;
    let value = match kind.split(returned) {
        Ok(value) => value,
        Err(error) => {
            armed.0 = None;
            return kind.failure(error);
        }
    };
    let forms: Vec<_> = entries.iter().map(|(_, form)| form(&value).ok()).collect();
    let mut stale = others;
    let mut unmoved = tags;
    let start = Instant::now();
    for (((entry, _), bytes), observed) in entries.into_iter().zip(forms).zip(observed) {
        let left = left.saturating_sub(start.elapsed());
        // Those of its own move together with the value: in two steps, another's invalidation could get lost.
        let is_own = |(cache, tag): &(Arc<Cache>, Tag)| {
            Arc::ptr_eq(cache, &entry.cache) && entry.tags.iter().any(|own| own == tag)
        };
        let own = unmoved.iter().filter(|tag| is_own(tag));
        let own: Vec<Tag> = own.map(|(_, tag)| tag.clone()).collect();
        if Box::pin(entry.update(bytes, observed, &own, left)).await {
            unmoved.retain(|tag| !is_own(tag));
        } else {
            stale.0.push(target(&entry));
        }
    }
    stale.0.extend(unmoved.iter().map(tag_target));
    armed.0 = None;
    // What is not delivered in time is delivered in the background.
    crate::runtime::timeout(
        left.saturating_sub(start.elapsed()),
        Box::pin(stale.invalidate()),
    )
    .await;
    kind.success(value)
}
