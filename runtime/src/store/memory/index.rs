//! The maps of the engine: by bytes, in an order, with a hash that is cheaper than that of the standard library.

use crate::random::random_u64;
use bytes::Bytes;
use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use indexmap::IndexMap;
use std::sync::LazyLock;

/// What is stored under each name, in an order. Users choose names, and could choose many with one hash if they knew
/// the seed; so each process has a random one.
pub(crate) type Index<V> = IndexMap<Bytes, V, SeedableRandomState>;

static SEED: LazyLock<SharedSeed> = LazyLock::new(|| SharedSeed::from_u64(random_u64()));

pub(crate) fn index<V>() -> Index<V> {
    IndexMap::with_hasher(SeedableRandomState::with_seed(0, &SEED))
}
