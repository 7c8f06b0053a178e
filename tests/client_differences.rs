//! Where `@upstash/redis` and millpond make different things of the same bytes: two tables of
//! runtime/docs/interop.md, made by both clients on one database. What is not in them comes back as it was written.

mod support;

use millpond::{Millpond, ttl};
use millpond_gateway::{Gateway, needs_redis};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use support::{gateway, needs_npm, node, pond};

const PAGE: &str = "runtime/docs/interop.md";
const BEGIN: &str = "<!-- by tests/client_differences.rs -->\n";
const END: &str = "<!-- end -->\n";

/// What Rust writes, as it stands in a program.
fn of_rust() -> Vec<(String, Value)> {
    let texts = [
        "",
        "text",
        "ü€😀",
        "1",
        "1.0",
        "007",
        "-0",
        "1e5",
        "12345678901234567890",
        "true",
        "null",
        "undefined",
        "NaN",
        "__NULL__",
        "OK",
        " 1",
        "[1]",
        "{\"a\":1}",
        "{cut",
        "[INFO] started",
        "\"quoted\"",
        "\"cut",
        "\u{0}\n\\",
    ];
    let texts = texts.map(|text| (format!("{text:?}"), json!(text)));
    let within = |levels| (0..levels).fold(json!([]), |inner, _| json!([inner]));
    let others = [
        ("None", json!(null)),
        ("true", json!(true)),
        ("0", json!(0)),
        ("-7", json!(-7)),
        ("1.5", json!(1.5)),
        ("1.0", json!(1.0)),
        ("-0.0", json!(-0.0)),
        ("0.1 + 0.2", json!(0.1 + 0.2)),
        ("1e21", json!(1e21)),
        ("1e-7", json!(1e-7)),
        ("f64::MAX", json!(f64::MAX)),
        ("(1 << 53) - 1", json!((1_u64 << 53) - 1)),
        ("(1 << 53) + 1", json!((1_u64 << 53) + 1)),
        ("u64::MAX", json!(u64::MAX)),
        ("i64::MIN", json!(i64::MIN)),
        ("[(1 << 53) + 1]", json!([(1_u64 << 53) + 1])),
        ("[1.0, None]", json!([1.0, null])),
        ("[-0.0]", json!([-0.0])),
        (
            "[\"1\", \"true\", \"__NULL__\"]",
            json!(["1", "true", "__NULL__"]),
        ),
        (
            "{a: \"1\", b: 2, c: None}",
            json!({"a": "1", "b": 2, "c": null}),
        ),
        ("{millpond: 1}", json!({"millpond": 1})),
        ("[]", json!([])),
        ("{}", json!({})),
        ("a list of 127 levels", within(126)),
    ];
    let others = others.map(|(source, value)| (source.to_owned(), value));
    texts.into_iter().chain(others).collect()
}

/// What JavaScript writes.
const OF_JAVASCRIPT: [&str; 45] = [
    "''",
    "'text'",
    "'ü€😀'",
    "'1'",
    "'1.0'",
    "'007'",
    "'-0'",
    "'1e5'",
    "'12345678901234567890'",
    "'true'",
    "'null'",
    "'undefined'",
    "'NaN'",
    "'__NULL__'",
    "'OK'",
    "' 1'",
    "'[1]'",
    "'{\"a\":1}'",
    "'{cut'",
    "'[INFO] started'",
    "'\"quoted\"'",
    "'\"cut'",
    "'\\u0000\\n\\\\'",
    "'{\"millpond\":1'",
    "null",
    "true",
    "0",
    "-7",
    "1.5",
    "1.0",
    "-0",
    "0.1 + 0.2",
    "1e21",
    "1e-7",
    "2 ** 53 - 1",
    "new Date(0)",
    "[1, null]",
    "[undefined]",
    "['1', 'true', '__NULL__']",
    "({a: '1', b: 2, c: null})",
    "({a: undefined})",
    "({millpond: 1})",
    "['😀'.slice(0, 1)]",
    "'😀'.slice(0, 1)",
    "JSON.parse('['.repeat(128) + ']'.repeat(128))",
];

/// The difference is on whichever side reads.
#[tokio::test]
async fn every_difference_between_the_clients_is_in_the_documentation() {
    needs_npm!();
    let gateway = gateway(needs_redis!()).await;
    let pond = pond(&gateway);
    let tables = format!(
        "{BEGIN}{}\n{}{END}",
        from_rust(&pond, &gateway).await,
        from_javascript(&pond, &gateway).await
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = std::fs::read_to_string(&path).expect("the page is there");
    let (before, rest) = page.split_once(BEGIN).expect("the tables begin");
    let (_, after) = rest.split_once(END).expect("the tables end");
    let wanted = format!("{before}{tables}{after}");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, wanted).expect("the page can be written");
    } else {
        assert!(
            page == wanted,
            "the clients differ in other ways than {PAGE} says; run\n    UPDATE_EXPECT=1 cargo test --test \
             client_differences\n\n{tables}"
        );
    }
}

