//! The span of a load: what it tells, and where it stands in a trace.

mod support;

use millpond::{ManualClock, Millpond, cached, refresh, uncached};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Subscriber, instrument};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// One span.
#[derive(Clone, Default)]
struct Seen {
    id: u64,
    name: &'static str,
    fields: BTreeMap<&'static str, String>,
    parent: Option<u64>,
    follows: Vec<u64>,
    is_closed: bool,
}

/// The spans of this thread, in the order in which they began.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<Seen>>>);

impl Spans {
    fn collect(level: LevelFilter) -> (Self, DefaultGuard) {
        let spans = Self::default();
        let subscriber = tracing_subscriber::registry().with(spans.clone().with_filter(level));
        (spans, tracing::subscriber::set_default(subscriber))
    }

    fn of_this_thread() -> (Self, DefaultGuard) {
        Self::collect(LevelFilter::TRACE)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Vec<Seen>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Those with this name.
    fn named(&self, name: &str) -> Vec<Seen> {
        self.with(|spans| spans.iter().filter(|it| it.name == name).cloned().collect())
    }

    /// Those of loads, as text. Each of them is over.
    fn loads(&self) -> Vec<String> {
        let loads = self.named("cache_load").into_iter();
        loads
            .map(|it| {
                assert!(it.is_closed);
                let fields = it.fields.iter();
                let fields = fields.map(|(name, value)| format!("{name}={value}"));
                fields.collect::<Vec<_>>().join(" ")
            })
            .collect()
    }

    /// The names from a span with this name up to its root.
    fn path(&self, name: &str) -> Vec<&'static str> {
        self.with(|spans| {
            let mut path = Vec::new();
            let mut next = spans.iter().find(|it| it.name == name);
            while let Some(span) = next {
                path.push(span.name);
                next = spans.iter().find(|it| Some(it.id) == span.parent);
            }
            path
        })
    }

