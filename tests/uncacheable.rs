//! What cannot be cached is not, and that is said once for each function.

mod support;

use millpond::{ErrorKind, Millpond, cached, key};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};
use support::log::Log;

fn warnings(log: &Log) -> usize {
    let text = log.text();
    text.lines().filter(|line| line.contains("WARN")).count()
}

/// Written in one form and read in another.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Amount {
    Huge { value: u128 },
}

#[cached(prefix = "amount", key = "<id>", skip(bodies))]
async fn amount(id: u32, bodies: &AtomicU32) -> Amount {
    bodies.fetch_add(1, Ordering::SeqCst);
    Amount::Huge {
        value: u128::MAX - u128::from(id),
    }
}

#[cached(prefix = "nest", key = "<levels>")]
async fn nest(levels: u32) -> serde_json::Value {
    (1..levels).fold(serde_json::json!([]), |inner, _| serde_json::json!([inner]))
}

#[tokio::test]
async fn a_function_whose_values_cannot_be_read_back_stores_three_at_most() {
    let (log, _guard) = Log::of_this_thread();
    let (pond, bodies) = (Millpond::memory(), AtomicU32::new(0));
    pond.scope(async {
        for id in 0..20 {
            let Amount::Huge { value } = amount(id % 4, &bodies).await;
            assert_eq!(value, u128::MAX - u128::from(id % 4));
        }
    })
    .await;
    assert_eq!(bodies.load(Ordering::SeqCst), 20);
    let stats = pond.stats().prefix("amount");
    assert!(stats.stores <= 3, "{stats:?}");
    assert_eq!(warnings(&log), 1, "{}", log.text());
    assert!(log.text().contains("cannot be read back"), "{}", log.text());
}

#[tokio::test]
async fn a_value_that_json_cannot_hold_is_said_once_and_harms_no_other() {
    let (log, _guard) = Log::of_this_thread();
    let pond = Millpond::memory();
    pond.scope(async {
        for _ in 0..5 {
            nest(128).await;
            nest(3).await;
        }
    })
    .await;
    let stats = pond.stats().prefix("nest");
    assert_eq!((stats.loads, stats.stores, stats.hits), (6, 1, 4));
    assert_eq!(stats.encode_failures, 5);
    assert_eq!(warnings(&log), 1, "{}", log.text());
}

#[cached(prefix = "tagged", key = "<tags:sha256>", skip(bodies))]
async fn tagged(tags: &HashSet<String>, bodies: &AtomicU32) -> u32 {
    bodies.fetch_add(1, Ordering::SeqCst)
}

#[cached(prefix = "sorted", key = "<tags:sha256>:<words:sha256>", skip(bodies))]
async fn sorted(tags: &BTreeSet<String>, words: &HashMap<String, u32>, bodies: &AtomicU32) -> u32 {
    bodies.fetch_add(1, Ordering::SeqCst)
}

#[tokio::test]
async fn a_set_without_an_order_is_no_part_of_a_key() {
    let (log, _guard) = Log::of_this_thread();
    let (pond, bodies) = (Millpond::memory(), AtomicU32::new(0));
    let names = ["a", "b", "c", "d"].map(str::to_owned);
    pond.scope(async {
        for _ in 0..3 {
            tagged(&HashSet::from(names.clone()), &bodies).await;
        }
        assert_eq!(bodies.load(Ordering::SeqCst), 3);
        for _ in 0..3 {
            // Two maps that are equal iterate in orders of their own.
            let words = names.clone().map(|name| (name, 1)).into();
            assert_eq!(sorted(&names.clone().into(), &words, &bodies).await, 3);
        }
    })
    .await;
    assert_eq!(pond.stats().prefix("tagged").bypassed, 3);
    assert_eq!(warnings(&log), 1, "{}", log.text());
    assert!(log.text().contains("BTreeSet"), "{}", log.text());

    let inside: Option<BTreeMap<u8, HashSet<u8>>> = Some(BTreeMap::new());
    let error = pond.get::<u8>(key!("k:<inside:sha256>")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidKey);
    assert!(error.to_string().contains("BTreeSet"), "{error}");
}
