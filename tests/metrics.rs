//! What a recorder of the `metrics` crate is told: the names and labels of the table in runtime/docs/metrics.md,
//! sums over every `Millpond` of the process, and a bounded number of series.
//!
//! A counter of the process is asked for by each test, so each test has prefixes and kinds of its own.

#![cfg(feature = "metrics")]

mod support;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};
use metrics_util::MetricKind;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use millpond::limit::{Limit, OnOutage};
use millpond::metrics::{BUCKETS, facade, publish};
use millpond::{ManualClock, Millpond, cached};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// What a recorder was told.
#[derive(Debug)]
struct Seen {
    kind: MetricKind,
    labels: BTreeMap<String, String>,
    unit: Option<String>,
    description: Option<String>,
    value: DebugValue,
}

impl Seen {
    fn number(&self) -> u64 {
        match &self.value {
            DebugValue::Counter(number) => *number,
            other => panic!("no counter: {other:?}"),
        }
    }
}

/// Runs this with a recorder of its own, and publishes at the end.
fn recorded(run: impl FnOnce()) -> BTreeMap<String, Vec<Seen>> {
    let recorder = DebuggingRecorder::new();
    facade::with_local_recorder(&recorder, || {
        run();
        publish();
    });
    let mut all: BTreeMap<String, Vec<Seen>> = BTreeMap::new();
    for (key, unit, description, value) in recorder.snapshotter().snapshot().into_vec() {
        let (kind, key) = key.into_parts();
        let labels = key.labels();
        let labels = labels.map(|it| (it.key().to_owned(), it.value().to_owned()));
        all.entry(key.name().to_owned()).or_default().push(Seen {
            kind,
            labels: labels.collect(),
            unit: unit.map(|unit| unit.as_str().to_owned()),
            description: description.map(|text| text.to_string()),
            value,
        });
    }
    all
}

/// The counter with these labels; zero if there is none.
fn count(all: &BTreeMap<String, Vec<Seen>>, name: &str, labels: &[(&str, &str)]) -> u64 {
    let fits = |seen: &&Seen| {
        let mut wanted = labels.iter();
        wanted.all(|(key, value)| seen.labels.get(*key).is_some_and(|it| it == value))
    };
    let series = all.get(name).into_iter().flatten();
    series.filter(fits).map(Seen::number).sum()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(future)
}

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    of: String,
    unit: String,
    /// The names of the labels, and their values where they are a list.
    labels: BTreeMap<String, BTreeSet<String>>,
}

fn table() -> BTreeMap<String, Row> {
    let page = include_str!("../runtime/docs/metrics.md");
    let lines = page.lines().filter(|line| line.starts_with("| `millpond_"));
    let row = |line: &str| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [_, name, of, unit, labels, says, _] = cells[..] else {
            panic!("{line}");
        };
        assert!(says.len() > 20, "{line}");
        let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut last = None;
        for part in labels.split(", ").filter(|part| !part.is_empty()) {
            let text = part.replace('`', "");
            match (text.split_once(" = "), text.as_str()) {
                (Some((label, value)), _) => {
                    known.insert(label.to_owned(), BTreeSet::from([value.to_owned()]));
                    last = Some(label.to_owned());
                }
                (None, "prefix" | "kind") if last.is_none() => {
                    known.insert(text, BTreeSet::new());
                }
                (None, value) => {
                    let values = known.get_mut(last.as_ref().expect(line)).unwrap();
                    values.insert(value.to_owned());
                }
            }
        }
        let row = Row {
            of: of.to_owned(),
            unit: unit.to_owned(),
            labels: known,
        };
        (name.replace('`', ""), row)
    };
    lines.map(row).collect()
}

#[cached(prefix = "tabled", key = "<id>")]
async fn tabled(id: u32) -> u32 {
    tokio::task::yield_now().await;
    id
}

