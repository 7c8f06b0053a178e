//! The tables of docs/faults.md.

use crate::cell::Cell;
use crate::fault::{self, Fault, Mode};
use crate::operation::Operation;
use crate::scene::Engine;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const BEGIN: &str = "<!-- by tests/faults -->\n";
const END: &str = "<!-- end -->\n";
const IN_FULL: &str = "
## In full

A row is for all the faults that it names. *Sent* is what reached the server, or what stands in for it; what a plus
sign joins is one request. *Logged* are the events of the level of a warning. Further failures of the same kind are
counted, and one line at the end of the outage gives the count.
";

/// Every cell, by operation, mode, fault and engine.
#[derive(Default)]
pub(crate) struct Page(BTreeMap<(Operation, Mode, usize, Engine), Cell>);

impl Page {
    pub(crate) fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn put(
        &mut self,
        operation: Operation,
        fault: &Fault,
        mode: Mode,
        engine: Engine,
        cell: Cell,
    ) {
        let number = fault::all().iter().position(|it| it.name == fault.name);
        let key = (operation, mode, number.expect("it is one of them"), engine);
        self.0.insert(key, cell);
    }

    /// The page with its tables.
    pub(crate) fn within(&self, page: &str) -> String {
        let (before, rest) = page.split_once(BEGIN).expect("a beginning");
        let (_, after) = rest.split_once(END).expect("an end");
        format!("{before}{BEGIN}{}{END}{after}", self.tables())
    }

    fn tables(&self) -> String {
        let mut text = self.matrix() + IN_FULL;
        for operation in Operation::ALL {
            let (name, about) = operation.heading();
            write!(
                text,
                "\n### {}{}\n\n{about}\n\n",
                name[..1].to_uppercase(),
                &name[1..]
            )
            .unwrap();
            text +=
                "| happens | fault | the caller gets | sent | logged |\n|---|---|---|---|---|\n";
            for mode in [Mode::Once, Mode::Lasting] {
                for (cell, faults) in self.rows(operation, mode) {
                    let happens = match mode {
                        Mode::Once => "once",
                        Mode::Lasting => "lasts",
                    };
                    let after = if cell.waits.is_empty() {
                        ""
                    } else {
                        ", after "
                    };
                    let (gets, waits, sent) = (&cell.gets, cell.waits, &cell.sent);
                    let logged = cell.logged.join("; ");
                    writeln!(
                        text,
                        "| {happens} | {faults} | {gets}{after}{waits} | {sent} | {logged} |"
                    )
                    .unwrap();
                }
            }
        }
        text + "\n"
    }

    /// What the caller gets of each operation under each fault, in a word.
    fn matrix(&self) -> String {
        let heads = Operation::ALL.map(|operation| operation.heading().0);
        let mut text = format!(
            "\n| | {} |\n|---|{}\n",
            heads.join(" | "),
            "---|".repeat(heads.len())
        );
        for (number, fault) in fault::all().iter().enumerate() {
            write!(text, "| {} |", fault.name).unwrap();
            for operation in Operation::ALL {
                let of = |engine| {
                    let cell = |mode| self.0.get(&(operation, mode, number, engine));
                    cell(Mode::Lasting)
                        .or_else(|| cell(Mode::Once))
                        .map(|cell| short(&cell.gets))
                };
                let words = match (of(Engine::Rest), of(Engine::Resp)) {
                    (Some(one), Some(other)) if one != other => {
                        format!("{one} (REST), {other} (RESP)")
                    }
                    (one, other) => one.or(other).unwrap_or_default(),
                };
                write!(text, " {words} |").unwrap();
            }
            text += "\n";
        }
        text
    }

    /// What came of each mode, with the faults of which it came, in the order of the first of them.
    fn rows(&self, operation: Operation, mode: Mode) -> Vec<(&Cell, String)> {
        let mut rows: Vec<(&Cell, BTreeMap<usize, Vec<Engine>>)> = Vec::new();
        let cells = self.0.iter();
        for (key, cell) in cells.filter(|(key, _)| (key.0, key.1) == (operation, mode)) {
            let row = rows.iter().position(|(other, _)| *other == cell);
            let row = row.unwrap_or_else(|| {
                rows.push((cell, BTreeMap::new()));
                rows.len() - 1
            });
            rows[row].1.entry(key.2).or_default().push(key.3);
        }
        let all = fault::all();
        let named = rows.into_iter().map(|(cell, faults)| {
            let names = faults.into_iter().map(|(number, engines)| {
                let is_all = [Engine::Rest, Engine::Resp]
                    .into_iter()
                    .all(|engine| engines.contains(&engine) || !all[number].has(mode, engine));
                let over = match engines[0] {
                    _ if is_all => "",
                    Engine::Rest => " (REST)",
                    Engine::Resp => " (RESP)",
                };
                format!("{}{over}", all[number].name)
            });
            (cell, names.collect::<Vec<_>>().join("; "))
        });
        named.collect()
    }
}

fn short(gets: &str) -> String {
    let word = match gets {
        "the stored value" => "hit",
        "the old value" => "old",
        "the stored value, and the body's" => "hit and body",
        "the body's value" | "the body's values" => "body",
        "the body's value; invalidated" => "delivered",
        "the body's value; owed" => "owed",
        "the session" => "found",
        "allowed, `Degraded`" => "degraded",
        "refused, 503" => "503",
        gets => return gets.replace(", may have run", "?"),
    };
    word.to_owned()
}

/// The lines that are in one text only.
pub(crate) fn differences(old: &str, new: &str) -> String {
    let only = |of: &str, other: &str, mark: &str| {
        let other: Vec<_> = other.lines().collect();
        let mut text = String::new();
        for line in of.lines().filter(|line| !other.contains(line)) {
            writeln!(text, "{mark} {line}").unwrap();
        }
        text
    };
    only(old, new, "-") + &only(new, old, "+")
}
