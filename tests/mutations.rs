//! `#[invalidates]` and `#[updates]`: what is still cached after a function that changes data, however
//! its call ended.

mod support;

use millpond::{Lookup, Millpond, cached, invalidates, updates};
use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Waker};
use support::settle;

#[derive(Debug, PartialEq)]
struct Refused;

/// A table, and the functions in front of it.
struct Table {
    pond: Millpond,
    rows: Mutex<HashMap<u32, String>>,
}

/// A row as an argument, taken apart where it arrives.
struct Row {
    id: u32,
    text: String,
}

impl Table {
    fn new() -> Self {
        Self {
            pond: Millpond::memory(),
            rows: Mutex::default(),
        }
    }

    fn write(&self, id: u32, text: &str) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.insert(id, text.to_owned());
    }

    #[cached(prefix = "row", key = "<id>", on = self.pond, skip(self))]
    async fn get(&self, id: u32) -> Option<String> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.get(&id).cloned()
    }

    #[invalidates(self.get(id))]
    async fn set(&self, id: u32, text: &str, outcome: Result<(), Refused>) -> Result<(), Refused> {
        self.write(id, text);
        outcome
    }

    #[invalidates(self.get(id), after = "always")]
    async fn set_for_sure(
        &self,
        id: u32,
        text: &str,
        outcome: Result<(), Refused>,
    ) -> Result<(), Refused> {
        self.write(id, text);
        outcome
    }

    #[invalidates(self.get(id))]
    async fn set_without_a_result(&self, id: u32, text: &str) {
        self.write(id, text);
    }

    #[invalidates(self.get(id))]
    async fn set_and_stay(&self, id: u32, text: &str) -> Result<(), Refused> {
        self.write(id, text);
        std::future::pending().await
    }

    #[invalidates(self.get(id))]
    async fn set_and_panic(&self, id: u32, text: &str) -> Result<(), Refused> {
        self.write(id, text);
        assert!(id == 0, "after the change");
        Ok(())
    }

    #[invalidates(self.get(id))]
    async fn take_apart(&self, Row { id, text }: Row) -> String {
        self.write(id, &text);
        text
    }

    #[invalidates(self.get(output.id))]
    async fn create(&self, text: String) -> Result<Row, Refused> {
        self.write(7, &text);
        Ok(Row { id: 7, text })
    }

    #[invalidates(self.get(id), self.get(output[0]))]
    async fn move_to_the_first(&self, id: u32, to: Vec<u32>) -> Vec<u32> {
        self.write(id, "moved");
        to
    }

    #[updates(self.get(id))]
    async fn replace(
        &self,
        id: u32,
        text: &str,
        outcome: Result<(), Refused>,
    ) -> Result<String, Refused> {
        self.write(id, text);
        outcome.map(|()| text.to_owned())
    }

    #[updates(self.get(id))]
    async fn replace_while(&self, id: u32, text: &str, other: impl Future<Output = ()>) -> String {
        other.await;
        self.write(id, text);
        text.to_owned()
    }

    /// Reads `old` into the cache, then behind it the table changes.
    async fn cache_an_old_row(&self, id: u32) {
        self.write(id, "old");
        assert_eq!(self.get(id).await.as_deref(), Some("old"));
    }
}

/// Polls a future once, and drops it.
fn poll_and_drop(future: impl Future) {
    let mut future = pin!(future);
    let polled = future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
}

#[tokio::test]
async fn a_success_invalidates() {
    let table = Table::new();
    table.cache_an_old_row(1).await;
    table.set(1, "new", Ok(())).await.unwrap();
    assert!(!table.get_entry(1).exists().await.unwrap());
    assert_eq!(table.get(1).await.as_deref(), Some("new"));
}