#[cfg(feature = "upstash")]
#[test]
fn the_table_of_the_docs_is_what_a_recorder_sees() {
    use millpond_gateway::needs_redis;
    let redis = needs_redis!();
    let seen = recorded(|| {
        run(async {
            let gateway = support::gateway(redis).await;
            let pond = support::pond(&gateway);
            pond.scope(async { tokio::join!(tabled(1), tabled(1)) })
                .await;
            pond.limiter(&millpond::limit::API)
                .check("ada")
                .await
                .unwrap();
        });
    });
    let of_a_label = |series: &[Seen], label: &str| -> BTreeSet<String> {
        let values = series.iter().filter_map(|seen| seen.labels.get(label));
        values.cloned().collect()
    };
    let table = table();
    let names: Vec<_> = seen.keys().collect();
    assert_eq!(names, table.keys().collect::<Vec<_>>());
    for (name, row) in table {
        let series = &seen[&name];
        for it in series {
            let kind = match it.kind {
                MetricKind::Counter => "counter",
                MetricKind::Gauge => "gauge",
                MetricKind::Histogram => "histogram",
            };
            assert_eq!(kind, row.of, "{name}");
            let unit = it.unit.as_deref().expect(&name);
            let expected = if row.unit.is_empty() {
                "count"
            } else {
                &row.unit
            };
            assert_eq!(unit, expected, "{name}");
            assert!(it.description.as_ref().expect(&name).len() > 10, "{name}");
            let labels: Vec<_> = it.labels.keys().collect();
            assert_eq!(labels, row.labels.keys().collect::<Vec<_>>(), "{name}");
        }
        for (label, values) in &row.labels {
            let found = of_a_label(series, label);
            if values.is_empty() {
                let example = if label == "prefix" { "tabled" } else { "API" };
                assert!(found.contains(example), "{name}: {found:?}");
            } else {
                assert_eq!(&found, values, "{name}: {label}");
            }
        }
        assert_eq!(name.ends_with("_seconds"), row.of == "histogram", "{name}");
        assert_eq!(name.ends_with("_total"), row.of == "counter", "{name}");
    }
}

#[cached(prefix = "late_recorder", key = "<id>")]
async fn late(id: u32) -> Option<u32> {
    (id > 0).then_some(id)
}

const CALLS: &str = "millpond_cache_calls_total";

#[test]
fn a_recorder_that_comes_after_the_calls_and_one_of_a_scope_have_all_counters() {
    run(Millpond::memory().scope(async {
        for id in [1, 1, 1, 0, 0] {
            late(id).await;
        }
    }));
    for _ in 0..2 {
        let seen = recorded(|| {});
        let results = ["hit", "null", "miss", "shared", "bypass"];
        let counts = results.map(|result| {
            count(
                &seen,
                CALLS,
                &[("prefix", "late_recorder"), ("result", result)],
            )
        });
        assert_eq!(
            counts,
            [2, 1, 2, 0, 0],
            "a second recorder is told the same"
        );
    }
}

#[cached(prefix = "two_ponds", key = "<id>", on = pond, skip(pond))]
async fn of_two(pond: &Millpond, id: u32) -> u32 {
    let _ = pond;
    id
}

#[test]
fn two_ponds_with_one_prefix_are_added_up_also_when_they_are_gone() {
    let calls = || {
        let seen = recorded(|| {});
        count(&seen, CALLS, &[("prefix", "two_ponds")])
    };
    assert_eq!(calls(), 0);
    let (one, two) = (Millpond::memory(), Millpond::memory());
    run(of_two(&one, 1));
    run(of_two(&two, 1));
    assert_eq!(calls(), 2);
    drop(one);
    assert_eq!(calls(), 2, "no counter goes back");
    run(of_two(&two, 1));
    assert_eq!(calls(), 3);
    let of_two_alone = two.stats().prefix("two_ponds");
    assert_eq!((of_two_alone.hits, of_two_alone.misses), (1, 1));
    for _ in 0..1_000 {
        run(of_two(&Millpond::memory(), 1));
    }
    drop(two);
    assert_eq!(calls(), 1_003);
}

#[cached(prefix = "declared_late", key = "<id>")]
async fn declared_late(id: u32) -> u32 {
    id
}

