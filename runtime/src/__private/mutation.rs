//! Functions that change data: what they invalidate or update, whatever becomes of the call.

use crate::cache::{Cache, ReturnKind};
use crate::entry::{Entry, EntryRef, PutAs, TypedEntryRef};
use crate::key::Key;
use crate::runtime::Instant;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The entries that a call invalidates.
#[derive(Debug, Default)]
pub struct Targets(Vec<(Arc<Cache>, Key)>);

impl Targets {
    /// None yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// One more.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "generated code hands over what it made"
    )]
    pub fn add<R>(&mut self, entry: Entry<R>) {
        let EntryRef { cache, key, .. } = entry.reference().clone();
        self.0.push((cache, key));
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

/// Targets whose change may have been made: dropped, they are invalidated in the background.
struct Armed(Option<Targets>);

impl Armed {
    /// Takes all the targets of one cache.
    fn next(&mut self) -> Option<(Arc<Cache>, Vec<Key>)> {
        let targets = &mut self.0.as_mut()?.0;
        let (cache, _) = targets.first()?.clone();
        let keys = targets
            .extract_if(.., |(other, _)| Arc::ptr_eq(other, &cache))
            .map(|(_, key)| key)
            .collect();
        Some((cache, keys))
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        for (cache, key) in self.0.take().unwrap_or_default().0 {
            if key.check().is_ok() {
                cache.client.invalidate_later(&key);
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

type Form<V> = fn(&V) -> Result<bytes::Bytes, crate::Error>;

/// The entries that a call updates with its value.
pub struct EntryRefs<K: ReturnKind> {
    kind: K,
    entries: Vec<(EntryRef, Form<K::Value>)>,
}

impl<K: ReturnKind> EntryRefs<K> {
    /// None yet.
    pub const fn new(kind: K) -> Self {
        Self {
            kind,
            entries: Vec::new(),
        }
    }

    /// One more; the value must be one that the entry takes.
    pub fn add<T>(&mut self, entry: TypedEntryRef<T>)
    where
        K::Value: PutAs<T>,
    {
        self.entries
            .push((entry.reference, <K::Value as PutAs<T>>::plain_form));
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
    let EntryRefs { kind, entries } = entries;
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
            .map(|(s, _)| (s.cache.clone(), s.key.clone()))
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
    let mut stale = Targets::new();
    let start = Instant::now();
    for (((entry, _), bytes), observed) in entries.into_iter().zip(forms).zip(observed) {
        let left = left.saturating_sub(start.elapsed());
        if !Box::pin(entry.update(bytes, observed, left)).await {
            stale.0.push((entry.cache, entry.key));
        }
    }
    armed.0 = None;
    // What is not delivered in time is delivered in the background.
    crate::runtime::timeout(
        left.saturating_sub(start.elapsed()),
        Box::pin(stale.invalidate()),
    )
    .await;
    kind.success(value)
}
