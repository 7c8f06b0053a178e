//! Keys: two argument lists whose rendered parts differ never share one, and everything else stays
//! readable. Held against an independent reading of the format of `runtime/docs/interop.md`.

mod support;

use millpond::{Key, Millpond, cached, key, ttl};
use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write;

#[cached(prefix = "two", key = "<a>:<b>")]
async fn two(a: &str, b: &str) -> String {
    format!("{a}{b}")
}

/// The key that nobody wrote: every argument in order.
#[cached(prefix = "three")]
async fn three(a: &str, b: u32, c: &str) -> String {
    format!("{a}{b}{c}")
}

#[cached(prefix = "tagged", key = "{<org>}:members:<id?>:v<page>")]
async fn tagged(org: &str, id: Option<&str>, page: &str) -> String {
    format!("{org}{id:?}{page}")
}

#[cached(prefix = "hashed", key = "<value:sha256>")]
async fn hashed(value: &Value) -> bool {
    value.is_null()
}

#[cached(prefix = "versioned", version = 2)]
async fn versioned(id: u32) -> u32 {
    id
}

#[cached(prefix = "alone")]
async fn alone() -> u32 {
    1
}

fn sha256(text: impl AsRef<[u8]>) -> String {
    let digest = Sha256::digest(text);
    digest.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

/// What a part of a key means.
#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    Hash(String),
    Absent,
}

/// Reads a part back, by the published format alone.
fn read(part: &str) -> Part {
    if let Some(hash) = part.strip_prefix("%~") {
        return Part::Hash(hash.to_owned());
    }
    if part == "%-" {
        return Part::Absent;
    }
    let mut bytes = Vec::new();
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            let digits = std::str::from_utf8(&digits).unwrap();
            assert_eq!(digits, digits.to_uppercase());
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    Part::Text(String::from_utf8(bytes).unwrap())
}

/// What a part should mean.
fn meant(text: &str) -> Part {
    if text.len() > 256 {
        Part::Hash(sha256(text))
    } else {
        Part::Text(text.to_owned())
    }
}

fn parts(key: &Key) -> Vec<Part> {
    key.as_str().split(':').skip(1).map(read).collect()
}

