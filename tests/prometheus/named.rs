//! What dashboards and alerts name: metrics, labels, values of labels.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A label, and the values that it is compared with.
pub(crate) type Labels = BTreeMap<String, BTreeSet<String>>;

/// The dashboard.
pub(crate) fn dashboard() -> Value {
    serde_json::from_str(include_str!("../../docs/dashboards/millpond.json")).expect("it is JSON")
}

/// The alerts, as they are written.
pub(crate) const ALERTS: &str = include_str!("../../docs/dashboards/alerts.yml");

/// The panels that show something.
pub(crate) fn panels() -> Vec<Value> {
    let panels = dashboard()["panels"].as_array().unwrap().clone();
    let shows = |panel: &Value| panel["type"] != "row";
    panels.into_iter().filter(shows).collect()
}

/// Every expression of the dashboard, with its variables replaced by what Grafana writes for them.
pub(crate) fn expressions() -> Vec<String> {
    let panels = panels();
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap());
    let expressions = targets.map(|target| target["expr"].as_str().unwrap());
    let replaced = expressions.map(|expression| {
        ["$job", "$instance", "$prefix"]
            .into_iter()
            .fold(expression.to_owned(), |text, name| text.replace(name, ".*"))
            .replace("$__rate_interval", "1m")
            .replace("$__range", "1h")
    });
    let replaced: Vec<_> = replaced.collect();
    for expression in &replaced {
        assert!(
            !expression.contains('$'),
            "an unknown variable: {expression}"
        );
    }
    replaced
}

/// The metrics in these texts, each with the labels that it is selected or summed up by.
pub(crate) fn metrics(texts: &[&str]) -> BTreeMap<String, Labels> {
    let mut found: BTreeMap<String, Labels> = BTreeMap::new();
    for text in texts {
        let mut rest = *text;
        while let Some(start) = rest.find("millpond_") {
            rest = &rest[start..];
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            let labels = found.entry(name.to_owned()).or_default();
            if let Some(selector) = after.strip_prefix('{') {
                let selector = selector.split('}').next().unwrap();
                for matcher in selector.split(", ") {
                    let (label, values) = matcher
                        .split_once(['=', '!'])
                        .unwrap_or_else(|| panic!("no matcher: {matcher}"));
                    let values = values.trim_matches(['=', '~', '"']);
                    let known = labels.entry(label.to_owned()).or_default();
                    let fixed = !values.contains(['$', '*']);
                    known.extend(
                        fixed
                            .then_some(values)
                            .iter()
                            .flat_map(|it| it.split('|'))
                            .map(str::to_owned),
                    );
                }
            }
            rest = after;
        }
    }
    found
}

/// The labels that sums are made by.
pub(crate) fn sums(texts: &[&str]) -> BTreeSet<String> {
    let by = texts.iter().flat_map(|text| text.split(" by (").skip(1));
    let lists = by.map(|after| after.split(')').next().unwrap());
    let labels = lists.flat_map(|list| list.split(','));
    labels.map(|label| label.trim().to_owned()).collect()
}

#[test]
fn names_are_found_where_they_stand() {
    let text =
        r#"sum by (job, le) (rate(millpond_x_total{kind!~"a|b", job=~"$job"}[5m])) > millpond_y"#;
    let metrics = metrics(&[text]);
    let values = |list: &[&str]| {
        list.iter()
            .map(|it| (*it).to_owned())
            .collect::<BTreeSet<_>>()
    };
    let x = [("kind", values(&["a", "b"])), ("job", values(&[]))];
    let x: Labels = x
        .into_iter()
        .map(|(label, values)| (label.to_owned(), values))
        .collect();
    assert_eq!(metrics["millpond_x_total"], x);
    assert_eq!(metrics["millpond_y"], Labels::new());
    assert_eq!(metrics.len(), 2);
    assert_eq!(sums(&[text]), values(&["job", "le"]));
}
