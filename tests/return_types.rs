//! Every return type that can be cached: what is stored, what comes back, and what never is stored.

mod support;

use millpond::{Lookup, Millpond, cached};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::error::Error;
use std::fmt::Display;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    id: u32,
    name: String,
}

/// Counts bodies.
#[derive(Default)]
struct Bodies(AtomicU32);

impl Bodies {
    fn begin(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn count(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

fn user(id: u32) -> User {
    User {
        id,
        name: format!("user {id}"),
    }
}

#[cached(prefix = "plain", skip(bodies))]
async fn plain(id: u32, bodies: &Bodies) -> User {
    bodies.begin();
    user(id)
}

#[cached(prefix = "option", skip(bodies))]
async fn option(id: u32, bodies: &Bodies) -> Option<User> {
    bodies.begin();
    (id > 0).then(|| user(id))
}

#[cached(prefix = "result", skip(bodies))]
async fn result(id: u32, bodies: &Bodies) -> Result<User, String> {
    bodies.begin();
    if id > 0 {
        Ok(user(id))
    } else {
        Err("nobody".to_owned())
    }
}

#[cached(prefix = "both", skip(bodies))]
async fn both(id: u32, bodies: &Bodies) -> Result<Option<User>, std::num::ParseIntError> {
    bodies.begin();
    match id {
        0 => "x".parse::<u32>().map(|_| None),
        1 => Ok(None),
        id => Ok(Some(user(id))),
    }
}

#[cached(prefix = "arc", skip(bodies))]
async fn shared(id: u32, bodies: &Bodies) -> Arc<User> {
    bodies.begin();
    Arc::new(user(id))
}

type DbResult<T> = Result<T, Box<dyn Error>>;
type Found = Option<User>;

/// An alias of `Result` whose error is neither `Clone` nor `Send`.
#[cached(prefix = "alias", skip(bodies))]
async fn alias(id: u32, bodies: &Bodies) -> DbResult<Found> {
    bodies.begin();
    if id == 0 {
        return Err("nobody".into());
    }
    Ok(Some(user(id)))
}

/// Called `Result`, and none.
mod names {
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    pub(crate) struct Result<T, E>(pub(crate) T, pub(crate) E);
}

#[cached(prefix = "misleading", skip(bodies))]
async fn misleading(id: u32, bodies: &Bodies) -> names::Result<u32, String> {
    bodies.begin();
    names::Result(id, "no error".to_owned())
}

#[cached(prefix = "unit", skip(bodies))]
async fn unit(id: u32, bodies: &Bodies) -> Result<(), String> {
    bodies.begin();
    assert!(id > 0);
    Ok(())
}

trait Kind: Clone + Serialize + DeserializeOwned {
    const PREFIX: &str;
}

impl Kind for String {
    const PREFIX: &str = "text";
}

impl Kind for u64 {
    const PREFIX: &str = "number";
}

#[cached(prefix = T::PREFIX, key = "<id>", skip(value))]
async fn generic<T: Kind, I: Display>(id: I, value: &T) -> Option<T> {
    drop(id);
    Some(value.clone())
}

#[cached(prefix = "borrowed", key = "<text>:<tags:sha256>:<parent?>")]
async fn borrowed<'a>(text: &'a str, tags: &[&'a str], parent: Option<&str>) -> Cow<'static, str> {
    Cow::Owned(format!("{text} {tags:?} {parent:?}"))
}

#[cached(prefix = "collections")]
async fn collections(
    id: u32,
) -> (
    Vec<u32>,
    BTreeMap<u32, Option<f64>>,
    HashSet<String>,
    [u8; 2],
) {
    let set = (0..50).map(|n| n.to_string()).collect();
    (
        vec![id],
        BTreeMap::from([(1, None), (2, Some(0.1 + 0.2))]),
        set,
        [1, 2],
    )
}

#[cached(prefix = "deep")]
async fn deep(id: u32) -> Option<Vec<Option<Result<u32, String>>>> {
    Some(vec![None, Some(Ok(id)), Some(Err("x".to_owned()))])
}

#[tokio::test]
async fn a_value_comes_back_as_it_was_and_its_body_runs_once() {
    let pond = Millpond::memory();
    pond.scope(async {
        let bodies = Bodies::default();
        for _ in 0..3 {
            assert_eq!(plain(1, &bodies).await, user(1));
            assert_eq!(option(1, &bodies).await, Some(user(1)));
            assert_eq!(result(1, &bodies).await, Ok(user(1)));
            assert_eq!(both(2, &bodies).await, Ok(Some(user(2))));
            assert_eq!(*shared(1, &bodies).await, user(1));
            assert_eq!(alias(1, &bodies).await.unwrap(), Some(user(1)));
            let called = misleading(1, &bodies).await;
            assert_eq!(called, names::Result(1, "no error".to_owned()));
            assert_eq!(unit(1, &bodies).await, Ok(()));
        }
        assert_eq!(bodies.count(), 8);
        assert_eq!(plain::entry(1).get().await.unwrap(), Lookup::Hit(user(1)));
        assert_eq!(
            alias::entry(1).get().await.unwrap(),
            Lookup::Hit(Some(user(1)))
        );
    })
    .await;
    assert_eq!(pond.stats().cache.encode_failures, 0);
}

#[tokio::test]
async fn a_nothing_is_cached_also_inside_a_result() {
    let pond = Millpond::memory();
    pond.scope(async {
        let bodies = Bodies::default();
        for _ in 0..3 {
            assert_eq!(option(0, &bodies).await, None);
            assert_eq!(both(1, &bodies).await, Ok(None));
        }
        assert_eq!(bodies.count(), 2);
        assert_eq!(option::entry(0).get().await.unwrap(), Lookup::Null);
        assert_eq!(both::entry(1).get().await.unwrap(), Lookup::Null);
        let stored = pond.command(["GET", "option:0"]).await.unwrap();
        assert_eq!(
            stored,
            millpond::Reply::Bulk(millpond::NULL_SENTINEL.into())
        );
    })
    .await;
    assert_eq!(pond.stats().cache.null_hits, 6);
}

#[tokio::test]
async fn an_error_is_never_cached_and_reaches_its_caller_unchanged() {
    let pond = Millpond::memory();
    pond.scope(async {
        let bodies = Bodies::default();
        for n in 1..4 {
            assert_eq!(result(0, &bodies).await, Err("nobody".to_owned()));
            assert!(both(0, &bodies).await.is_err());
            assert_eq!(alias(0, &bodies).await.unwrap_err().to_string(), "nobody");
            assert_eq!(bodies.count(), n * 3);
        }
        assert!(!result::entry(0).exists().await.unwrap());
    })
    .await;
    assert_eq!(pond.stats().cache.load_errors, 9);
    assert_eq!(pond.stats().cache.stores, 0);
}

#[tokio::test]
async fn generic_functions_keep_their_types_apart_by_the_prefix() {
    let pond = Millpond::memory();
    pond.scope(async {
        let text = "a".to_owned();
        assert_eq!(generic(1, &text).await, Some(text));
        assert_eq!(generic("1", &7_u64).await, Some(7));
        assert_eq!(generic(1_u8, &"b".to_owned()).await.as_deref(), Some("a"));
        assert_eq!(generic(1, &8_u64).await, Some(7));
        assert_eq!(generic::entry::<u64, _>("1").key().as_str(), "number:1");
    })
    .await;
}

#[tokio::test]
async fn borrowed_arguments_need_not_outlive_the_call() {
    let pond = Millpond::memory();
    pond.scope(async {
        let first = {
            let (text, tags) = ("a".to_owned(), ["b".to_owned()]);
            let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
            borrowed(&text, &tags, None).await
        };
        assert_eq!(borrowed("a", &["b"], None).await, first);
        assert_ne!(borrowed("a", &["b"], Some("c")).await, first);
        assert_eq!(pond.stats().cache.loads, 2);
    })
    .await;
}

#[tokio::test]
async fn floats_sets_maps_and_nested_options_survive() {
    let pond = Millpond::memory();
    pond.scope(async {
        assert_eq!(collections(1).await, collections(1).await);
        assert_eq!(deep(1).await, deep(1).await);
    })
    .await;
    assert_eq!(pond.stats().cache.loads, 2);
    assert_eq!(pond.stats().cache.encode_failures, 0);
}

/// JSON has one null: as the value of a `Some` it would come back as `None`.
#[cached(prefix = "some-unit")]
async fn some_unit(id: u32) -> Option<()> {
    (id > 0).then_some(())
}

#[cached(prefix = "some-none")]
async fn some_none(id: u32) -> Result<Option<Option<u32>>, String> {
    Ok(Some((id > 1).then_some(id)))
}

#[cached(prefix = "some-null")]
async fn some_null(id: u32) -> Vec<Option<serde_json::Value>> {
    vec![Some(serde_json::Value::Null), Some(id.into()), None]
}

#[tokio::test]
async fn a_some_of_nothing_never_comes_back_as_a_none() {
    let pond = Millpond::memory();
    pond.scope(async {
        for _ in 0..2 {
            assert_eq!(some_unit(1).await, Some(()));
            assert_eq!(some_unit(0).await, None);
            assert_eq!(some_none(1).await, Ok(Some(None)));
            assert_eq!(some_none(2).await, Ok(Some(Some(2))));
            assert_eq!(some_null(1).await[0], Some(serde_json::Value::Null));
        }
    })
    .await;
    assert_eq!(pond.stats().cache.encode_failures, 6);
    assert_eq!(pond.stats().cache.stores, 2);
}

#[cached(prefix = "local", key = "<id>", skip(cell))]
async fn unsendable(id: u32, cell: Rc<std::cell::Cell<u32>>) -> u32 {
    cell.set(cell.get() + id);
    tokio::task::yield_now().await;
    cell.get()
}

#[tokio::test]
async fn a_body_that_cannot_be_sent_runs_on_a_local_set_and_is_shared_there() {
    let pond = Millpond::memory();
    let cell = Rc::new(std::cell::Cell::new(0));
    let local = tokio::task::LocalSet::new();
    let calls = local.run_until(async {
        let calls: Vec<_> = (0..10)
            .map(|_| tokio::task::spawn_local(pond.scope(unsendable(5, cell.clone()))))
            .collect();
        let mut values = Vec::new();
        for call in calls {
            values.push(call.await.unwrap());
        }
        values
    });
    assert_eq!(calls.await, [5; 10]);
    assert_eq!(cell.get(), 5);
}

#[tokio::test]
async fn a_call_is_sendable_where_its_body_is() {
    let pond = Millpond::memory();
    let bodies = Arc::new(Bodies::default());
    // The error of `alias` cannot be sent; its future can.
    let name = pond.spawn(async move {
        let found = alias(1, &bodies).await.ok().flatten();
        found.map(|user| user.name)
    });
    assert_eq!(name.await.unwrap().as_deref(), Some("user 1"));
}
