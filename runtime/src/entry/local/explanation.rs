//! Why a value that only this process keeps is found or missed.

use crate::cache::only::OnlyEntry;
use crate::local::Known;
use std::fmt;
use std::time::Duration;

/// What this process knows of one entry of a function with `local = "only"`. Its `Display` says it in a few words; it
/// contains the key, but no part of the value.
///
/// ```
/// use millpond::cached;
///
/// #[cached(local = "only", key = "<id>", ttl = "1h")]
/// fn answer(id: u64) -> u32 { 42 }
///
/// answer(1);
/// let why = answer::entry(1).explain();
/// assert!(why.is_kept());
/// println!("{why}");
/// ```
#[derive(Clone)]
pub struct LocalExplanation {
    key: String,
    known: Option<Known>,
    loading: bool,
}

impl LocalExplanation {
    pub(super) fn of(entry: &OnlyEntry) -> Self {
        let cache = &entry.cache;
        Self {
            key: entry.key.as_str().to_owned(),
            known: cache.local.known(entry.name()),
            loading: cache.flights.is_loading(&entry.flight()),
        }
    }

    /// Whether a value is kept that the next call would return.
    ///
    /// ```
    /// # use millpond::cached;
    /// #[cached(local = "only")]
    /// fn answer() -> u32 { 42 }
    ///
    /// assert!(!answer::entry().explain().is_kept());
    /// ```
    pub fn is_kept(&self) -> bool {
        self.known.is_some()
    }

    /// Whether a call was loading the value.
    ///
    /// ```
    /// # use millpond::cached;
    /// #[cached(local = "only")]
    /// fn answer() -> u32 { 42 }
    ///
    /// assert!(!answer::entry().explain().is_loading());
    /// ```
    pub fn is_loading(&self) -> bool {
        self.loading
    }

    /// How long ago the load began that the value comes from.
    ///
    /// ```
    /// # use millpond::cached;
    /// #[cached(local = "only")]
    /// fn answer() -> u32 { 42 }
    ///
    /// assert_eq!(answer::entry().explain().age(), None);
    /// ```
    pub fn age(&self) -> Option<Duration> {
        self.known.map(|known| known.age)
    }

    /// About how many bytes the value takes; see [`Builder::local_bytes`](crate::Builder::local_bytes).
    ///
    /// ```
    /// # use millpond::cached;
    /// #[cached(local = "only")]
    /// fn answer() -> u32 { 42 }
    ///
    /// assert_eq!(answer::entry().explain().bytes(), None);
    /// ```
    pub fn bytes(&self) -> Option<u64> {
        self.known.map(|known| known.bytes)
    }
}

impl fmt::Display for LocalExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key,
            known,
            loading,
        } = self;
        match known {
            Some(Known {
                age, left, bytes, ..
            }) => write!(
                f,
                "{key}: a value of about {bytes} bytes is kept in this process, loaded {age:.1?} ago, for another {left:.1?}"
            )?,
            None => write!(
                f,
                "{key}: nothing is kept in this process; it was never loaded here, has expired, was invalidated, or had \
                 to go for other values"
            )?,
        }
        if *loading {
            f.write_str("; a call is loading it")?;
        }
        Ok(())
    }
}

/// Everything but the key.
impl fmt::Debug for LocalExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalExplanation")
            .field("known", &self.known)
            .field("loading", &self.loading)
            .finish_non_exhaustive()
    }
}
