//! What a batch returns: values by item.

use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, Hash};

/// What the body of a batch gave, item by item.
#[derive(Debug)]
pub struct Split<C, V> {
    pub(super) items: Vec<GivenItem<V>>,
    /// What belongs to no item that was asked for.
    pub(super) rest: C,
    /// Whether it is open which value belongs to which item.
    pub(super) is_odd: bool,
}

/// What the body gave for one item.
#[derive(Debug)]
pub(super) struct GivenItem<V> {
    pub(super) value: Option<V>,
    /// Whether it is known that this, and no other, is its value.
    pub(super) is_sure: bool,
}

/// Gives the value of a distinct item again.
pub(super) type Repeated<'a, V> = &'a dyn Fn(usize) -> Option<V>;

/// A return type of a batch, whose items are `T`s.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what a batch of `{T}`s can return",
    label = "not a collection of values by item",
    note = "return a `HashMap<{T}, V>`, a `BTreeMap<{T}, V>`, a `Vec<({T}, V)>`, or a `Vec<Option<V>>` in the order of the items; or one of these in a `Result`"
)]
pub trait BatchCollection<T>: Sized {
    /// The value of one item.
    type Value;
    #[doc(hidden)]
    fn split(self, asked: &[T]) -> Split<Self, Self::Value>;
    /// Adds what a second body gave beyond what was asked of it; of what both gave, that of the second stays.
    #[doc(hidden)]
    fn add(&mut self, newer: Self);
    /// Of the rest only what is no item of the call: what an item has is its value, or nothing.
    #[doc(hidden)]
    fn join(
        rest: Option<Self>,
        items: &[T],
        places: &[usize],
        values: Vec<Option<Self::Value>>,
        again: Repeated<'_, Self::Value>,
    ) -> Self;
}

/// A value of a batch, where the function for one returns an `S`.
#[diagnostic::on_unimplemented(
    message = "a batch of `{Self}` cannot share the entries of a function that returns `{S}`",
    label = "the values of the batch are `{Self}`",
    note = "the function for one returns the value itself, or an `Option` of it"
)]
pub trait ItemValue<S>: Sized {
    #[doc(hidden)]
    const NULLS: bool;
    /// What is known of an item, as the function for one has it.
    #[doc(hidden)]
    fn as_one(item: &Option<Self>) -> Option<&S>;
    /// What the function for one has, as what is known of an item.
    #[doc(hidden)]
    fn of_one(value: S) -> Option<Self>;
}

#[diagnostic::do_not_recommend]
impl<V> ItemValue<V> for V {
    const NULLS: bool = false;

    fn as_one(item: &Option<V>) -> Option<&V> {
        item.as_ref()
    }

    fn of_one(value: V) -> Option<V> {
        Some(value)
    }
}

#[diagnostic::do_not_recommend]
impl<V> ItemValue<Option<V>> for V {
    const NULLS: bool = true;

    fn as_one(item: &Option<V>) -> Option<&Option<V>> {
        Some(item)
    }

    fn of_one(value: Option<V>) -> Option<V> {
        value
    }
}

/// The value of each item: that which is there at its first place, and once more at others.
fn each<'a, T, V>(
    items: &'a [T],
    places: &'a [usize],
    mut values: Vec<Option<V>>,
    again: Repeated<'a, V>,
) -> impl Iterator<Item = (&'a T, Option<V>)> {
    let mut given: HashSet<usize> = HashSet::with_capacity(values.len());
    items.iter().zip(places).map(move |(item, &place)| {
        if given.insert(place) {
            return (item, values.get_mut(place).and_then(Option::take));
        }
        (item, again(place))
    })
}

