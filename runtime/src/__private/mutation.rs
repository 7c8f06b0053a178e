//! Functions that change data: what they invalidate or update, whatever becomes of the call.

use crate::cache::only::OnlyEntry;
use crate::cache::{Cache, ReturnKind};
use crate::client::delivery::Invalidated;
use crate::entry::{AllEntries, Entry, EntryRef, LocalEntries, LocalEntry};
use crate::key::Tag;
use crate::scope;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The entries that a call invalidates.
#[derive(Debug, Default)]
pub struct Targets {
    pub(super) shared: Vec<Shared>,
    pub(super) local: Vec<Local>,
}

pub(super) type Shared = (Arc<Cache>, Invalidated);

/// What only this process keeps.
#[derive(Clone, Debug)]
pub(super) enum Local {
    Entry(OnlyEntry),
    All(LocalEntries),
}

impl Local {
    fn invalidate(&self) {
        match self {
            Self::Entry(entry) => entry.invalidate(),
            Self::All(all) => drop(all.invalidate()),
        }
    }
}

impl Targets {
    /// None yet.
    pub const fn new() -> Self {
        Self {
            shared: Vec::new(),
            local: Vec::new(),
        }
    }

    pub(super) fn of(shared: Vec<Shared>) -> Self {
        Self {
            shared,
            local: Vec::new(),
        }
    }

    /// One more.
    pub fn add(&mut self, target: impl Target) {
        match target.into_target().0 {
            OneTarget::Shared(target) => self.shared.push(target),
            OneTarget::Local(target) => self.local.push(target),
        }
    }

    /// Invalidates them, those of one cache in one request. What fails is delivered in the
    /// background, and logged there.
    pub(super) async fn invalidate(self) {
        let mut rest = Armed(Some(self));
        rest.invalidate_local();
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
pub struct IntoTarget(pub(super) OneTarget);

#[derive(Debug)]
pub(super) enum OneTarget {
    Shared(Shared),
    Local(Local),
}

fn shared(target: Shared) -> IntoTarget {
    IntoTarget(OneTarget::Shared(target))
}

impl<R> Target for Entry<R> {
    fn into_target(self) -> IntoTarget {
        shared(target(self.reference()))
    }
}

impl Target for Tag {
    fn into_target(self) -> IntoTarget {
        let cache = Arc::clone(&scope::current().0.cache);
        shared((cache, self.into()))
    }
}

impl Target for AllEntries {
    fn into_target(self) -> IntoTarget {
        let target = self.invalidated();
        shared((self.cache, target))
    }
}

impl<R> Target for LocalEntry<R> {
    fn into_target(self) -> IntoTarget {
        IntoTarget(OneTarget::Local(Local::Entry(self.only().clone())))
    }
}

impl Target for LocalEntries {
    fn into_target(self) -> IntoTarget {
        IntoTarget(OneTarget::Local(Local::All(self)))
    }
}

pub(super) fn target(entry: &EntryRef) -> (Arc<Cache>, Invalidated) {
    (Arc::clone(&entry.cache), entry.invalidated())
}

/// Targets whose change may have been made: dropped, they are invalidated in the background.
pub(super) struct Armed(pub(super) Option<Targets>);

impl Armed {
    fn invalidate_local(&mut self) {
        let targets = self.0.iter_mut();
        for target in targets.flat_map(|targets| targets.local.drain(..)) {
            target.invalidate();
        }
    }

    /// Takes all the targets of one cache.
    fn next(&mut self) -> Option<(Arc<Cache>, Vec<Invalidated>)> {
        let targets = &mut self.0.as_mut()?.shared;
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
        self.invalidate_local();
        for (cache, target) in self.0.take().unwrap_or_default().shared {
            if target.check().is_ok() {
                cache.client.invalidate_later(&target);
            }
        }
    }
}

pin_project! {
    /// The body of a mutation, armed from its first poll on.
    pub(super) struct Body<'a, F> {
        targets: Option<Targets>,
        armed: &'a mut Armed,
        #[pin]
        inner: F,
    }
}

impl<'a, F> Body<'a, F> {
    pub(super) fn new(targets: Targets, armed: &'a mut Armed, inner: F) -> Self {
        Self {
            targets: Some(targets),
            armed,
            inner,
        }
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
    let returned = Body::new(targets, &mut armed, body).await;
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
    let returned = Body::new(targets, &mut armed, body).await;
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
