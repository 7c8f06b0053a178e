//! Which `Millpond` a call uses: the scoped one, else the installed one, else the environment's.

#[cfg(feature = "tower")]
mod layer;
mod tag;

use crate::error::{Error, ErrorKind};
use crate::pond::Millpond;
use crate::runtime::{BoxFuture, InRequest, in_request};
#[cfg(feature = "tower")]
pub use layer::{ScopeFuture, ScopeLayer, ScopeService};
use std::future::Future;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::futures::TaskLocalFuture;

static INSTALLED: OnceLock<Millpond> = OnceLock::new();
static DEFAULT: OnceLock<Millpond> = OnceLock::new();

/// Whether this process ever had a scope. Where it has none, a hit need not look for one.
static HAD_SCOPES: AtomicBool = AtomicBool::new(false);

tokio::task_local! {
    static SCOPE: Scope;
}

#[derive(Clone)]
struct Scope {
    pond: Millpond,
    bypass: bool,
}

impl Scope {
    fn new(pond: Millpond, bypass: bool) -> Self {
        HAD_SCOPES.store(true, Ordering::Relaxed);
        Self { pond, bypass }
    }
}

/// Sets the cache of the whole process. Call it once, at start-up.
///
/// # Errors
/// [`ErrorKind::Config`] if one is installed already; that one is kept.
///
/// ```
/// # let pond = millpond::Millpond::memory();
/// millpond::install(pond)?;
/// assert!(millpond::install(millpond::Millpond::memory()).is_err());
/// # Ok::<_, millpond::Error>(())
/// ```
pub fn install(pond: Millpond) -> Result<(), Error> {
    INSTALLED.set(pond).map_err(|_| {
        Error::new(
            ErrorKind::Config,
            "a Millpond is installed already; use scope for another one",
        )
    })
}

/// The cache that the attributes use here: the one of the surrounding [`scope`](Millpond::scope), otherwise
/// the [`install`]ed one, otherwise the one of [`from_env`](Millpond::from_env), which is created on first
/// use. On `wasm32` there is no environment, and without a scope or an installed one this is as if the environment
/// were wrong. If the environment is wrong, an error is logged once, every operation of the result fails with it,
/// and annotated functions run uncached.
///
/// ```
/// let pond = millpond::current();
/// ```
pub fn current() -> Millpond {
    if let Ok(scope) = SCOPE.try_with(Clone::clone) {
        return scope.pond;
    }
    if let Some(pond) = INSTALLED.get() {
        return pond.clone();
    }
    DEFAULT.get_or_init(default).clone()
}

/// What the environment describes.
#[cfg(not(target_arch = "wasm32"))]
fn default() -> Millpond {
    Millpond::from_env().unwrap_or_else(Millpond::unconfigured)
}

/// There is no environment here, and values that one isolate keeps for itself are not seen to be invalidated.
#[cfg(target_arch = "wasm32")]
fn default() -> Millpond {
    Millpond::unconfigured(Error::new(
        ErrorKind::Config,
        "no Millpond is current here; run the request in Millpond::scope",
    ))
}

/// Whether the code around runs in a `Millpond` of its own.
#[cfg(feature = "catalogue")]
pub(crate) fn is_scoped() -> bool {
    SCOPE.try_with(|_| ()).is_ok()
}

/// Whether the code around asked for calls without a cache.
pub(crate) fn is_bypassed() -> bool {
    SCOPE.try_with(|scope| scope.bypass).unwrap_or(false)
}

/// This cache or the one of the process, where no scope can be around. Whoever polls inside a scope sees that there was one:
/// the future of the scope came to that thread after it was made.
#[inline]
pub(crate) fn without_scope(pond: Option<&Millpond>) -> Option<&Millpond> {
    if HAD_SCOPES.load(Ordering::Relaxed) {
        return None;
    }
    pond.or_else(|| INSTALLED.get()).or_else(|| DEFAULT.get())
}

/// What this gets from the cache that calls use here, where they use one.
pub(crate) fn with_current<T>(get: impl Fn(&Millpond) -> Option<T>) -> Option<T> {
    let scoped = SCOPE.try_with(|scope| {
        if scope.bypass {
            return None;
        }
        get(&scope.pond)
    });
    match scoped {
        Ok(found) => found,
        Err(_) => get(INSTALLED.get().unwrap_or_else(|| by_default())),
    }
}

/// What this gets from this cache or the current one, where calls use one here.
pub(crate) fn with_own_or_current<T>(
    pond: Option<&Millpond>,
    get: impl Fn(&Millpond) -> Option<T>,
) -> Option<T> {
    match pond {
        None => with_current(get),
        Some(_) if is_bypassed() => None,
        Some(pond) => get(pond),
    }
}

#[cold]
#[inline(never)]
fn by_default() -> &'static Millpond {
    DEFAULT.get_or_init(default)
}

/// A task with the same current cache as the code around.
pub(crate) fn carried(task: BoxFuture<()>) -> BoxFuture<()> {
    match SCOPE.try_with(Clone::clone) {
        Ok(scope) => Box::pin(scope.pond.current_for(scope.bypass, task)),
        Err(_) => task,
    }
}

impl Millpond {
    /// Runs a future with this as the current cache, for example for parallel tests or for tenants. It
    /// applies to this task only; for a task that the future starts, use [`spawn`](Self::spawn).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, cached};
    ///
    /// #[cached(prefix = "answer")]
    /// async fn answer() -> u32 { 42 }
    ///
    /// let pond = Millpond::memory();
    /// pond.scope(async { answer().await; answer().await }).await;
    /// assert_eq!(pond.stats().cache.loads, 1);
    /// # });
    /// ```
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        self.current_for(false, future)
    }

    /// Runs a future in which annotated functions neither read from nor write to the cache.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let pond = millpond::Millpond::memory();
    /// pond.bypass(async { /* calls of annotated functions */ }).await;
    /// # });
    /// ```
    pub fn bypass<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        self.current_for(true, future)
    }

    fn current_for<F: Future>(
        &self,
        bypass: bool,
        future: F,
    ) -> InRequest<TaskLocalFuture<Scope, F>> {
        let scope = Scope::new(self.clone(), bypass);
        in_request(SCOPE.scope(scope, future))
    }

    /// [`tokio::spawn`], with this as the current cache of the new task.
    ///
    /// # Panics
    /// Outside a Tokio runtime, as `tokio::spawn` does.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let pond = millpond::Millpond::memory();
    /// assert_eq!(pond.spawn(async { 1 }).await.unwrap(), 1);
    /// # });
    /// ```
    #[cfg(not(target_arch = "wasm32"))]
    pub fn spawn<F>(&self, future: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(self.scope(future))
    }
}
