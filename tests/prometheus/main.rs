//! `docs/dashboards`: the dashboard for Grafana and the alerts for Prometheus, against the example service, a real Prometheus
//! that scrapes it, and `promtool`.

#![cfg(all(feature = "axum", feature = "metrics", feature = "upstash"))]

mod named;
mod server;
#[path = "../support/mod.rs"]
mod support;

use millpond_gateway::program::present_or_required;
use millpond_gateway::{Gateway, needs_redis};
use named::{ALERTS, dashboard, expressions, panels};
use reqwest::StatusCode;
use serde_json::{Value, json};
use server::{Prometheus, folder, pause};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use support::service::Service;
use support::{gateway, within_a_minute};

/// Leaves the test out where there is no Prometheus, which brings `promtool`; counted by name, as `needs_redis!` is.
macro_rules! needs_prometheus {
    () => {
        if !present_or_required("prometheus") || !present_or_required("promtool") {
            return;
        }
    };
}

#[track_caller]
fn promtool(arguments: &[&str]) {
    let output = Command::new("promtool")
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("promtool starts");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
}

#[test]
fn every_alert_fires_when_it_should_and_not_before() {
    needs_prometheus!();
    promtool(&["check", "rules", "docs/dashboards/alerts.yml"]);
    promtool(&["test", "rules", "tests/prometheus/alerts.yml"]);
    // Each of them is in a test.
    let tests = include_str!("alerts.yml");
    let alerts = ALERTS
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let fires = |alert: &&str| {
        let fired = format!("alertname: {alert}\n        exp_alerts");
        tests.contains(&fired)
    };
    let (tested, untested): (Vec<_>, Vec<_>) = alerts.partition(fires);
    assert_eq!((tested.len(), untested), (6, Vec::new()));
}

#[test]
fn promtool_reads_every_expression_of_the_dashboard() {
    needs_prometheus!();
    let rule = |(number, expression)| json!({ "record": format!("n{number}"), "expr": expression });
    let rules: Vec<Value> = expressions().into_iter().enumerate().map(rule).collect();
    let groups = json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    let folder = folder();
    let file = folder.join("dashboard.yml");
    fs::write(&file, groups.to_string()).unwrap();
    promtool(&["check", "rules", file.to_str().unwrap()]);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_dashboard_is_one_that_any_grafana_takes() {
    let all = dashboard()["panels"].as_array().unwrap().clone();
    let ids: BTreeSet<_> = all
        .iter()
        .map(|panel| panel["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids.len(), all.len(), "each panel has an id of its own");
    let variables = dashboard()["templating"]["list"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(
        (&variables[0]["name"], &variables[0]["type"]),
        (&json!("datasource"), &json!("datasource"))
    );
    let source = json!({ "type": "prometheus", "uid": "${datasource}" });
    for variable in &variables[1..] {
        assert_eq!(variable["datasource"], source, "{variable}");
    }
    for panel in panels() {
        let title = panel["title"].as_str().unwrap();
        assert!(!title.is_empty());
        assert_eq!(panel["datasource"], source, "{title}");
        let unit = panel["fieldConfig"]["defaults"]["unit"].as_str();
        assert!(unit.is_some_and(|unit| !unit.is_empty()), "{title}");
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"], source, "{title}");
        }
    }
    // Nothing lies upon anything else.
    let mut taken = BTreeSet::new();
    for panel in &all {
        let [x, y, w, h] =
            ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(x + w <= 24, "{panel}");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "{}", panel["title"]);
        }
    }
}

#[test]
fn every_alert_leads_to_a_section_of_the_guide() {
    let guide = include_str!("../../runtime/docs/guide.md");
    let headings = guide.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let text = heading.trim_matches(['#', ' ']).to_lowercase();
        text.replace(' ', "-").replace(['`', ','], "")
    };
    let anchors: BTreeSet<_> = headings.map(anchor).collect();
    let page = "runbook_url: https://docs.rs/millpond/latest/millpond/guide/#";
    let links = ALERTS
        .lines()
        .filter_map(|line| line.trim().strip_prefix(page));
    let links: Vec<_> = links.collect();
    assert_eq!(links.len(), ALERTS.matches("- alert:").count());
    for link in links {
        assert!(anchors.contains(link), "{link}");
    }
}

/// Two processes of the example service on one database, and a Prometheus that scrapes both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prometheus_that_scrapes_the_example_service_sees_what_happened() {
    needs_prometheus!();
    let gateway = gateway(needs_redis!()).await;
    let url = gateway.url();
    let environment = [
        ("UPSTASH_REDIS_REST_URL", url.as_str()),
        ("UPSTASH_REDIS_REST_TOKEN", gateway.token()),
    ];
    let (one, two) = (
        Service::start(&environment).await,
        Service::start(&environment).await,
    );
    let targets = [&one, &two].map(|it| it.url.strip_prefix("http://").unwrap());
    let prometheus = Prometheus::start(&targets).await;
    prometheus.until_is("count(up == 1)", 2).await;

    what_was_called_is_counted(&prometheus, &one, &two).await;
    a_caller_waits_for_the_load_of_another(&prometheus, &one, &gateway).await;

    // What left the processes is what arrived.
    let arrived = || u32::try_from(gateway.commands().len()).unwrap();
    let mut before = 0;
    while before != arrived() {
        before = arrived();
        pause().await;
    }
    prometheus
        .until_is("sum(millpond_commands_total)", before)
        .await;

    every_panel_shows_something(&prometheus).await;
    nothing_is_named_that_is_not_exported(&prometheus).await;
    an_outage_is_seen_and_its_end(&prometheus, &one, &gateway).await;
}