/// Texts made of what could break a key.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        ":", "::", "%", "%%", "%3A", "%25", "%-", "%~", "-", "~", "{", "}", "{}", "*", "?", "[",
        "]", "\\", " ", "\t", "\n", "\0", "\u{7f}", "\u{a0}", "\u{2028}", "guard", "@2", "a", "ä",
        "😀", "None", "<", ">",
    ]);
    prop_oneof![
        8 => prop::collection::vec(pieces, 0..6).prop_map(|pieces| pieces.concat()),
        2 => any::<String>(),
        1 => (250_usize..262, "[a:%]").prop_map(|(length, text)| text.repeat(length)),
    ]
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        hostile().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((hostile(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// JSON with the members of objects sorted by the bytes of their names.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| name.as_bytes());
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("{}:{}", json!(name), canonical(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        scalar => scalar.to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    // A key from which the parts can be read back is shared by no two lists of parts.
    #[test]
    fn every_part_can_be_read_back(a in hostile(), b in hostile(), number: u32) {
        let both = [meant(&a), meant(&b)];
        prop_assert_eq!(&parts(two::entry(&a, &b).key()), &both);
        prop_assert_eq!(&parts(&key!("any:<a>:<b>")), &both);
        let key = three::entry(&a, number, &b);
        prop_assert_eq!(parts(key.key()), [meant(&a), meant(&number.to_string()), meant(&b)]);
    }

    #[test]
    fn parts_inside_braces_and_optional_ones_can_be_read_back(
        org in hostile(),
        id in prop::option::of(hostile()),
        page in hostile(),
    ) {
        let entry = tagged::entry(&org, id.as_deref(), &page);
        let text = entry.key().as_str();
        let (tag, rest) = text.strip_prefix("tagged:{").unwrap().split_once('}').unwrap();
        prop_assert_eq!(read(tag), meant(&org));
        let (id_part, page_part) = rest.strip_prefix(":members:").unwrap().split_once(":v").unwrap();
        prop_assert_eq!(read(id_part), id.as_deref().map_or(Part::Absent, meant));
        prop_assert_eq!(read(page_part), meant(&page));
    }

    #[test]
    fn two_lists_of_arguments_share_a_key_only_if_they_are_equal(
        one in (hostile(), hostile()),
        other in (hostile(), hostile()),
    ) {
        let key = |(a, b): &(String, String)| two::entry(a, b).key().clone();
        prop_assert_eq!(key(&one) == key(&other), one == other);
    }

    #[test]
    fn a_key_holds_nothing_that_a_pattern_or_a_shell_would_read(a in hostile(), b in hostile()) {
        let key = two::entry(&a, &b).key().to_string();
        let special = |c: char| c.is_whitespace() || c.is_control() || "*?[]\\{}".contains(c);
        prop_assert!(!key.contains(special), "{}", key);
        prop_assert_eq!(key.matches(':').count(), 2);
        prop_assert!(key.len() < 32 * 1024);
    }

    #[test]
    fn a_hash_is_that_of_the_sorted_json(value in json_value()) {
        let expected = format!("hashed:{}", sha256(canonical(&value)));
        let (by_hand, entry) = (key!("hashed:<value:sha256>"), hashed::entry(&value));
        prop_assert_eq!(by_hand.as_str(), &expected);
        prop_assert_eq!(entry.key().as_str(), &expected);
    }
}

#[test]
fn ordinary_arguments_stay_as_they_are() {
    for text in [
        "42",
        "ada@example.com",
        "67e55044-10b1-426f-9247-bb680e5fe0c8",
        "Zürich",
        "東京",
        "a-b_c.d~e+f=g/h,i;j!k$l&m'n(o)p|q\"r^s`t#u<v>w",
        "-",
        "~",
        &"x".repeat(256),
    ] {
        assert_eq!(key!("user:<text>").as_str(), format!("user:{text}"));
    }
}

#[test]
fn what_must_be_encoded_is() {
    let rules = [
        (":", "%3A"),
        ("%", "%25"),
        ("{", "%7B"),
        ("}", "%7D"),
        ("*", "%2A"),
        ("?", "%3F"),
        ("[", "%5B"),
        ("]", "%5D"),
        ("\\", "%5C"),
        (" ", "%20"),
        ("\r\n", "%0D%0A"),
        ("\0", "%00"),
        ("\u{7f}", "%7F"),
        ("\u{85}", "%C2%85"),
        ("\u{3000}", "%E3%80%80"),
        ("%-", "%25-"),
        ("%~", "%25~"),
        ("", ""),
    ];
    for (text, encoded) in rules {
        assert_eq!(key!("user:<text>:x").as_str(), format!("user:{encoded}:x"));
    }
}

#[test]
fn an_absent_part_differs_from_every_text() {
    let optional = |id: Option<&str>| key!("user:<id?>").to_string();
    assert_eq!(optional(None), "user:%-");
    for text in ["", "-", "%-", "None"] {
        assert_ne!(optional(Some(text)), optional(None));
    }
    assert_eq!(optional(Some("")), "user:");
}

#[test]
fn a_part_of_more_than_256_bytes_is_its_hash() {
    for text in ["x".repeat(257), "ä".repeat(129), ":".repeat(100_000)] {
        let expected = format!("user:%~{}", sha256(&text));
        assert_eq!(key!("user:<text>").as_str(), expected);
    }
    let fits = ":".repeat(256);
    assert_eq!(
        key!("user:<fits>").as_str(),
        format!("user:{}", "%3A".repeat(256))
    );
}

#[test]
fn fields_and_literal_angle_brackets_are_parts_of_the_language() {
    struct User {
        id: u32,
        address: Address,
    }
    struct Address {
        town: &'static str,
    }
    let user = User {
        id: 7,
        address: Address { town: "a:b" },
    };
    let key = key!("user:<<x>>:<user.id>:<user.address.town>");
    assert_eq!(key.as_str(), "user:<x>:7:a%3Ab");
}

#[test]
fn the_order_of_members_and_the_width_of_integers_do_not_change_a_hash() {
    #[derive(Serialize)]
    struct Prompt {
        text: &'static str,
        model: &'static str,
        seed: u128,
    }
    let prompt = Prompt {
        text: "a",
        model: "b",
        seed: u128::MAX,
    };
    let json = format!(r#"{{"model":"b","seed":{},"text":"a"}}"#, u128::MAX);
    assert_eq!(
        key!("gen:<prompt:sha256>").as_str(),
        format!("gen:{}", sha256(json))
    );
    let (small, large, signed) = (5_u8, 5_u64, 5_i128);
    assert_eq!(key!("n:<small:sha256>"), key!("n:<large:sha256>"));
    assert_eq!(key!("n:<small:sha256>"), key!("n:<signed:sha256>"));
    let (one, float) = (1, 1.0);
    assert_ne!(key!("n:<one:sha256>"), key!("n:<float:sha256>"));
}

#[tokio::test]
async fn arguments_that_json_cannot_tell_apart_share_no_entry() {
    #[cached(prefix = "told-apart", key = "<id:sha256>")]
    #[expect(clippy::option_option, reason = "that is what it is about")]
    async fn told_apart(id: Option<Option<u32>>) -> String {
        format!("{id:?}")
    }
    let pond = Millpond::memory();
    pond.scope(async {
        for id in [None, Some(None), Some(Some(1))] {
            assert_eq!(told_apart(id).await, format!("{id:?}"));
            assert_eq!(told_apart(id).await, format!("{id:?}"));
        }
    })
    .await;
    let stats = pond.stats().cache;
    assert_eq!((stats.loads, stats.hits, stats.bypassed), (2, 2, 2));
}

#[test]
fn a_version_stands_behind_the_prefix() {
    assert_eq!(versioned::entry(7).key().as_str(), "versioned@2:7");
    assert_eq!(versioned::entry(7).key().prefix(), "versioned");
}

#[test]
fn a_function_without_arguments_has_one_key() {
    assert_eq!(alone::entry().key().as_str(), "alone");
}

async fn exists(pond: &Millpond, name: &str) -> bool {
    let reply = pond.command(["EXISTS".to_owned(), name.to_owned()]).await;
    reply.unwrap() == millpond::Reply::Int(1)
}

#[tokio::test]
async fn a_function_stores_under_the_key_of_its_entry() {
    let pond = Millpond::memory();
    pond.scope(async {
        two("a:b", "c").await;
        three("a", 1, "{c}").await;
        hashed(&json!({"b": 1, "a": 2})).await;
        alone().await;
        assert!(two::entry("a:b", "c").exists().await.unwrap());
        assert!(three::entry("a", 1, "{c}").exists().await.unwrap());
        assert!(
            hashed::entry(&json!({"a": 2, "b": 1}))
                .exists()
                .await
                .unwrap()
        );
        assert!(alone::entry().exists().await.unwrap());
        assert!(!two::entry("a", "b:c").exists().await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn the_namespace_is_one_encoded_part_in_front_of_keys_and_guards() {
    let pond = Millpond::builder().namespace("a:b").build().unwrap();
    pond.scope(async {
        versioned(7).await;
        assert!(exists(&pond, "a%3Ab:versioned@2:7").await);
        versioned::invalidate(7).await.unwrap();
        assert!(!exists(&pond, "a%3Ab:versioned@2:7").await);
        assert!(exists(&pond, "{a%3Ab:versioned@2:7}:guard").await);
        tagged("org", None, "1").await;
        tagged::invalidate("org", None, "1").await.unwrap();
        assert!(exists(&pond, "a%3Ab:tagged:{org}:members:%-:v1:guard").await);
    })
    .await;
}

#[cfg(feature = "upstash")]
#[tokio::test]
async fn namespaces_on_one_database_do_not_see_each_other() {
    let redis = millpond_gateway::needs_redis!();
    let gateway = support::gateway(redis).await;
    let pond = |name: &str| support::builder(&gateway).namespace(name).build().unwrap();
    let (one, other) = (pond("a"), pond("a:b"));
    one.set("b:c", "one", ttl::SHORT).await.unwrap();
    assert_eq!(other.get::<String>("c").await.unwrap(), None);
    other.set("c", "other", ttl::SHORT).await.unwrap();
    assert_eq!(
        one.get::<String>("b:c").await.unwrap().as_deref(),
        Some("one")
    );
    let none = support::pond(&gateway);
    assert_eq!(
        none.get::<String>("a:b:c").await.unwrap().as_deref(),
        Some("one")
    );
    assert_eq!(
        none.get::<String>("a%3Ab:c").await.unwrap().as_deref(),
        Some("other")
    );
}

#[allow(dead_code, reason = "only their keys are asked for")]
mod integers {
    use millpond::cached;

    macro_rules! functions {
        ($($name:ident: $integer:ident),*) => {$(
            #[cached(prefix = "integer")]
            pub(super) async fn $name(id: $integer) -> u8 {
                let _ = id;
                0
            }
        )*};
    }

    functions!(
        of_u8: u8, of_u16: u16, of_u32: u32, of_u64: u64, of_usize: usize, of_u128: u128,
        of_i8: i8, of_i16: i16, of_i32: i32, of_i64: i64, of_isize: isize, of_i128: i128
    );
}

#[test]
fn an_integer_in_a_key_is_what_its_display_writes() {
    macro_rules! check {
        ($($name:ident: $integer:ident),*) => {$(
            for id in [$integer::MIN, 0, 1, 10, $integer::MAX] {
                assert_eq!(integers::$name::entry(id).key().to_string(), format!("integer:{id}"));
            }
        )*};
    }
    check!(
        of_u8: u8, of_u16: u16, of_u32: u32, of_u64: u64, of_usize: usize, of_u128: u128,
        of_i8: i8, of_i16: i16, of_i32: i32, of_i64: i64, of_isize: isize, of_i128: i128
    );
}

/// A type of somebody's own that has the name of an integer is written by its own `Display`.
#[allow(dead_code, reason = "only its keys are asked for")]
mod shadowed {
    use std::fmt;

    #[allow(non_camel_case_types, reason = "the name is the point")]
    #[derive(Clone, Copy)]
    pub(super) struct u64;

    impl fmt::Display for u64 {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("not:a:number")
        }
    }

    #[millpond::cached(prefix = "shadowed")]
    pub(super) async fn shadowed(id: u64) -> u32 {
        let _ = id;
        0
    }
}

#[test]
fn a_type_that_is_only_called_like_an_integer_keeps_its_display() {
    let key = shadowed::shadowed::entry(shadowed::u64).key().to_string();
    assert_eq!(key, "shadowed:not%3Aa%3Anumber");
}
