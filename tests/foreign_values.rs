//! What other clients wrote, and what they read of ours, on every engine.

#[macro_use]
mod support;

use millpond::{ErrorKind, Key, Millpond, Pattern, cached, key, ttl};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

on_every_engine! {
    whole_floats_are_stored_as_javascript_writes_them
    texts_that_look_like_json_are_texts
    half_a_character_reads_as_the_replacement_character
    one_bad_value_fails_alone
    sums_are_exact
    data_never_names_what_stands_beside_a_key
    a_value_that_is_nested_too_deep_is_an_error
}

/// What is stored under a key, byte for byte.
async fn stored(pond: &Millpond, key: &str) -> String {
    pond.command(["GET", key]).await.unwrap().parse().unwrap()
}

async fn whole_floats_are_stored_as_javascript_writes_them(pond: &Millpond) {
    for (number, text) in [
        (1.0, "1"),
        (-3.0, "-3"),
        (2.5, "2.5"),
        (1e21, "1e+21"),
        (1e-7, "1e-7"),
        (0.000_001, "0.000001"),
    ] {
        pond.set("float", &number, ttl::SHORT).await.unwrap();
        assert_eq!(stored(pond, "float").await, text);
        assert_eq!(pond.get::<f64>("float").await.unwrap(), Some(number));
        pond.set("float", &Some(number), ttl::SHORT).await.unwrap();
        assert_eq!(stored(pond, "float").await, text);
        let hash = pond.hash("floats");
        hash.set("one", &number).await.unwrap();
        hash.set_all(&BTreeMap::from([("all", number)]))
            .await
            .unwrap();
        let fields: HashMap<String, String> = pond
            .command(["HGETALL", "floats"])
            .await
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!((&*fields["one"], &*fields["all"]), (text, text));
    }
    // Inside a document the number is a number to every client.
    pond.set("list", &[1.0], ttl::SHORT).await.unwrap();
    assert_eq!(stored(pond, "list").await, "[1.0]");
}

async fn texts_that_look_like_json_are_texts(pond: &Millpond) {
    for text in ["[INFO] started", "{cut", "\"cut", "[1, 2"] {
        pond.command(["SET", "raw", text]).await.unwrap();
        let read = pond.get::<String>("raw").await.unwrap();
        assert_eq!(read.as_deref(), Some(text));
        let error = pond.get::<Vec<u8>>("raw").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode, "{text}");
        pond.command(["HSET", "raws", "field", text]).await.unwrap();
        let read = pond.hash("raws").get::<String>("field").await.unwrap();
        assert_eq!(read.as_deref(), Some(text));
        let all: Option<HashMap<String, String>> = pond.hash("raws").get_all().await.unwrap();
        assert_eq!(all.unwrap()["field"], text);
    }
}

#[derive(Deserialize)]
struct Cuts {
    text: String,
    list: Vec<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Numbers {
    a: u32,
    b: Option<u32>,
    c: u32,
}

#[derive(Debug, Deserialize)]
struct Needed {
    #[expect(dead_code, reason = "it is never read")]
    b: u32,
}

async fn half_a_character_reads_as_the_replacement_character(pond: &Millpond) {
    // What `JSON.stringify` makes of a text that was cut in the middle of an emoji.
    let (list, text) = (r#"["a\ud83d"]"#, r#""\ude00b""#);
    pond.command(["SET", "cut", list]).await.unwrap();
    let read: Option<Vec<String>> = pond.get("cut").await.unwrap();
    assert_eq!(read.unwrap(), ["a\u{FFFD}"]);
    pond.command(["HSET", "cuts", "text", text, "list", list])
        .await
        .unwrap();
    let all: Cuts = pond.hash("cuts").get_all().await.unwrap().unwrap();
    assert_eq!((&*all.text, &*all.list[0]), ("\u{FFFD}b", "a\u{FFFD}"));
}

async fn one_bad_value_fails_alone(pond: &Millpond) {
    pond.command(["MSET", "n:1", "1", "n:2", "two", "n:3", "3"])
        .await
        .unwrap();
    let read: Vec<Option<u32>> = pond.get_many(["n:1", "n:2", "n:3"]).await.unwrap();
    assert_eq!(read, [Some(1), None, Some(3)]);
    assert_eq!(pond.stats().prefix("n").decode_failures, 1);

    pond.command(["HSET", "h:1", "a", "1", "b", "two", "c", "3"])
        .await
        .unwrap();
    let hash = pond.hash("h:1");
    let read: Vec<Option<u32>> = hash.get_many(["a", "b", "c"]).await.unwrap();
    assert_eq!(read, [Some(1), None, Some(3)]);
    let all: HashMap<String, u32> = hash.get_all().await.unwrap().unwrap();
    assert_eq!(
        all,
        HashMap::from([("a".to_owned(), 1), ("c".to_owned(), 3)])
    );
    let all: Numbers = hash.get_all().await.unwrap().unwrap();
    assert_eq!(
        all,
        Numbers {
            a: 1,
            b: None,
            c: 3
        }
    );
    assert_eq!(pond.stats().prefix("h").decode_failures, 3);
    // A field that has to be there is to blame, and named.
    let error = hash.get_all::<Needed>().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains("`b`"), "{error}");
}

async fn sums_are_exact(pond: &Millpond) {
    const LARGE: i64 = 9_007_199_254_740_992;
    assert_eq!(
        pond.increment("sum", LARGE, ttl::LONG).await.unwrap(),
        LARGE
    );
    assert_eq!(
        pond.increment("sum", 1, ttl::LONG).await.unwrap(),
        LARGE + 1
    );
    assert_eq!(
        pond.increment("most", i64::MAX, ttl::LONG).await.unwrap(),
        i64::MAX
    );
    assert_eq!(
        pond.increment("least", i64::MIN, ttl::LONG).await.unwrap(),
        i64::MIN
    );
    assert_eq!(
        pond.decrement("most", 1, ttl::LONG).await.unwrap(),
        i64::MAX - 1
    );
    let error = pond.increment("most", 2, ttl::LONG).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Overflow);
    let hash = pond.hash("sums").expires_in(ttl::LONG);
    assert_eq!(hash.increment("most", i64::MAX).await.unwrap(), i64::MAX);
    assert_eq!(hash.increment("most", -1).await.unwrap(), i64::MAX - 1);
}

