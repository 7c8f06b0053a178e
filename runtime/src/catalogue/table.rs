//! The catalogue as a table.

use super::entries::{Certainty, Edge, Effect, Function};
use super::listing::Catalogue;
use super::names::last;
use std::fmt;

impl fmt::Display for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let functions = self.functions.iter().map(|function| {
            [
                last(&function.name).to_owned(),
                function.key(),
                function.ttl.clone(),
                function.options.join(", "),
                names(&function.batches),
                function.tags.join(", "),
                function.returns.clone(),
                ends(function),
                function.place.to_string(),
            ]
        });
        let head = [
            "function",
            "key",
            "ttl",
            "options",
            "batch",
            "tags",
            "returns",
            "invalidated by",
            "where",
        ];
        table(f, "Cached functions", head, &functions.collect::<Vec<_>>())?;
        let tags = self.tags.iter().map(|tag| {
            [
                last(&tag.name).to_owned(),
                tag.template.clone(),
                names(&tag.functions),
                edges(&tag.invalidated_by),
                tag.place.to_string(),
            ]
        });
        let head = ["tag", "template", "of", "invalidated by", "where"];
        table(f, "Tags", head, &tags.collect::<Vec<_>>())?;
        let mutations = self.mutations.iter().map(|mutation| {
            let targets = mutation.targets.iter().map(|target| {
                let is_here = target.tag.is_some() || !target.functions.is_empty();
                let mark = match (is_here, target.certainty) {
                    (false, _) => " (not in this binary)",
                    (true, Certainty::Possible) => " (one of several)",
                    (true, Certainty::Declared) => "",
                };
                format!("{} {}{mark}", effect(target.effect), target.text)
            });
            [
                last(&mutation.name).to_owned(),
                targets.collect::<Vec<_>>().join(", "),
                mutation.place.to_string(),
            ]
        });
        table(
            f,
            "Mutations",
            ["mutation", "effects", "where"],
            &mutations.collect::<Vec<_>>(),
        )?;
        let limits = self.limits.iter().map(|limit| {
            let or =
                |text: &str, other: &str| if text.is_empty() { other } else { text }.to_owned();
            [
                last(&limit.name).to_owned(),
                limit.kind.clone().unwrap_or_default(),
                limit.rule.clone(),
                or(&limit.caller, "everyone together"),
                limit.on_outage.clone().unwrap_or_default(),
                limit.place.to_string(),
            ]
        });
        let head = ["function", "kind", "rule", "caller", "on outage", "where"];
        table(f, "Limits", head, &limits.collect::<Vec<_>>())?;
        f.write_str(&self.note)
    }
}

/// How the values of a function end.
fn ends(function: &Function) -> String {
    if function.invalidated_by.is_empty() {
        "lifetime only".to_owned()
    } else {
        edges(&function.invalidated_by)
    }
}

fn edges(edges: &[Edge]) -> String {
    let edges = edges.iter().map(|edge| {
        let through = edge.tag.as_ref();
        let through = through.map_or_else(String::new, |tag| format!(" (tag {})", last(tag)));
        let mark = match edge.certainty {
            Certainty::Declared => "",
            Certainty::Possible => "?",
        };
        format!("{}{mark}{through}", last(&edge.mutation))
    });
    edges.collect::<Vec<_>>().join(", ")
}

fn names(paths: &[String]) -> String {
    let names = paths.iter().map(|path| last(path));
    names.collect::<Vec<_>>().join(", ")
}

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Invalidates => "invalidates",
        Effect::Updates => "updates",
    }
}

/// Columns as wide as their longest text, and none that is empty.
fn table<const N: usize>(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    head: [&str; N],
    rows: &[[String; N]],
) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(f, "{title} ({})", rows.len())?;
    let widths: [usize; N] = std::array::from_fn(|column| {
        let texts = rows.iter().map(|row| row[column].chars().count());
        match texts.max().unwrap_or(0) {
            0 => 0,
            longest => longest.max(head[column].len()),
        }
    });
    let head = head.map(str::to_owned);
    for row in std::iter::once(&head).chain(rows) {
        let cells = row.iter().zip(widths).filter(|(_, width)| *width > 0);
        let cells = cells.map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        writeln!(f, "  {}", line.trim_end())?;
    }
    writeln!(f)
}