/// What npm reads of what millpond wrote.
async fn from_rust(pond: &Millpond, gateway: &Gateway) -> String {
    let cases = of_rust();
    let keys: Vec<String> = (0..cases.len()).map(|n| format!("rust:{n:02}")).collect();
    for (key, (_, value)) in keys.iter().zip(&cases) {
        pond.set(key, value, ttl::SHORT)
            .await
            .expect("it is stored");
        let hash = pond.hash(format!("hash:{key}"));
        hash.set("field", value).await.expect("it is stored");
    }
    let wanted: serde_json::Map<String, Value> = keys
        .iter()
        .zip(&cases)
        .map(|(key, (_, value))| (key.clone(), json!(javascript(value))))
        .collect();
    let arguments = ["read", &json!(wanted).to_string()];
    let said = node("differences.mjs", &arguments, gateway).await;
    let read: Vec<Option<[String; 2]>> = serde_json::from_str(&said).expect("pairs");
    let mut rows = Vec::new();
    for ((key, (source, _)), read) in keys.iter().zip(&cases).zip(read) {
        if let Some([alone, field]) = read {
            rows.push([source.clone(), stored(pond, key).await, alone, field]);
        }
    }
    let head = [
        "millpond writes",
        "stored as",
        "`redis.get` returns",
        "`redis.hgetall` returns",
    ];
    table(head, rows)
}

/// What millpond reads of what npm wrote.
async fn from_javascript(pond: &Millpond, gateway: &Gateway) -> String {
    let keys = (0..OF_JAVASCRIPT.len()).map(|n| format!("js:{n:02}"));
    let given: serde_json::Map<String, Value> = keys.zip(OF_JAVASCRIPT.map(Value::from)).collect();
    let arguments = ["write", &json!(given).to_string()];
    let said = node("differences.mjs", &arguments, gateway).await;
    let written: Vec<Option<String>> = serde_json::from_str(&said).expect("texts");
    let mut rows = Vec::new();
    for ((number, source), written) in OF_JAVASCRIPT.iter().enumerate().zip(written) {
        let key = format!("js:{number:02}");
        let written = written.and_then(|json| serde_json::from_str::<Value>(&json).ok());
        // An error is told as "nothing" is: there is no such value.
        let value: Option<Value> = pond.get(&key).await.ok().flatten();
        let text: Option<String> = pond.get(&key).await.ok().flatten();
        let is_same = written.is_some()
            && value.as_ref().map(comparable) == written.as_ref().map(comparable)
            && (!matches!(written, Some(Value::String(_)))
                || text.as_deref() == written.as_ref().and_then(Value::as_str));
        if !is_same {
            let nothing = || "–".to_owned();
            let text = text.map_or_else(nothing, |text| format!("{text:?}"));
            let value = value.map_or_else(nothing, |value| value.to_string());
            rows.push([(*source).to_owned(), stored(pond, &key).await, value, text]);
        }
    }
    table(
        [
            "npm writes",
            "stored as",
            "read as `Value`",
            "read as `String`",
        ],
        rows,
    )
}

/// A value as JavaScript would write it, where it can.
fn javascript(value: &Value) -> String {
    const SAFE: u64 = (1 << 53) - 1;
    match value {
        Value::Number(number) if number.as_f64() == Some(0.0) && number.is_f64() => {
            number.to_string()
        }
        Value::Number(number) => match number.as_i64().map(i64::unsigned_abs).or(number.as_u64()) {
            Some(size) if size > SAFE => format!("{number}n"),
            _ => number.to_string(),
        },
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(javascript).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| format!("{name:?}:{}", javascript(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

/// Numbers are what they are to JavaScript.
fn comparable(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.iter().map(comparable).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), comparable(value)))
            .collect(),
        other => other.clone(),
    }
}

async fn stored(pond: &Millpond, key: &str) -> String {
    pond.command(["GET", key]).await.unwrap().parse().unwrap()
}

fn table(head: [&str; 4], rows: Vec<[String; 4]>) -> String {
    let mut table = format!("| {} |\n|---|---|---|---|\n", head.join(" | "));
    for row in rows {
        // What is long is told by its beginning.
        let cells = row.map(|cell| match cell.char_indices().nth(40) {
            _ if cell == "–" => cell,
            Some((end, _)) => format!("`{}…`", &cell[..end]),
            None => format!("`{cell}`"),
        });
        let _ = writeln!(table, "| {} |", cells.join(" | "));
    }
    table
}
