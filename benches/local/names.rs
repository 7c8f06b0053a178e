//! How the tables call everybody.

pub(crate) const BY_HAND: &str = "`quick_cache` by hand, `u64`";
pub(crate) const TEXT_BY_HAND: &str = "`quick_cache` by hand, `&str`";
pub(crate) const FULL: &str = "`quick_cache`, its promises by hand, `u64`";
pub(crate) const TEXT_FULL: &str = "`quick_cache`, its promises by hand, `&str`";
pub(crate) const SYNC_FULL: &str = "`quick_cache`, its promises by hand, a sync `fn`";
pub(crate) const NUMBER: &str = "`#[cached(local = \"1h\")]`, `u64`";
pub(crate) const TEXT: &str = "`#[cached(local = \"1h\")]`, `&str`";
pub(crate) const NUMBER_ONLY: &str = "`#[cached(local = \"only\")]`, `u64`";
pub(crate) const TEXT_ONLY: &str = "`#[cached(local = \"only\")]`, `&str`";
pub(crate) const SYNC: &str = "`#[cached(local = \"only\")]` on a sync `fn`";
pub(crate) const MOKA: &str = "moka, sync";
pub(crate) const AMALGAM: &str = "amalgam-cache `try_get`";
pub(crate) const CONCURRENT: &str = "`#[concurrent_cached]`";
pub(crate) const PEER: &str = "`#[cached(max_size, ttl)]` of cached";