async fn what_was_called_is_counted(prometheus: &Prometheus, one: &Service, two: &Service) {
    for service in [one, one, one, two, two] {
        service.get("/users/1").await;
    }
    let (mut allowed, mut refused) = (0, 0);
    for service in [one, two].into_iter().cycle().take(22) {
        match service.draw("ada").await.status() {
            StatusCode::OK => allowed += 1,
            StatusCode::TOO_MANY_REQUESTS => refused += 1,
            other => panic!("{other}"),
        }
    }
    let calls = |labels: &str| format!("sum(millpond_cache_calls_total{{{labels}}})");
    prometheus.until_is(&calls(r#"prefix="user""#), 5).await;
    prometheus
        .until_is(&calls(r#"prefix="user",result="hit""#), 4)
        .await;
    prometheus
        .until_is(&calls(r#"prefix="user",result="miss""#), 1)
        .await;
    prometheus
        .until_is(
            r#"sum(millpond_cache_load_seconds_count{prefix="user"})"#,
            1,
        )
        .await;
    let checks = |outcome: &str| {
        format!(r#"sum(millpond_limit_checks_total{{kind="GENERATION",outcome="{outcome}"}})"#)
    };
    prometheus.until_is(&checks("allowed"), allowed).await;
    prometheus.until_is(&checks("refused"), refused).await;
    assert_eq!(allowed + refused, 22);
    // Ten a minute, also where a minute ends meanwhile.
    assert!(refused >= 2, "{refused}");
}

async fn a_caller_waits_for_the_load_of_another(
    prometheus: &Prometheus,
    one: &Service,
    gateway: &Gateway,
) {
    let waits = "sum(millpond_cache_wait_seconds_count)";
    for team in 0.. {
        let hold = gateway.hold("MGET");
        let path = format!("/teams/{team}/members");
        let (first, second) = tokio::join!(one.get(&path), async {
            hold.arrived().await;
            let second = one.get(&path);
            let release = async {
                pause().await;
                hold.release();
            };
            tokio::join!(second, release).0
        });
        assert_eq!(first, second);
        if one
            .get("/metrics")
            .await
            .contains("millpond_cache_wait_seconds_count")
        {
            break;
        }
        assert!(team < 50, "nobody waited");
    }
    prometheus.until(waits, |count| count >= 1.0).await;
}

async fn an_outage_is_seen_and_its_end(prometheus: &Prometheus, one: &Service, gateway: &Gateway) {
    gateway.refuse().await;
    assert_eq!(one.rename("Grace").await, StatusCode::NO_CONTENT);
    for _ in 0..6 {
        one.get("/users/1").await;
    }
    let open = "sum(millpond_circuit_open)";
    prometheus.until_is(open, 1).await;
    prometheus
        .until("sum(millpond_invalidations_pending)", |number| {
            number >= 1.0
        })
        .await;
    prometheus
        .until_is("sum(millpond_circuit_opened_total)", 1)
        .await;
    let alert =
        r#"count(ALERTS{alertname="MillpondCircuitOpen",alertstate="pending",severity="page"})"#;
    prometheus.until_is(alert, 1).await;
    gateway.accept().await;
    let ready = format!("{}/ready", one.url);
    within_a_minute(async {
        while reqwest::get(&ready).await.unwrap().status() != StatusCode::OK {
            pause().await;
        }
    })
    .await;
    prometheus.until_is(open, 0).await;
    prometheus
        .until_is("sum(millpond_invalidations_pending)", 0)
        .await;
}

async fn every_panel_shows_something(prometheus: &Prometheus) {
    for expression in expressions() {
        prometheus.until_some(&expression).await;
    }
}

async fn nothing_is_named_that_is_not_exported(prometheus: &Prometheus) {
    let expressions = expressions();
    let variables = dashboard()["templating"]["list"]
        .as_array()
        .unwrap()
        .clone();
    let variables = variables[1..]
        .iter()
        .map(|it| it["definition"].as_str().unwrap().to_owned());
    let variables: Vec<String> = variables.collect();
    let texts = expressions.iter().chain(&variables).map(String::as_str);
    let texts: Vec<&str> = texts.chain([ALERTS]).collect();
    let mut labels = BTreeSet::new();
    for (metric, named) in named::metrics(&texts) {
        let series = prometheus.series(&metric).await;
        assert!(!series.is_empty(), "{metric} is not exported");
        for (label, values) in named {
            for value in values {
                let is_there = series.iter().any(|it| it[&label] == value.as_str());
                assert!(is_there, "{metric}: no {label}={value}");
            }
            assert!(
                series.iter().all(|it| it.get(&label).is_some()),
                "{metric}: {label}"
            );
        }
        labels.extend(
            series
                .iter()
                .flat_map(|it| it.as_object().unwrap().keys().cloned()),
        );
    }
    for label in named::sums(&texts) {
        assert!(labels.contains(&label), "{label}");
    }
    for variable in &variables {
        let label = variable.rsplit(", ").next().unwrap().trim_end_matches(')');
        assert!(labels.contains(label), "{variable}");
    }
    // The legends, too.
    for panel in panels() {
        for target in panel["targets"].as_array().unwrap() {
            let legend = target["legendFormat"].as_str().unwrap();
            let named = legend
                .split("{{")
                .skip(1)
                .map(|it| it.split("}}").next().unwrap());
            for label in named {
                assert!(labels.contains(label), "{legend}");
            }
        }
    }
}