#[tokio::test]
async fn an_error_leaves_the_cache_alone_and_reaches_the_caller() {
    let table = Table::new();
    table.cache_an_old_row(1).await;
    assert_eq!(table.set(1, "new", Err(Refused)).await, Err(Refused));
    assert_eq!(table.get(1).await.as_deref(), Some("old"));
    assert_eq!(table.pond.stats().cache.invalidations, 0);
}

#[tokio::test]
async fn after_always_an_error_invalidates_too() {
    let table = Table::new();
    for outcome in [Ok(()), Err(Refused)] {
        table.cache_an_old_row(1).await;
        let expected = outcome.as_ref().map_err(|_| Refused).copied();
        assert_eq!(table.set_for_sure(1, "new", outcome).await, expected);
        assert_eq!(table.get(1).await.as_deref(), Some("new"));
        table.get_entry(1).invalidate().await.unwrap();
    }
}

#[tokio::test]
async fn a_function_without_a_result_invalidates() {
    let table = Table::new();
    table.cache_an_old_row(1).await;
    table.set_without_a_result(1, "new").await;
    assert_eq!(table.get(1).await.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_cached_nothing_is_invalidated_as_well() {
    let table = Table::new();
    assert_eq!(table.get(1).await, None);
    assert_eq!(table.get_entry(1).get().await.unwrap(), Lookup::Null);
    table.set(1, "new", Ok(())).await.unwrap();
    assert_eq!(table.get(1).await.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_mutation_whose_caller_goes_away_half_way_still_invalidates() {
    let table = Table::new();
    table.cache_an_old_row(1).await;
    poll_and_drop(table.set_and_stay(1, "new"));
    assert_eq!(table.get(1).await.as_deref(), Some("new"));
    // Nobody needs to ask: it is delivered all the same.
    table.cache_an_old_row(2).await;
    poll_and_drop(table.set_and_stay(2, "new"));
    assert_eq!(table.pond.stats().pending_invalidations, 1);
    settle().await;
    assert_eq!(table.pond.stats().pending_invalidations, 0);
    assert!(!table.get_entry(2).exists().await.unwrap());
}

#[tokio::test]
async fn a_mutation_that_panics_half_way_still_invalidates() {
    let table = std::sync::Arc::new(Table::new());
    table.cache_an_old_row(1).await;
    let task = tokio::spawn({
        let table = table.clone();
        async move { table.set_and_panic(1, "new").await }
    });
    assert!(task.await.unwrap_err().is_panic());
    assert_eq!(table.get(1).await.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_mutation_that_was_never_polled_changes_nothing() {
    let table = Table::new();
    table.cache_an_old_row(1).await;
    drop(table.set_and_stay(1, "new"));
    drop(table.replace(1, "new", Ok(())));
    assert_eq!(table.get(1).await.as_deref(), Some("old"));
    assert_eq!(table.pond.stats().pending_invalidations, 0);
}

#[tokio::test]
async fn a_mutation_that_is_dropped_outside_a_runtime_invalidates_with_the_next_call() {
    let table = Table::new();
    table.cache_an_old_row(1).await;
    let table = std::thread::spawn(move || {
        poll_and_drop(table.set_and_stay(1, "new"));
        table
    })
    .join()
    .unwrap();
    assert_eq!(table.pond.stats().pending_invalidations, 1);
    assert_eq!(table.get(1).await.as_deref(), Some("new"));
    assert_eq!(table.pond.stats().pending_invalidations, 0);
}

#[tokio::test]
async fn arguments_that_are_taken_apart_name_the_entry() {
    let table = Table::new();
    table.cache_an_old_row(1).await;
    let text = "new".to_owned();
    assert_eq!(table.take_apart(Row { id: 1, text }).await, "new");
    assert_eq!(table.get(1).await.as_deref(), Some("new"));
}

#[tokio::test]
async fn an_entry_can_be_worked_out_from_what_was_returned() {
    let table = Table::new();
    assert_eq!(table.get(7).await, None);
    let created = table.create("new".to_owned()).await.unwrap();
    assert_eq!((created.id, created.text.as_str()), (7, "new"));
    assert_eq!(table.get(7).await.as_deref(), Some("new"));
}

#[tokio::test]
async fn what_was_known_before_is_invalidated_even_if_the_output_brings_a_panic() {
    let table = std::sync::Arc::new(Table::new());
    table.cache_an_old_row(1).await;
    let task = tokio::spawn({
        let table = table.clone();
        async move { table.move_to_the_first(1, vec![]).await }
    });
    assert!(task.await.unwrap_err().is_panic());
    assert_eq!(table.get(1).await.as_deref(), Some("moved"));
}

#[tokio::test]
async fn an_update_stores_what_was_returned() {
    let table = Table::new();
    table.cache_an_old_row(1).await;
    table.replace(1, "new", Ok(())).await.unwrap();
    let loads = table.pond.stats().cache.loads;
    assert_eq!(table.get(1).await.as_deref(), Some("new"));
    assert_eq!(table.pond.stats().cache.loads, loads);
}

#[tokio::test]
async fn an_update_that_fails_leaves_the_cache_alone() {
    let table = Table::new();
    table.cache_an_old_row(1).await;
    assert_eq!(table.replace(1, "new", Err(Refused)).await, Err(Refused));
    assert_eq!(table.get(1).await.as_deref(), Some("old"));
}

#[tokio::test]
async fn an_update_that_somebody_overtakes_invalidates_instead() {
    for by_set in [false, true] {
        let table = Table::new();
        table.cache_an_old_row(1).await;
        let overtake = async {
            if by_set {
                table.get_entry(1).put("overtaken").await.unwrap();
            } else {
                table.set(1, "overtaken", Ok(())).await.unwrap();
            }
        };
        assert_eq!(table.replace_while(1, "new", overtake).await, "new");
        // Who was last in the table nobody can tell from here.
        assert_eq!(table.get_entry(1).get().await.unwrap(), Lookup::Miss);
        assert_eq!(table.get(1).await.as_deref(), Some("new"));
    }
}

#[tokio::test]
async fn an_update_whose_caller_goes_away_half_way_invalidates() {
    let table = Table::new();
    table.cache_an_old_row(1).await;
    poll_and_drop(table.replace_while(1, "new", async {
        table.write(1, "half-way");
        std::future::pending::<()>().await;
    }));
    assert_eq!(table.get(1).await.as_deref(), Some("half-way"));
}

mod by_path {
    use super::*;

    pub(super) struct Prices;

    pub(super) static NET: Mutex<u64> = Mutex::new(100);

    impl Prices {
        #[cached(prefix = "price", key = "<id>", in_impl)]
        pub(super) async fn price(id: u32) -> u64 {
            u64::from(id) + *NET.lock().unwrap()
        }

        #[invalidates(Self::price(id))]
        pub(super) async fn change(id: u32, _this: Option<&Self>) -> Result<(), Refused> {
            *NET.lock().unwrap() += 1;
            Ok(())
        }
    }

    #[cached(prefix = "total")]
    pub(super) async fn total() -> u64 {
        *NET.lock().unwrap()
    }

    /// Several entries, a type's and a function's.
    #[invalidates(Prices::price(id), total())]
    pub(super) async fn change_from_outside(id: u32) {
        *NET.lock().unwrap() += 10;
    }
}

#[tokio::test]
async fn entries_are_named_by_the_path_of_a_function_or_of_a_method() {
    use by_path::{Prices, change_from_outside, total};
    let pond = Millpond::memory();
    pond.scope(async {
        assert_eq!((Prices::price(1).await, total().await), (101, 100));
        Prices::change(1, None).await.unwrap();
        assert_eq!((Prices::price(1).await, total().await), (102, 100));
        change_from_outside(1).await;
        assert_eq!((Prices::price(1).await, total().await), (112, 111));
    })
    .await;
    assert_eq!(pond.stats().cache.invalidations, 3);
}
