//! The published npm clients and millpond on one database.

mod support;

use millpond::ttl;
use millpond_gateway::needs_redis;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use support::{gateway, needs_npm, node, pond};

/// 2^53 + 1, the first whole number that JavaScript has no room for.
const BEYOND_JAVASCRIPT: u64 = 9_007_199_254_740_993;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    age: u8,
    scores: Vec<f64>,
    address: Option<Address>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Address {
    city: String,
}

fn user() -> User {
    let address = Some(Address {
        city: "Zürich 🏔".to_owned(),
    });
    User {
        name: "Ada".to_owned(),
        age: 36,
        scores: vec![1.5, -2.25, 0.1],
        address,
    }
}

#[tokio::test]
async fn the_npm_clients_find_in_the_gateway_what_upstash_promises() {
    needs_npm!();
    let gateway = gateway(needs_redis!()).await;
    let said = node("smoke.mjs", &[], &gateway).await;
    assert!(said.lines().count() >= 20, "only these checks ran:\n{said}");
}

#[tokio::test]
async fn the_npm_client_reads_what_millpond_wrote() {
    needs_npm!();
    let gateway = gateway(needs_redis!()).await;
    let pond = pond(&gateway);
    let large = "ü".repeat(1000);
    let cases: Vec<(Value, Value)> = [
        "text",
        "",
        "123",
        "true",
        "null",
        "__NULL__",
        "OK",
        "ü€😀\0\n\"\\",
        "abcd",
        &large,
    ]
    .map(|text| (json!(text), json!(text)))
    .into_iter()
    .chain(
        [json!(42), json!(-7), json!(1.5), json!(true), json!(false)]
            .map(|same| (same.clone(), same)),
    )
    .chain(
        [json!([]), json!({}), json!([1, [null, "x"]]), json!(user())]
            .map(|same| (same.clone(), same)),
    )
    .chain([
        // The sentinel is a word to other clients; only millpond takes it for nothing.
        (json!(null), json!("__NULL__")),
        // The client keeps a number as text where JavaScript would change it.
        (
            json!(BEYOND_JAVASCRIPT),
            json!(BEYOND_JAVASCRIPT.to_string()),
        ),
        (json!(u64::MAX), json!(u64::MAX.to_string())),
        (json!(i64::MIN), json!(i64::MIN.to_string())),
    ])
    .collect();
    let keys: Vec<String> = (0..cases.len()).map(|n| format!("rust:{n}")).collect();
    for (key, (written, _)) in keys.iter().zip(&cases) {
        pond.set(key, written, ttl::SHORT)
            .await
            .expect("it is stored");
    }

    let mut arguments = vec!["read"];
    arguments.extend(keys.iter().map(String::as_str));
    let said = node("values.mjs", &arguments, &gateway).await;
    let read: Vec<Value> = serde_json::from_str(&said).expect("an array");
    let expected: Vec<Value> = cases.into_iter().map(|(_, read)| read).collect();
    assert_eq!(read, expected);
}