#[cached(prefix = "row", key = "{<id>}:<field>")]
async fn field(id: u32, field: &str) -> String {
    format!("{field} of {id}")
}

async fn data_never_names_what_stands_beside_a_key(pond: &Millpond) {
    pond.scope(async {
        for name in ["guard", "fence", "doubt", "lease", "gua"] {
            let wanted = format!("{name} of 7");
            assert_eq!(field(7, name).await, wanted);
            assert_eq!(field(7, name).await, wanted);
            assert!(field::entry(7, name).exists().await.unwrap());
        }
        // Each was loaded once, although the guards of the others stand beside.
        assert_eq!(pond.stats().prefix("row").loads, 5);
        let removed = pond
            .invalidate_pattern(Pattern::under("row"))
            .await
            .unwrap();
        assert_eq!(removed, 5);
        assert!(!field::entry(7, "guard").exists().await.unwrap());
    })
    .await;
    let half = "rd";
    assert!(!key!("row:{a}:gua<half>").as_str().ends_with(":guard"));
    let by_hand = Key::from("row:{7}:guard");
    let error = pond.set(by_hand, "mine", ttl::SHORT).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidKey);
    // Without a hash tag nothing of the name is anybody's but the caller's.
    pond.set("row:guard", "mine", ttl::SHORT).await.unwrap();
    assert_eq!(
        pond.get::<String>("row:guard").await.unwrap().as_deref(),
        Some("mine")
    );
}

/// Nested in itself, in every way that serde has.
#[derive(Clone, Serialize, Deserialize)]
enum Nest {
    End,
    Some(Option<Box<Nest>>),
    List(Vec<Nest>),
    Fields { inner: Box<Nest> },
    Pair(u8, Box<Nest>),
    Map(BTreeMap<u8, Nest>),
}

#[derive(Clone, Serialize, Deserialize)]
struct Link(Option<Box<Link>>);

fn nests(levels: usize) -> Vec<Nest> {
    let kinds: [fn(Nest) -> Nest; 5] = [
        |inner| Nest::Some(Some(Box::new(inner))),
        |inner| Nest::List(vec![inner]),
        |inner| Nest::Fields {
            inner: Box::new(inner),
        },
        |inner| Nest::Pair(1, Box::new(inner)),
        |inner| Nest::Map(BTreeMap::from([(1, inner)])),
    ];
    let nest = |wrap: &fn(Nest) -> Nest| (0..levels).fold(Nest::End, |inner, _| wrap(inner));
    kinds.iter().map(nest).collect()
}

async fn a_value_that_is_nested_too_deep_is_an_error(pond: &Millpond) {
    for nest in nests(40) {
        pond.set("nest", &nest, ttl::SHORT).await.unwrap();
        assert!(pond.get::<Nest>("nest").await.unwrap().is_some());
        assert_eq!(key!("nest:<nest:sha256>").as_str().len(), 69);
    }
    let links = (0..3_000).fold(Link(None), |inner, _| Link(Some(Box::new(inner))));
    for nest in nests(3_000) {
        let error = pond.set("nest", &nest, ttl::SHORT).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue);
        let hash = pond.hash("nests");
        assert_eq!(
            hash.set("n", &nest).await.unwrap_err().kind(),
            ErrorKind::InvalidValue
        );
        let error = pond
            .get::<u8>(key!("nest:<nest:sha256>"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKey);
        let sessions = pond.sessions::<Nest>(ttl::SHORT);
        let error = sessions.create(&nest).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue);
    }
    let error = pond.set("nest", &links, ttl::SHORT).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidValue);
    // Lists of 127 levels are read back, and 128 are not stored.
    let list = |levels: usize| {
        (1..levels).fold(serde_json::json!([]), |inner, _| serde_json::json!([inner]))
    };
    pond.set("nest", &list(127), ttl::SHORT).await.unwrap();
    let read = pond.get::<serde_json::Value>("nest").await.unwrap();
    assert_eq!(read, Some(list(127)));
    assert!(pond.set("nest", &list(128), ttl::SHORT).await.is_err());
    // From somebody else, it is read as far as it can be.
    let text = "[".repeat(3_000) + &"]".repeat(3_000);
    pond.command(["SET", "nest", &text]).await.unwrap();
    let error = pond.get::<serde_json::Value>("nest").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
}