macro_rules! maps {
    ($([$($bounds:tt)*] $map:ty, $new:expr;)*) => {
        $(
            #[diagnostic::do_not_recommend]
            impl<$($bounds)*, V: DeserializeOwned, T: Clone + Into<K>> BatchCollection<T> for $map {
                type Value = V;

                fn split(mut self, asked: &[T]) -> Split<Self, V> {
                    let keys: Vec<K> = asked.iter().map(|item| item.clone().into()).collect();
                    let has: Vec<bool> = keys.iter().map(|key| self.contains_key(key)).collect();
                    let items = keys.iter().zip(has).map(|(key, has)| {
                        let value = self.remove(key);
                        // Two items may have one key in the map.
                        GivenItem { is_sure: value.is_some() == has, value }
                    });
                    let items = items.collect();
                    Split { items, rest: self, is_odd: false }
                }

                fn add(&mut self, newer: Self) {
                    self.extend(newer);
                }

                fn join(
                    rest: Option<Self>,
                    items: &[T],
                    places: &[usize],
                    mut values: Vec<Option<V>>,
                    _again: Repeated<'_, V>,
                ) -> Self {
                    let of_all = || $new(values.iter().flatten().count());
                    let mut map = rest.unwrap_or_else(of_all);
                    if !map.is_empty() {
                        for item in items {
                            map.remove(&item.clone().into());
                        }
                    }
                    for (item, &place) in items.iter().zip(places) {
                        if let Some(value) = values.get_mut(place).and_then(Option::take) {
                            map.insert(item.clone().into(), value);
                        }
                    }
                    map
                }
            }
        )*
    };
}

maps! {
    [K: Eq + Hash, S: BuildHasher + Default] HashMap<K, V, S>,
        |most| HashMap::with_capacity_and_hasher(most, S::default());
    [K: Ord] BTreeMap<K, V>, |_| BTreeMap::new();
}

#[diagnostic::do_not_recommend]
impl<K, V, T> BatchCollection<T> for Vec<(K, V)>
where
    K: Eq + Hash,
    V: DeserializeOwned,
    T: Clone + Into<K>,
{
    type Value = V;

    fn split(self, asked: &[T]) -> Split<Self, V> {
        let mut places: HashMap<K, usize> = HashMap::with_capacity(asked.len());
        let mut items: Vec<GivenItem<V>> = Vec::with_capacity(asked.len());
        for (at, item) in asked.iter().enumerate() {
            let other = places.insert(item.clone().into(), at);
            if let Some(other) = other.and_then(|at| items.get_mut(at)) {
                other.is_sure = false;
            }
            items.push(GivenItem {
                value: None,
                is_sure: other.is_none(),
            });
        }
        let (mut rest, mut is_odd) = (Vec::new(), false);
        for (key, value) in self {
            let Some(item) = places.get(&key).and_then(|&at| items.get_mut(at)) else {
                rest.push((key, value));
                continue;
            };
            if item.value.is_some() {
                is_odd = true;
                item.is_sure = false;
                continue;
            }
            item.value = Some(value);
        }
        Split {
            items,
            rest,
            is_odd,
        }
    }

    fn add(&mut self, newer: Self) {
        let known: HashSet<&K> = newer.iter().map(|(key, _)| key).collect();
        self.retain(|(key, _)| !known.contains(key));
        drop(known);
        self.extend(newer);
    }

    fn join(
        rest: Option<Self>,
        items: &[T],
        places: &[usize],
        values: Vec<Option<V>>,
        again: Repeated<'_, V>,
    ) -> Self {
        let mut rest = rest.unwrap_or_default();
        if !rest.is_empty() {
            let asked: HashSet<K> = items.iter().map(|item| item.clone().into()).collect();
            rest.retain(|(key, _)| !asked.contains(key));
        }
        let pairs = each(items, places, values, again);
        let pairs = pairs.filter_map(|(item, value)| Some((item.clone().into(), value?)));
        pairs.chain(rest).collect()
    }
}

#[diagnostic::do_not_recommend]
impl<V: DeserializeOwned, T> BatchCollection<T> for Vec<Option<V>> {
    type Value = V;

    fn split(self, asked: &[T]) -> Split<Self, V> {
        let is_odd = self.len() != asked.len();
        let mut values = self.into_iter();
        let items = asked.iter().map(|_| GivenItem {
            value: values.next().flatten(),
            is_sure: !is_odd,
        });
        Split {
            items: items.collect(),
            rest: Vec::new(),
            is_odd,
        }
    }

    fn add(&mut self, _newer: Self) {}

    fn join(
        _rest: Option<Self>,
        items: &[T],
        places: &[usize],
        values: Vec<Option<V>>,
        again: Repeated<'_, V>,
    ) -> Self {
        each(items, places, values, again)
            .map(|(_, value)| value)
            .collect()
    }
}