#[tokio::test]
async fn millpond_reads_what_the_npm_client_wrote() {
    needs_npm!();
    let gateway = gateway(needs_redis!()).await;
    let pond = pond(&gateway);
    let beyond = BEYOND_JAVASCRIPT.to_string();
    let large = "ü".repeat(1000);
    let written = json!({
        "js:text": "text", "js:empty": "", "js:digits": "123", "js:true": "true", "js:unicode": "ü€😀\u{0}\n\"\\",
        "js:ok": "OK", "js:large": large, "js:zeros": "007", "js:quoted": "\"x\"",
        "js:int": 42, "js:negative": -7, "js:float": 1.5, "js:huge": 1e21, "js:bool": true, "js:null": null,
        "js:beyond": beyond, "js:sentinel": "__NULL__", "js:user": user(), "js:list": [1, [null, "x"]],
    });
    node("values.mjs", &["write", &written.to_string()], &gateway).await;

    for (key, text) in [
        ("js:text", "text"),
        ("js:empty", ""),
        ("js:digits", "123"),
        ("js:true", "true"),
        ("js:unicode", "ü€😀\0\n\"\\"),
        ("js:ok", "OK"),
        ("js:large", large.as_str()),
        ("js:zeros", "007"),
        ("js:beyond", beyond.as_str()),
        ("js:int", "42"),
        // Whoever writes JSON in quotes means what is between them.
        ("js:quoted", "x"),
    ] {
        assert_eq!(
            pond.get::<String>(key).await.expect(key).as_deref(),
            Some(text),
            "{key}"
        );
    }
    assert_eq!(pond.get::<u8>("js:int").await.unwrap(), Some(42));
    assert_eq!(pond.get::<u8>("js:digits").await.unwrap(), Some(123));
    assert_eq!(pond.get::<i64>("js:negative").await.unwrap(), Some(-7));
    assert_eq!(pond.get::<f64>("js:float").await.unwrap(), Some(1.5));
    assert_eq!(pond.get::<f64>("js:huge").await.unwrap(), Some(1e21));
    assert_eq!(
        pond.get::<u64>("js:beyond").await.unwrap(),
        Some(BEYOND_JAVASCRIPT)
    );
    assert_eq!(pond.get::<bool>("js:bool").await.unwrap(), Some(true));
    assert_eq!(pond.get::<User>("js:user").await.unwrap(), Some(user()));
    assert_eq!(
        pond.get::<Value>("js:list").await.unwrap(),
        Some(json!([1, [null, "x"]]))
    );
    // A null of the other side is nothing here, and so is the sentinel, whoever wrote it.
    for nothing in ["js:null", "js:sentinel"] {
        assert_eq!(pond.get::<Option<User>>(nothing).await.unwrap(), Some(None));
        assert_eq!(pond.get::<User>(nothing).await.unwrap(), None);
    }
}

#[tokio::test]
async fn an_invalidation_from_node_is_not_undone_by_a_load_under_way() {
    needs_npm!();
    let gateway = gateway(needs_redis!()).await;
    let pond = support::pond(&gateway);
    let load = async || {
        node("invalidate.mjs", &[], &gateway).await;
        Ok::<_, std::convert::Infallible>("old".to_owned())
    };
    let loaded = pond.get_or_set("user:42", ttl::MEDIUM, load).await;
    assert_eq!(loaded.unwrap(), "old");
    assert_eq!(pond.get::<String>("user:42").await.unwrap(), None);
    assert_eq!(pond.stats().cache.refused, 1);
}

#[test]
fn the_documented_invalidation_is_the_tested_one() {
    let script = include_str!("interop/invalidate.mjs");
    let code = documented("From TypeScript:\n\n");
    assert!(code.lines().count() > 3);
    assert!(script.contains(code), "{code}");
}

#[test]
fn the_documented_hash_of_a_prompt_is_the_tested_one() {
    let script = include_str!("interop/operations.mjs");
    let code = documented("in TypeScript:\n\n").trim();
    let code = code.strip_prefix("const key = ").unwrap();
    assert!(script.contains(code), "{code}");
}

/// The code of runtime/docs/interop.md behind these words.
fn documented(words: &str) -> &'static str {
    let page = include_str!("../runtime/docs/interop.md");
    let (_, code) = page.split_once(&format!("{words}```ts\n")).unwrap();
    code.split_once("```").unwrap().0
}

#[millpond::cached(prefix = "posts", key = "<org>:<page>", tags("org:<org>"))]
async fn posts(org: u32, page: u32) -> Vec<u32> {
    vec![org, page]
}

#[tokio::test]
async fn another_service_invalidates_a_tag_by_one_command_and_sees_what_was_invalidated() {
    needs_npm!();
    let gateway = gateway(needs_redis!()).await;
    let pond = pond(&gateway);
    pond.scope(async {
        posts(7, 1).await;
        posts(7, 2).await;
        posts(8, 1).await;
        let said = node("tags.mjs", &["get", "posts:7:1"], &gateway).await;
        assert_eq!(said.trim(), "\"[7,1]\"");
        gateway.clear();
        node("tags.mjs", &["invalidate", "org:7"], &gateway).await;
        assert_eq!(gateway.commands().len(), 1);
        let said = node("tags.mjs", &["get", "posts:7:1"], &gateway).await;
        assert_eq!(said.trim(), "null");
        for (org, page) in [(7, 1), (7, 2), (8, 1)] {
            posts(org, page).await;
        }
    })
    .await;
    assert_eq!(pond.stats().prefix("posts").loads, 5);
}
