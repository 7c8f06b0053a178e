//! What the batch form asks of a return type, with the functions that need to know it.

use super::BatchEntries;
use super::collection::{BatchCollection, ItemValue, Repeated, Split};
use super::slots::OfItem;
use crate::cache::{CacheValue, ReturnKind};
use crate::value;
use std::fmt;

type SplitBy<C, T, V> = fn(C, &[T]) -> Split<C, V>;
type Join<C, T, V> = fn(Option<C>, &[T], &[usize], Vec<Option<V>>, Repeated<'_, V>) -> C;

/// A return kind that a batch of `T`s can have, whose values by item are `V`s. Nothing further on asks for traits: where
/// one is missing, that is one error, at [`batchable`].
pub struct Batchable<K: ReturnKind, T, V, S> {
    pub(super) kind: K,
    pub(super) of_item: OfItem<V, S>,
    pub(super) split: SplitBy<K::Value, T, V>,
    pub(super) add: fn(&mut K::Value, K::Value),
    pub(super) join: Join<K::Value, T, V>,
}

impl<K: ReturnKind, T, V, S> fmt::Debug for Batchable<K, T, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Batchable")
    }
}

/// The kind, if a batch of these items can return it, where the function for one returns an `S`.
pub fn batchable<K, T, V, S>(kind: K, _: &BatchEntries<S>) -> Batchable<K, T, V, S>
where
    K: ReturnKind,
    K::Value: BatchCollection<T, Value = V>,
    V: ItemValue<S> + CacheValue,
{
    Batchable {
        kind,
        of_item: OfItem {
            nulls: V::NULLS,
            read: value::read,
            write: value::write,
            as_one: V::as_one,
            of_one: V::of_one,
        },
        split: K::Value::split,
        add: K::Value::add,
        join: K::Value::join,
    }
}
