//! Who is compared, each as its documentation says that concurrent misses are loaded once.

use crate::Outcome;
use crate::source::{Failed, Source};
use amalgam::provider::{
    JsonSerializer, RedisBackplane, RedisDistributedCache, RedisDistributedLocker,
};
use amalgam::{Cache, EntryOptions};
use cached::Cached;
use millpond::{Millpond, Tag};
use millpond_gateway::RedisServer;
use std::sync::Arc;
use std::time::Duration;

const TTL: Duration = Duration::from_hours(1);

#[millpond::cached(
    prefix = "hot",
    ttl = "1h",
    key = "<which>",
    tags("team:<which>"),
    skip(source)
)]
async fn hot(which: u64, source: &Source) -> Result<u64, Failed> {
    source.load().await
}

#[cached::macros::cached(
    ttl_secs = 3_600,
    key = "u64",
    convert = { which },
    sync_writes = "by_key"
)]
#[allow(unused_variables, reason = "the key is all that it is for")]
async fn peer(which: u64, source: Arc<Source>) -> Result<u64, Failed> {
    source.load().await
}

#[derive(Clone)]
pub(crate) enum Peer {
    Millpond(Millpond),
    Amalgam(Cache<u64>),
    Moka(moka::future::Cache<u64, u64>),
    Cached,
    None,
}

/// What a cache has no notion of.
#[derive(Debug)]
pub(crate) struct Unsupported;

impl Peer {
    pub(crate) fn millpond() -> Self {
        Self::Millpond(Millpond::memory())
    }

    pub(crate) fn millpond_on(redis: &RedisServer) -> Outcome<[Self; 2]> {
        let url = redis.database().url();
        let instance = || Millpond::builder().redis(url.clone()).build();
        Ok([Self::Millpond(instance()?), Self::Millpond(instance()?)])
    }

    pub(crate) fn amalgam() -> Outcome<Self> {
        let cache = Cache::builder().default_options(EntryOptions::new(TTL));
        Ok(Self::Amalgam(cache.try_build()?))
    }

    /// With a second level, a backplane and a lock, all in Redis; `strict` as its documentation has it for where
    /// invalidations come before availability.
    pub(crate) async fn amalgam_on(redis: &RedisServer, strict: bool) -> Outcome<[Self; 2]> {
        let url = redis.database().url();
        let mut instances = Vec::new();
        for id in ["one", "two"] {
            let store = RedisDistributedCache::connect(url.clone()).await?;
            let backplane = RedisBackplane::connect(url.clone()).await?;
            let locker = RedisDistributedLocker::connect(url.clone()).await?;
            let builder = Cache::builder();
            let builder = if strict { builder.strict() } else { builder };
            let builder = builder
                .distributed(Arc::new(store))
                .serializer(Arc::new(JsonSerializer))
                .backplane(Arc::new(backplane))
                .distributed_locker(Arc::new(locker))
                .default_options(EntryOptions::new(TTL))
                .instance_id(id);
            instances.push(Self::Amalgam(builder.try_build_ready().await?));
        }
        <[Self; 2]>::try_from(instances).map_err(|_| "two of them".into())
    }

    pub(crate) fn moka() -> Self {
        let cache = moka::future::Cache::builder();
        let cache = cache.max_capacity(10_000).time_to_live(TTL);
        Self::Moka(cache.support_invalidation_closures().build())
    }

    pub(crate) async fn cached() -> Self {
        PEER.write().await.cache_clear();
        Self::Cached
    }

    pub(crate) async fn get(&self, which: u64, source: &Arc<Source>) -> Result<u64, Failed> {
        match self {
            Self::Millpond(pond) => pond.scope(hot(which, source)).await,
            Self::Amalgam(cache) => {
                let source = Arc::clone(source);
                let key = which.to_string();
                let load = move |_| async move { source.load().await };
                let value = cache.get_or_set(&key, load).tags([format!("team:{which}")]);
                value.await.map_err(|_| Failed)
            }
            Self::Moka(cache) => {
                let value = cache.try_get_with(which, source.load()).await;
                value.map_err(|error| Failed::clone(&error))
            }
            Self::Cached => peer(which, Arc::clone(source)).await,
            Self::None => source.load().await,
        }
    }

    pub(crate) async fn invalidate(&self, which: u64) -> Outcome {
        match self {
            Self::Millpond(pond) => pond
                .scope(async { hot::invalidate(which).await })
                .await
                .map(drop)?,
            Self::Amalgam(cache) => cache.remove(which.to_string()).await?,
            Self::Moka(cache) => cache.invalidate(&which).await,
            Self::Cached => drop(PEER.write().await.cache_remove(&which)),
            Self::None => {}
        }
        Ok(())
    }

    pub(crate) async fn invalidate_tag(&self, which: u64) -> Result<Outcome, Unsupported> {
        Ok(match self {
            Self::Millpond(pond) => {
                let tag = Tag::new(format!("team:{which}"));
                pond.invalidate_tag(tag).await.map_err(Into::into)
            }
            Self::Amalgam(cache) => {
                let tag = format!("team:{which}");
                cache.remove_by_tag(tag).await.map_err(Into::into)
            }
            // The nearest thing that it has.
            Self::Moka(cache) => {
                let removed = cache.invalidate_entries_if(move |key, _| *key == which);
                removed.map(drop).map_err(Into::into)
            }
            Self::Cached | Self::None => return Err(Unsupported),
        })
    }
}