    fn change(&self, id: &Id, change: impl FnOnce(&mut Seen)) {
        let id = id.into_u64();
        self.with(|spans| {
            // An id is used again when its span is over.
            let span = spans.iter_mut().rev().find(|it| it.id == id);
            change(span.unwrap());
        });
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let parent = match attributes.parent() {
            Some(parent) => Some(parent.into_u64()),
            None if attributes.is_contextual() => context.current_span().id().map(Id::into_u64),
            None => None,
        };
        let mut span = Seen {
            id: id.into_u64(),
            name: attributes.metadata().name(),
            parent,
            ..Seen::default()
        };
        attributes.record(&mut span);
        self.with(|spans| spans.push(span));
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, _: Context<'_, S>) {
        self.change(id, |span| record.record(span));
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, _: Context<'_, S>) {
        self.change(id, |span| span.follows.push(follows.into_u64()));
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        self.change(&id, |span| span.is_closed = true);
    }
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let before = self.fields.insert(field.name(), format!("{value:?}"));
        assert_eq!(before, None, "{field} is told twice");
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Failed;

#[cached(prefix = "p", key = "<id>", skip(fails))]
async fn load(id: u32, fails: bool) -> Result<Option<u32>, Failed> {
    if fails {
        return Err(Failed);
    }
    Ok((id > 0).then_some(id))
}

#[tokio::test]
async fn a_load_is_one_span_that_says_what_the_call_returned() {
    let (spans, _guard) = Spans::of_this_thread();
    Millpond::memory()
        .scope(async {
            load(1, true).await.unwrap_err();
            load(1, false).await.unwrap();
            load(1, false).await.unwrap();
            load(0, false).await.unwrap();
            load(0, false).await.unwrap();
            uncached(load(1, false)).await.unwrap();
            refresh(load(1, false)).await.unwrap();
        })
        .await;
    // A hit of the embedded engine reads nothing that takes time, and a call without the cache loads nothing for it.
    assert_eq!(
        spans.loads(),
        [
            "prefix=p result=error tier=body",
            "prefix=p result=miss tier=body",
            "prefix=p result=miss tier=body",
            "prefix=p result=miss tier=body",
        ]
    );
}

#[cfg(feature = "upstash")]
#[tokio::test]
async fn what_a_server_has_is_said_to_come_from_the_store() {
    let gateway = support::gateway(millpond_gateway::needs_redis!()).await;
    let pond = Millpond::builder().upstash(gateway.url(), gateway.token());
    let pond = pond.build().unwrap();
    let (spans, _guard) = Spans::of_this_thread();
    pond.scope(async {
        for id in [1, 1, 0, 0] {
            load(id, false).await.unwrap();
        }
        gateway
            .database()
            .command(["SET", "p:1", "garbage"])
            .await
            .unwrap();
        load(1, false).await.unwrap();
        gateway.refuse().await;
        load(1, false).await.unwrap();
    })
    .await;
    assert_eq!(
        spans.loads(),
        [
            "prefix=p result=miss tier=body",
            "prefix=p result=hit tier=store",
            "prefix=p result=miss tier=body",
            "prefix=p result=null tier=store",
            "prefix=p result=miss tier=body",
            "prefix=p result=miss tier=body",
        ]
    );
}

#[cached(prefix = "above", key = "<id>")]
#[instrument]
async fn instrumented_as_a_whole(id: u32) -> u32 {
    query(id).await
}

#[instrument]
#[cached(prefix = "below", key = "<id>")]
async fn instrumented_body(id: u32) -> u32 {
    query(id).await
}

#[instrument]
async fn query(id: u32) -> u32 {
    tokio::task::yield_now().await;
    id
}

#[tokio::test]
async fn an_instrument_below_the_attribute_is_around_the_load_and_one_above_it_is_within() {
    let request = async |call: bool| {
        if call {
            instrumented_as_a_whole(1).await
        } else {
            instrumented_body(1).await
        }
    };
    let path = async |call| {
        let (spans, _guard) = Spans::of_this_thread();
        let span = tracing::info_span!("request");
        let pond = Millpond::memory();
        tracing::Instrument::instrument(pond.scope(request(call)), span).await;
        spans.path("query")
    };
    assert_eq!(
        path(true).await,
        ["query", "cache_load", "instrumented_as_a_whole", "request"]
    );
    assert_eq!(
        path(false).await,
        ["query", "instrumented_body", "cache_load", "request"]
    );
}

#[cached(prefix = "slow", key = "<id>")]
async fn slow(id: u32) -> u32 {
    tokio::time::sleep(Duration::from_secs(1)).await;
    id
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_load_of_another_has_a_span_of_the_wait_and_no_second_body() {
    let (spans, _guard) = Spans::of_this_thread();
    Millpond::memory()
        .scope(async { tokio::join!(slow(1), slow(1)) })
        .await;
    let mut loads = spans.loads();
    loads.sort();
    assert_eq!(
        loads,
        [
            "prefix=slow result=miss tier=body",
            "prefix=slow result=shared tier=flight"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_ends_its_span_without_a_result() {
    let (spans, _guard) = Spans::of_this_thread();
    let call = Millpond::memory().scope(slow(1));
    let late = tokio::time::timeout(Duration::from_millis(1), call).await;
    assert!(late.is_err());
    assert_eq!(spans.loads(), ["prefix=slow"]);
}

#[instrument(skip(fails))]
#[cached(
    prefix = "old",
    ttl = "1m",
    key = "<id>",
    skip(fails),
    stale_while_revalidate = "1h",
    stale_if_error = "1d"
)]
async fn aging(id: u32, fails: bool) -> Result<u32, Failed> {
    if fails { Err(Failed) } else { Ok(id) }
}

#[tokio::test]
async fn an_old_value_has_an_age_and_its_load_in_the_background_is_no_child_of_the_call() {
    let minute = Duration::from_secs(60);
    let clock = ManualClock::new();
    let pond = Millpond::builder().memory().clock(clock.clone());
    let pond = pond.build().unwrap();
    let (spans, _guard) = Spans::of_this_thread();
    let call = |fails| {
        let span = tracing::info_span!("request");
        tracing::Instrument::instrument(pond.scope(aging(1, fails)), span)
    };
    call(false).await.unwrap();
    clock.advance(30 * minute);
    call(false).await.unwrap();
    pond.flush().await.unwrap();
    clock.advance(300 * minute);
    call(true).await.unwrap();
    assert_eq!(
        spans.loads(),
        [
            "prefix=old result=miss tier=body",
            "age=1800.0 prefix=old result=stale tier=store",
            "background=true prefix=old result=miss tier=body",
            "age=18000.0 prefix=old result=stale tier=store",
        ]
    );
    let loads = spans.named("cache_load");
    assert_eq!(
        (loads[2].parent, &loads[2].follows),
        (None, &vec![loads[1].id])
    );
    let bodies = spans.named("aging");
    let parents: Vec<_> = bodies.iter().map(|body| body.parent).collect();
    assert_eq!(
        parents,
        [Some(loads[0].id), Some(loads[2].id), Some(loads[3].id)]
    );
    // The request is over when it is, whatever goes on behind it.
    let requests = spans.named("request");
    assert!(requests.iter().all(|request| request.is_closed));
}

#[cached(prefix = "one", key = "<id>")]
async fn one(id: u32) -> Option<u32> {
    Some(id)
}

#[instrument]
#[cached(batch = ids, of = one(ids))]
async fn several(ids: &[u32]) -> HashMap<u32, u32> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[tokio::test]
async fn a_batch_is_one_span_with_the_number_of_its_keys() {
    let (spans, _guard) = Spans::of_this_thread();
    Millpond::memory()
        .scope(async {
            several(&[1, 2, 3, 3]).await;
            several(&[1, 2]).await;
            several(&[1, 2, 5]).await;
            one(4).await;
        })
        .await;
    // Hits of the embedded engine have no span, alone or in a batch.
    assert_eq!(
        spans.loads(),
        [
            "keys=3 prefix=one result=miss tier=body",
            "keys=1 prefix=one result=miss tier=body",
            "prefix=one result=miss tier=body",
        ]
    );
    assert_eq!(spans.path("several"), ["several", "cache_load"]);
}

#[cfg(feature = "upstash")]
#[tokio::test]
async fn a_batch_that_a_server_has_is_a_span() {
    let gateway = support::gateway(millpond_gateway::needs_redis!()).await;
    let pond = support::pond(&gateway);
    let (spans, _guard) = Spans::of_this_thread();
    pond.scope(async {
        several(&[1, 2]).await;
        several(&[1, 2]).await;
        several(&[1, 2, 3]).await;
    })
    .await;
    assert_eq!(
        spans.loads(),
        [
            "keys=2 prefix=one result=miss tier=body",
            "keys=2 prefix=one result=hit tier=store",
            "keys=3 prefix=one result=miss tier=body",
        ]
    );
}

#[instrument]
#[cached(prefix = "here", local = "only", key = "<id>")]
fn staying(id: u32) -> u32 {
    id
}

#[tokio::test]
async fn a_function_that_is_not_async_has_spans_too() {
    let (spans, _guard) = Spans::of_this_thread();
    Millpond::memory()
        .scope(async {
            staying(1);
            staying(1);
        })
        .await;
    assert_eq!(spans.loads(), ["prefix=here result=miss tier=body"]);
    assert_eq!(spans.path("staying"), ["staying", "cache_load"]);
}

#[tokio::test]
async fn where_nobody_wants_spans_of_loads_bodies_stay_children_of_their_callers() {
    let (spans, _guard) = Spans::collect(LevelFilter::INFO);
    Millpond::memory().scope(instrumented_body(1)).await;
    assert_eq!(spans.path("query"), ["query", "instrumented_body"]);
}
