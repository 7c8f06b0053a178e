//! The functions that a process calls: their bodies return the version that is true when they begin.

use crate::worker::Truth;
use millpond::{Tag, cached, invalidates, updates};
use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

#[cached(prefix = "history", key = "<name>", ttl = "long", skip(load))]
pub(crate) async fn read(name: &str, load: &Load) -> u64 {
    load.load(name).await
}

/// Several names in one read, one body and one fill.
#[cached(batch = names, of = read(names))]
pub(crate) async fn read_many(names: &[String], load: &Load) -> HashMap<String, u64> {
    load.load_all(names).await
}

/// The group of all pages of a name.
#[millpond::tag("group:<name>")]
pub(crate) fn group(name: &str) -> Tag;

/// One page of a group, whose version is that of the name.
#[cached(
    prefix = "paged",
    key = "<name>:<page>",
    ttl = "long",
    tags(group(name)),
    skip(load)
)]
pub(crate) async fn read_page(name: &str, page: u128, load: &Load) -> u64 {
    load.load(name).await
}

/// Several pages of one group.
#[cached(batch = pages, of = read_page(name, *pages))]
pub(crate) async fn read_pages(name: &str, pages: &[u128], load: &Load) -> HashMap<u128, u64> {
    let version = load.load(name).await;
    pages.iter().map(|page| (*page, version)).collect()
}

#[invalidates(group(name))]
pub(crate) async fn change_group(name: &str) -> Result<(), Infallible> {
    Ok(())
}

/// Stores one page, and moves the tag that this one and the others have.
#[updates(read_page(name, page), group(name))]
pub(crate) async fn replace_page(name: &str, page: u128, version: u64) -> u64 {
    version
}

/// The source of [`read_old`] does not answer.
#[derive(Clone, Debug)]
pub(crate) struct Down;

/// Most calls find an old value: lifetimes are short, and the clock of a process runs fast.
#[cached(
    prefix = "old",
    key = "<name>",
    ttl = "1s",
    jitter = 0,
    stale_while_revalidate = "4s",
    stale_if_error = "1h",
    soft_timeout = "5ms",
    skip(load)
)]
pub(crate) async fn read_old(name: &str, load: &Load) -> Result<u64, Down> {
    let version = load.load(name).await;
    if load.pause.as_millis().is_multiple_of(5) {
        return Err(Down);
    }
    Ok(version)
}

#[invalidates(read_old(name))]
pub(crate) async fn change_old(name: &str) -> Result<(), Infallible> {
    Ok(())
}

#[updates(read_old(name))]
pub(crate) async fn replace_old(name: &str, version: u64) -> Result<u64, Down> {
    Ok(version)
}

#[invalidates(read(name))]
pub(crate) async fn change(name: &str) -> Result<(), Infallible> {
    Ok(())
}

#[updates(read(name))]
pub(crate) async fn replace(name: &str, version: u64) -> u64 {
    version
}

/// What a body needs.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) truth: Truth,
    pub(crate) pause: Duration,
}

impl Load {
    async fn load(&self, name: &str) -> u64 {
        let version = self.truth.read(name).await;
        // A load that takes a while, so that changes happen meanwhile.
        tokio::time::sleep(self.pause).await;
        version
    }

    async fn load_all(&self, names: &[String]) -> HashMap<String, u64> {
        let mut versions = HashMap::new();
        for name in names {
            versions.insert(name.clone(), self.truth.read(name).await);
        }
        tokio::time::sleep(self.pause).await;
        versions
    }
}
