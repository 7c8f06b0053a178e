//! The result of a lookup in the cache.

/// The result of a lookup in the cache.
///
/// ```
/// assert_eq!(millpond::Lookup::Hit(1).into_value(), Some(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup<T> {
    /// A value.
    Hit(T),
    /// An old value, which a call of the function still returns in some cases: it is within the window of
    /// `stale_while_revalidate` or of `stale_if_error`.
    Stale(T),
    /// A cached `None`.
    Null,
    /// Nothing is cached.
    Miss,
}

impl<T> Lookup<T> {
    /// The value, if one was found, fresh or stale.
    ///
    /// ```
    /// assert_eq!(millpond::Lookup::<u8>::Miss.into_value(), None);
    /// ```
    pub fn into_value(self) -> Option<T> {
        match self {
            Self::Hit(value) | Self::Stale(value) => Some(value),
            Self::Null | Self::Miss => None,
        }
    }

    /// Whether anything was found, including a cached `None`.
    ///
    /// ```
    /// assert!(millpond::Lookup::<u8>::Null.is_cached());
    /// ```
    pub fn is_cached(&self) -> bool {
        !matches!(self, Self::Miss)
    }
}