#[test]
fn a_million_keys_and_identifiers_make_a_bounded_number_of_series() {
    const PER_USER: Limit = Limit::fixed_window("PER_USER", 10, MINUTE);
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Prefix("millpond_".to_owned()), &BUCKETS)
        .unwrap()
        .build_recorder();
    let handle = recorder.handle();
    facade::with_local_recorder(&recorder, || {
        run(async {
            let pond = Millpond::memory();
            // What a program reads under names that its users choose.
            for user in 0..9_000 {
                let keys: Vec<_> = (0..100).map(|n| format!("chosen-by-{user}:{n}")).collect();
                pond.get_many::<u32>(&keys).await.unwrap();
            }
            let limiter = pond.limiter(&PER_USER);
            for user in 0..100_000 {
                limiter.check(&format!("user-{user}")).await.unwrap();
            }
            for n in 0..1_000 {
                let key = format!("loaded-{n}:1");
                let load = async || Ok::<_, millpond::Error>(n);
                pond.get_or_set(&key, MINUTE, load).await.unwrap();
            }
            let long = format!("{}:1", "x".repeat(10_000));
            pond.get::<u32>(&long).await.unwrap();
            pond.scope(declared_late(1)).await;
        });
        publish();
    });
    let page = handle.render();
    let series = page.lines().filter(|line| line.starts_with("millpond_"));
    let series: Vec<_> = series.collect();
    assert!(series.len() < 4_000, "{} series", series.len());
    assert!(page.len() < 500_000, "{} bytes", page.len());
    let has = |label: &str| series.iter().any(|line| line.contains(label));
    assert!(has(r#"prefix="(other)""#) && has(r#"kind="PER_USER""#));
    assert!(
        has(r#"prefix="declared_late""#),
        "a function has a label of its own"
    );
    assert!(!page.contains("by-4711") && !page.contains("user-4711"));
    assert!(!page.contains("xxxxxxxx"), "too long to be a name");
    let calls = format!("{CALLS}{{");
    let sum: u64 = series
        .iter()
        .filter(|line| line.starts_with(&calls) && line.contains("(other)"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    assert!(sum > 880_000, "{sum}");
}

#[test]
fn each_limit_that_takes_part_in_a_check_counts_it_and_those_that_refused_the_refusal() {
    const WIDE: Limit = Limit::fixed_window("WIDE", 100, MINUTE);
    const NARROW: Limit = Limit::fixed_window("NARROW", 1, MINUTE);
    #[millpond::rate_limited(kind = WIDE, id = user)]
    #[millpond::rate_limited(kind = NARROW, id = user)]
    async fn both(user: &str) -> Result<(), millpond::RateLimited> {
        Ok(())
    }
    let pond = Millpond::memory();
    run(pond.scope(async {
        for _ in 0..3 {
            let _ = both("ada").await;
        }
    }));
    let stats = pond.stats();
    let of = |kind| {
        let stats = stats.kind(kind);
        (stats.checks, stats.refusals, stats.blocked, stats.degraded)
    };
    assert_eq!(of("WIDE"), (3, 0, 0, 0));
    assert_eq!(of("NARROW"), (3, 2, 1, 0));
    assert_eq!((stats.limits.checks, stats.limits.refusals), (3, 2));
    let seen = recorded(|| {});
    let of = |kind, outcome| {
        let labels = [("kind", kind), ("outcome", outcome)];
        count(&seen, "millpond_limit_checks_total", &labels)
    };
    assert_eq!((of("WIDE", "allowed"), of("WIDE", "refused")), (3, 0));
    assert_eq!((of("NARROW", "allowed"), of("NARROW", "refused")), (1, 2));
}

#[derive(Clone, Debug, PartialEq)]
struct Failed;

#[cached(
    prefix = "aging",
    ttl = "1m",
    key = "<id>",
    skip(fails),
    stale_if_error = "1d"
)]
async fn aging(id: u32, fails: bool) -> Result<u32, Failed> {
    if fails { Err(Failed) } else { Ok(id) }
}

#[test]
fn each_call_has_one_result_where_values_are_old_too() {
    let clock = ManualClock::new();
    let pond = Millpond::builder().memory().clock(clock.clone());
    let pond = pond.build().unwrap();
    let hour = 60 * MINUTE;
    run(pond.scope(async {
        assert_eq!(aging(1, false).await, Ok(1)); // a miss
        assert_eq!(aging(1, true).await, Ok(1)); // a hit
        clock.advance(hour);
        assert_eq!(aging(1, true).await, Ok(1)); // old
        clock.advance(hour);
        assert_eq!(aging(1, false).await, Ok(1)); // a miss, since the old value was not needed
        assert_eq!(aging(1, true).await, Ok(1)); // a hit
        clock.advance(48 * hour);
        assert_eq!(aging(1, true).await, Err(Failed)); // a miss
    }));
    let seen = recorded(|| {});
    let of = |labels: &[(&str, &str)]| {
        let labels = [&[("prefix", "aging")], labels].concat();
        count(&seen, CALLS, &labels)
    };
    let results = ["hit", "stale", "miss", "bypass"].map(|result| of(&[("result", result)]));
    assert_eq!((results, of(&[])), ([2, 1, 3, 0], 6));
}

#[cached(prefix = "staying", local = "only", key = "<id>")]
fn staying(id: u32) -> String {
    id.to_string()
}

#[test]
fn what_stays_in_the_process_is_counted_measured_and_weighed() {
    let pond = Millpond::memory();
    let bytes = || {
        let seen = recorded(|| {});
        match seen["millpond_local_bytes"][0].value {
            DebugValue::Gauge(value) => value.into_inner(),
            _ => panic!("no gauge"),
        }
    };
    let seen = recorded(|| {
        run(pond.scope(async {
            for id in [1, 1, 1, 2] {
                staying(id);
            }
        }));
    });
    let loads = &seen["millpond_cache_load_seconds"];
    let mut loads = loads.iter().filter(|it| it.labels["prefix"] == "staying");
    match loads.next().map(|it| &it.value) {
        Some(DebugValue::Histogram(times)) => assert_eq!(times.len(), 2),
        other => panic!("{other:?}"),
    }
    assert!(bytes() > 400.0, "{}", bytes());
    assert_eq!(pond.stats().load_times("staying").count(), 2);
    drop(pond);
    let seen = recorded(|| {});
    let of = |result| count(&seen, CALLS, &[("prefix", "staying"), ("result", result)]);
    assert_eq!((of("local"), of("miss"), of("hit")), (2, 2, 0));
}

#[cfg(feature = "catalogue")]
#[test]
fn what_attributes_declare_is_told_as_zero_before_it_is_called() {
    #[cached(prefix = "never_called", key = "<id>")]
    async fn never_called(id: u32) -> u32 {
        id
    }
    const NEVER_CHECKED: Limit = Limit::fixed_window("NEVER_CHECKED", 10, MINUTE);
    #[millpond::rate_limited(kind = NEVER_CHECKED, id = user)]
    async fn never_checked(user: &str) -> Result<(), millpond::RateLimited> {
        Ok(())
    }
    let _ = (never_called, never_checked);
    let seen = recorded(|| {});
    let series = |name: &str, label: &str, value: &str| {
        let of = seen[name].iter().filter(|it| it.labels[label] == value);
        of.map(Seen::number).collect::<Vec<_>>()
    };
    assert_eq!(series(CALLS, "prefix", "never_called"), [0; 7]);
    let failures = series("millpond_cache_failures_total", "prefix", "never_called");
    assert_eq!(failures, [0; 4]);
    let checks = series("millpond_limit_checks_total", "kind", "NEVER_CHECKED");
    assert_eq!(checks, [0; 4]);
}

#[cfg(feature = "redis")]
#[test]
fn an_outage_is_seen_in_the_gauges_and_in_the_outcomes_of_checks() {
    const OPEN: Limit =
        Limit::fixed_window("WHEN_DOWN_ALLOW", 1, MINUTE).on_outage(OnOutage::Allow);
    const SHUT: Limit = Limit::fixed_window("WHEN_DOWN_DENY", 1, MINUTE).on_outage(OnOutage::Deny);
    // Nobody listens there.
    let pond = Millpond::builder()
        .redis("redis://127.0.0.1:1")
        .build()
        .unwrap();
    let before = recorded(|| {});
    let opened = count(&before, "millpond_circuit_opened_total", &[]);
    let seen = recorded(|| {
        run(async {
            for _ in 0..6 {
                pond.limiter(&OPEN).check("ada").await.unwrap();
                pond.limiter(&SHUT).check("ada").await.unwrap();
            }
            pond.delete("down:1").await.unwrap_err();
        });
    });
    let checks = |kind, outcome| {
        let labels = [("kind", kind), ("outcome", outcome)];
        count(&seen, "millpond_limit_checks_total", &labels)
    };
    assert_eq!(checks("WHEN_DOWN_ALLOW", "degraded_allowed"), 6);
    assert_eq!(checks("WHEN_DOWN_DENY", "degraded_refused"), 6);
    assert_eq!(pond.stats().kind("WHEN_DOWN_DENY").degraded_refusals, 6);
    assert!(count(&seen, "millpond_circuit_opened_total", &[]) > opened);
    assert_eq!(pond.stats().circuit_opened, 1);
    let gauge = |name: &str| match seen[name][0].value {
        DebugValue::Gauge(value) => value.into_inner(),
        _ => panic!("{name} is no gauge"),
    };
    assert!((gauge("millpond_circuit_open") - 1.0).abs() < f64::EPSILON);
    assert!(gauge("millpond_invalidations_pending") >= 1.0);
    assert!(pond.stats().store_times.count() > 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_body_takes_is_measured_whatever_the_wall_clock_does() {
    let clock = ManualClock::new();
    let pond = Millpond::builder()
        .memory()
        .clock(clock.clone())
        .build()
        .unwrap();
    let load = async || {
        clock.set_unix_ms(0);
        tokio::time::sleep(Duration::from_secs(2)).await;
        clock.advance_wall(100 * 365 * 24 * 60 * MINUTE);
        Ok::<_, millpond::Error>(1)
    };
    pond.get_or_set("jumping:1", MINUTE, load).await.unwrap();
    let loads = pond.stats().load_times("jumping");
    assert_eq!((loads.count(), loads.sum()), (1, Duration::from_secs(2)));
    assert!(loads.quantile(0.5) >= Some(Duration::from_secs(2)));
    assert!(loads.quantile(0.5) <= Some(Duration::from_secs(3)));
}

#[tokio::test(start_paused = true)]
async fn what_callers_wait_for_is_measured_and_a_failed_body_is_a_load() {
    let pond = Millpond::memory();
    let load = async || {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Err::<u32, _>(std::fmt::Error)
    };
    let call = || pond.get_or_set("waited:1", MINUTE, load);
    let (one, two) = tokio::join!(call(), call());
    assert!(one.is_err() && two.is_err());
    let stats = pond.stats();
    assert_eq!(
        stats.load_times("waited").count(),
        stats.prefix("waited").load_errors
    );
    assert_eq!(
        (stats.wait_times.count(), stats.wait_times.sum()),
        (1, Duration::from_secs(1))
    );
    assert_eq!(
        stats.store_times.count(),
        0,
        "the embedded engine has no store to wait for"
    );
}

#[cached(prefix = "batched", key = "<id>")]
async fn batched(id: u32) -> Option<u32> {
    tokio::time::sleep(Duration::from_secs(3)).await;
    Some(id)
}

#[cached(batch = ids, of = batched(ids))]
async fn batched_all(ids: &[u32]) -> std::collections::HashMap<u32, u32> {
    tokio::time::sleep(Duration::from_secs(2)).await;
    ids.iter().map(|id| (*id, *id)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_one_body_and_one_wait_whatever_it_loads() {
    let pond = Millpond::memory();
    pond.scope(async { tokio::join!(batched(1), batched_all(&[1, 2, 3])) })
        .await;
    let stats = pond.stats();
    let loads = stats.load_times("batched");
    assert_eq!((loads.count(), loads.sum()), (2, Duration::from_secs(5)));
    let waits = stats.wait_times;
    // The batch loads what is left before it waits for the rest.
    assert_eq!((waits.count(), waits.sum()), (1, Duration::from_secs(1)));
}

#[test]
fn a_second_recorder_of_the_process_is_refused_and_the_first_goes_on() {
    let first: PrometheusRecorder = PrometheusBuilder::new().build_recorder();
    let page = first.handle();
    facade::set_global_recorder(first).expect("nobody else installs one in this binary");
    let second = PrometheusBuilder::new().build_recorder();
    assert!(facade::set_global_recorder(second).is_err());
    publish();
    assert!(page.render().contains("millpond_commands_total"));
}
