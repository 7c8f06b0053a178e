//! Counters, hashes, several keys at once, patterns and transactions, by hand and on every engine.

mod support;

use futures_util::future::join_all;
use millpond::{Error, ErrorKind, Millpond, Pattern, Reply, TimeLeft, cached, key, ttl};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use support::source::{Source, source};
use support::{on_every_engine, settle, within_a_minute};

on_every_engine! {
    a_counter_counts_up_and_down
    a_counter_keeps_the_lifetime_that_it_was_created_with
    what_is_no_number_is_not_counted
    a_counter_never_wraps
    two_who_count_at_once_lose_nothing
    fields_change_on_their_own
    a_hash_becomes_a_struct_and_a_struct_a_hash
    a_map_of_whatever_json_takes_for_names_is_read_as_it_was_stored
    fields_of_other_clients_are_read
    a_field_that_does_not_decode_is_named_and_not_quoted
    a_hash_keeps_the_lifetime_that_it_was_created_with
    a_hash_of_thousands_of_fields_is_stored
    a_field_is_counted
    several_keys_are_read_stored_and_removed_at_once
    several_values_survive_slower_loads
    one_bad_value_stores_none
    a_pattern_removes_what_matches
    a_pattern_that_matches_everything_is_refused
    a_pattern_under_a_key_that_did_not_render_removes_nothing
    a_pattern_leaves_guards_and_a_namespace_alone
    a_pattern_leaves_the_numbers_of_locks
    a_pattern_undoes_loads_under_way_here
    a_pattern_walks_through_thousands_of_keys
    a_transaction_runs_as_one
    a_transaction_with_a_mistake_runs_not_at_all
    a_failure_inside_a_transaction_harms_no_neighbour
    no_command_harms_the_callers_beside_it
    replies_become_values
    a_reply_of_another_shape_is_told
}

fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> ErrorKind {
    result.unwrap_err().kind()
}

async fn a_counter_counts_up_and_down(pond: &Millpond) {
    assert_eq!(pond.increment("views", 1, None).await.unwrap(), 1);
    assert_eq!(pond.increment("views", 10, None).await.unwrap(), 11);
    assert_eq!(pond.decrement("views", 4, None).await.unwrap(), 7);
    assert_eq!(pond.increment("views", -7, None).await.unwrap(), 0);
    assert_eq!(pond.decrement("views", 3, ttl::SHORT).await.unwrap(), -3);
    assert_eq!(pond.get::<i64>("views").await.unwrap(), Some(-3));
    let plain = pond.command(["GET", "views"]).await.unwrap();
    assert_eq!(plain, Reply::Bulk("-3".into()));
}

async fn a_counter_keeps_the_lifetime_that_it_was_created_with(pond: &Millpond) {
    assert_eq!(pond.increment("hits", 5, ttl::WEEK).await.unwrap(), 5);
    let left = pond.ttl("hits").await.unwrap().duration().unwrap();
    assert!(left > ttl::EXTENDED && left <= ttl::WEEK, "{left:?}");
    pond.increment("hits", 1, ttl::SHORT).await.unwrap();
    assert!(pond.ttl("hits").await.unwrap().duration() > Some(ttl::EXTENDED));

    // It is created when the sum is not the amount, too, and not when it only happens to be.
    pond.increment("zero", 0, ttl::SHORT).await.unwrap();
    assert!(pond.ttl("zero").await.unwrap().duration() <= Some(ttl::SHORT));
    pond.increment("kept", -3, None).await.unwrap();
    pond.increment("kept", 3, None).await.unwrap();
    assert_eq!(pond.increment("kept", 3, ttl::SHORT).await.unwrap(), 3);
    assert_eq!(pond.ttl("kept").await.unwrap(), TimeLeft::Forever);

    let zero = pond.increment("hits", 1, Duration::ZERO).await;
    assert_eq!(kind(zero), ErrorKind::InvalidValue);
    assert_eq!(pond.get::<i64>("hits").await.unwrap(), Some(6));
}

async fn what_is_no_number_is_not_counted(pond: &Millpond) {
    pond.set("name", "Ada Lovelace", ttl::SHORT).await.unwrap();
    for ttl in [None, Some(ttl::SHORT)] {
        let error = pond.increment("name", 1, ttl).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotANumber);
        let text = format!("{error} {error:?}");
        assert!(text.contains("use another name"), "{text}");
        assert!(!text.contains("Lovelace"), "{text}");
    }
    pond.command(["RPUSH", "list", "item"]).await.unwrap();
    let wrong = pond.increment("list", 1, None).await;
    assert_eq!(kind(wrong), ErrorKind::WrongType);
    let wrong = pond.decrement("list", 1, ttl::SHORT).await;
    assert_eq!(kind(wrong), ErrorKind::WrongType);
    assert_eq!(
        kind(pond.increment("", 1, None).await),
        ErrorKind::InvalidKey
    );
    assert_eq!(
        pond.get::<String>("name").await.unwrap().as_deref(),
        Some("Ada Lovelace")
    );
}

async fn a_counter_never_wraps(pond: &Millpond) {
    pond.increment("most", i64::MAX, None).await.unwrap();
    let over = pond.increment("most", 1, None).await;
    assert_eq!(kind(over), ErrorKind::Overflow);
    assert_eq!(pond.get::<i64>("most").await.unwrap(), Some(i64::MAX));
    let opposite = pond.decrement("least", i64::MIN, None).await;
    assert_eq!(kind(opposite), ErrorKind::Overflow);
    assert!(!pond.exists("least").await.unwrap());
}

async fn two_who_count_at_once_lose_nothing(pond: &Millpond) {
    let counts = (0..200).map(|_| pond.increment("clicks", 1, ttl::LONG));
    let mut sums = Vec::new();
    for sum in join_all(counts).await {
        sums.push(sum.unwrap());
    }
    sums.sort_unstable();
    assert_eq!(sums, (1..=200).collect::<Vec<i64>>());
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Theme {
    Dark,
    Custom { hue: u16 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Prefs {
    theme: Theme,
    language: String,
    tags: Vec<String>,
    nickname: Option<String>,
    logins: u64,
    #[serde(default)]
    beta: bool,
}

fn prefs() -> Prefs {
    Prefs {
        theme: Theme::Custom { hue: 210 },
        language: "en".to_owned(),
        tags: vec!["a".to_owned(), "b".to_owned()],
        nickname: None,
        logins: u64::MAX,
        beta: true,
    }
}

async fn fields_change_on_their_own(pond: &Millpond) {
    let hash = pond.hash("user:123:prefs");
    assert!(hash.set("theme", "dark").await.unwrap());
    assert!(hash.set("language", "en").await.unwrap());
    assert!(!hash.set("theme", "light").await.unwrap());
    assert_eq!(
        hash.get::<String>("theme").await.unwrap().as_deref(),
        Some("light")
    );
    assert_eq!(hash.get::<String>("font").await.unwrap(), None);
    let several: Vec<Option<String>> = hash.get_many(["language", "font", "theme"]).await.unwrap();
    assert_eq!(several, [Some("en".into()), None, Some("light".into())]);
    assert!(hash.exists("theme").await.unwrap());
    assert_eq!(hash.len().await.unwrap(), 2);
    assert_eq!(hash.delete(["theme", "font"]).await.unwrap(), 1);
    assert!(!hash.exists("theme").await.unwrap());
    assert!(hash.clear().await.unwrap());
    assert_eq!(hash.len().await.unwrap(), 0);
    assert_eq!(
        hash.get_all::<HashMap<String, String>>().await.unwrap(),
        None
    );
    let none: Vec<Option<String>> = hash.get_many(Vec::<String>::new()).await.unwrap();
    assert_eq!(none, []);
    assert_eq!(hash.delete(Vec::<String>::new()).await.unwrap(), 0);
}

async fn a_hash_becomes_a_struct_and_a_struct_a_hash(pond: &Millpond) {
    let hash = pond.hash("prefs");
    hash.set_all(&prefs()).await.unwrap();
    assert_eq!(hash.get_all::<Prefs>().await.unwrap(), Some(prefs()));
    assert_eq!(
        hash.get::<Option<String>>("nickname").await.unwrap(),
        Some(None)
    );
    assert_eq!(hash.get::<String>("nickname").await.unwrap(), None);
    let theme: Option<Theme> = hash.get("theme").await.unwrap();
    assert_eq!(theme, Some(Theme::Custom { hue: 210 }));

    hash.set("unknown", "to this version").await.unwrap();
    assert_eq!(hash.get_all::<Prefs>().await.unwrap(), Some(prefs()));

    let stock = pond.hash("stock");
    let counts = BTreeMap::from([("apples", 3), ("pears", 0)]);
    stock.set_all(&counts).await.unwrap();
    let read: HashMap<String, u32> = stock.get_all().await.unwrap().unwrap();
    assert_eq!((read["apples"], read.len()), (3, 2));

    let error = stock.set_all(&[1, 2]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidValue);
    assert!(error.to_string().contains("struct or a map"), "{error}");
    let infinite = stock.set("price", &f64::INFINITY).await;
    assert_eq!(kind(infinite), ErrorKind::InvalidValue);
}

async fn a_map_of_whatever_json_takes_for_names_is_read_as_it_was_stored(pond: &Millpond) {
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    struct UserId(u64);
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    struct Name(String);
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    enum Size {
        Small,
        Large,
    }

    async fn survives<K>(pond: &Millpond, key: &str, names: [K; 2])
    where
        K: Ord + std::fmt::Debug + Serialize + serde::de::DeserializeOwned,
    {
        let members = BTreeMap::from(names.map(|name| (name, 7)));
        let hash = pond.hash(key);
        hash.set_all(&members).await.unwrap();
        let read = hash.get_all::<BTreeMap<K, u32>>().await;
        assert_eq!(read.unwrap(), Some(members), "{key}");
    }

    survives(pond, "u32", [1_u32, 2]).await;
    survives(pond, "i128", [i128::MIN, i128::MAX]).await;
    survives(pond, "newtype", [UserId(1), UserId(u64::MAX)]).await;
    survives(pond, "texts", [Name("1".into()), Name("a b".into())]).await;
    survives(pond, "enum", [Size::Small, Size::Large]).await;
    survives(pond, "bool", [true, false]).await;
    survives(pond, "char", ['7', 'ä']).await;
    let named = pond.hash("texts").get_all::<BTreeMap<u32, u32>>().await;
    let error = named.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(!error.to_string().contains("a b"), "{error}");
}

async fn fields_of_other_clients_are_read(pond: &Millpond) {
    // As `redis.hset(key, { theme: "dark", language: "007", … })` of @upstash/redis writes them.
    let words = [
        "HSET", "prefs", "theme", "dark", "language", "007", "tags", r#"["a"]"#, "nickname", "123",
        "logins", "7", "beta", "true",
    ];
    pond.command(words).await.unwrap();
    let read: Prefs = pond.hash("prefs").get_all().await.unwrap().unwrap();
    let expected = Prefs {
        theme: Theme::Dark,
        language: "007".to_owned(),
        tags: vec!["a".to_owned()],
        nickname: Some("123".to_owned()),
        logins: 7,
        beta: true,
    };
    assert_eq!(read, expected);
    let untyped: HashMap<String, serde_json::Value> =
        pond.hash("prefs").get_all().await.unwrap().unwrap();
    assert_eq!(untyped["theme"], "dark");
    assert_eq!(untyped["logins"], 7);
    pond.command(["HSET", "prefs", "nickname", "null"])
        .await
        .unwrap();
    let read: Prefs = pond.hash("prefs").get_all().await.unwrap().unwrap();
    assert_eq!(read.nickname, None);
}

async fn a_field_that_does_not_decode_is_named_and_not_quoted(pond: &Millpond) {
    let hash = pond.hash("prefs");
    hash.set_all(&prefs()).await.unwrap();
    hash.set("logins", "hunter2").await.unwrap();
    let all = hash.get_all::<Prefs>().await.unwrap_err();
    let one = hash.get::<u64>("logins").await.unwrap_err();
    for error in [all, one] {
        assert_eq!(error.kind(), ErrorKind::Decode);
        let text = format!("{error} {error:?}");
        assert!(text.contains("`logins`"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    hash.delete(["logins"]).await.unwrap();
    let missing = hash.get_all::<Prefs>().await.unwrap_err().to_string();
    assert!(
        missing.contains("the field `logins` is missing"),
        "{missing}"
    );
    for raw in ["{cut", "[1", "\"cut"] {
        // A text is what it looks like, and JSON of another shape is not.
        pond.command(["HSET", "prefs", "language", raw, "logins", raw])
            .await
            .unwrap();
        assert_eq!(
            hash.get::<String>("language").await.unwrap().as_deref(),
            Some(raw)
        );
        let broken = hash.get_all::<Prefs>().await.unwrap_err().to_string();
        assert!(broken.contains("`logins`"), "{broken}");
    }
    pond.set("text", "no hash", ttl::SHORT).await.unwrap();
    let wrong = pond.hash("text").get::<String>("a").await;
    assert_eq!(kind(wrong), ErrorKind::WrongType);
    let wrong = pond.hash("text").set("a", &1).await;
    assert_eq!(kind(wrong), ErrorKind::WrongType);
}

async fn a_hash_keeps_the_lifetime_that_it_was_created_with(pond: &Millpond) {
    let cart = pond.hash("cart").expires_in(ttl::WEEK);
    cart.set("apples", &1).await.unwrap();
    assert!(cart.ttl().await.unwrap().duration() > Some(ttl::EXTENDED));
    let shorter = pond.hash("cart").expires_in(ttl::SHORT);
    shorter.set("pears", &2).await.unwrap();
    shorter.increment("apples", 2).await.unwrap();
    assert!(cart.ttl().await.unwrap().duration() > Some(ttl::EXTENDED));
    assert!(cart.expire(ttl::SHORT).await.unwrap());
    assert!(cart.ttl().await.unwrap().duration() <= Some(ttl::SHORT));
    let all: HashMap<String, u32> = cart.get_all().await.unwrap().unwrap();
    assert_eq!((all["apples"], all["pears"]), (3, 2));

    let plain = pond.hash("plain");
    plain.set("a", &1).await.unwrap();
    assert_eq!(plain.ttl().await.unwrap(), TimeLeft::Forever);
    let counted = pond.hash("counted").expires_in(ttl::SHORT);
    counted.increment("n", 1).await.unwrap();
    assert!(counted.ttl().await.unwrap().duration() <= Some(ttl::SHORT));
    let never = pond.hash("never").expires_in(Duration::ZERO);
    assert_eq!(kind(never.set("a", &1).await), ErrorKind::InvalidValue);
}

async fn a_hash_of_thousands_of_fields_is_stored(pond: &Millpond) {
    let members: BTreeMap<String, u32> = (0..5_000).map(|n| (format!("f{n}"), n)).collect();
    let hash = pond.hash("wide").expires_in(ttl::LONG);
    hash.set_all(&members).await.unwrap();
    assert_eq!(hash.len().await.unwrap(), 5_000);
    assert_eq!(hash.get_all().await.unwrap(), Some(members));
    assert!(hash.ttl().await.unwrap().duration().is_some());
}

async fn a_field_is_counted(pond: &Millpond) {
    let stock = pond.hash("stock");
    assert_eq!(stock.increment("apples", 10).await.unwrap(), 10);
    assert_eq!(stock.increment("apples", -3).await.unwrap(), 7);
    assert_eq!(stock.get::<u32>("apples").await.unwrap(), Some(7));
    stock.set("name", "Cox").await.unwrap();
    let error = stock.increment("name", 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotANumber);
    assert!(error.to_string().contains("`name`"), "{error}");
    stock.set("most", &i64::MAX).await.unwrap();
    assert_eq!(kind(stock.increment("most", 1).await), ErrorKind::Overflow);
}

async fn several_keys_are_read_stored_and_removed_at_once(pond: &Millpond) {
    let users = [(1, "Ada"), (2, "Alan"), (3, "Grace")];
    let entries = users.map(|(id, name)| (key!("user:<id>"), name));
    pond.set_many(entries, ttl::MEDIUM).await.unwrap();
    let read: Vec<Option<String>> = pond.get_many(["user:3", "user:4", "user:1"]).await.unwrap();
    assert_eq!(read, [Some("Grace".into()), None, Some("Ada".into())]);
    assert!(pond.ttl("user:2").await.unwrap().duration() <= Some(ttl::MEDIUM));
    let stats = pond.stats().prefix("user");
    assert_eq!((stats.stores, stats.hits, stats.misses), (3, 2, 1));

    pond.set("user:2", &None::<String>, ttl::MEDIUM)
        .await
        .unwrap();
    pond.command(["RPUSH", "user:5", "a list"]).await.unwrap();
    let read: Vec<Option<String>> = pond.get_many(["user:2", "user:5"]).await.unwrap();
    assert_eq!(read, [None, None]);
    let known: Vec<Option<Option<String>>> = pond.get_many(["user:2", "user:4"]).await.unwrap();
    assert_eq!(known, [Some(None), None]);

    // What is no number fails alone.
    let read = pond.get_many::<u32>(["user:4", "user:1"]).await.unwrap();
    assert_eq!(read, [None, None]);
    assert_eq!(pond.stats().prefix("user").decode_failures, 1);

    assert_eq!(
        pond.delete_many(["user:1", "user:2", "user:9"])
            .await
            .unwrap(),
        2
    );
    assert_eq!(pond.delete_many(Vec::<String>::new()).await.unwrap(), 0);
    let none: Vec<Option<u8>> = pond.get_many(Vec::<String>::new()).await.unwrap();
    assert_eq!(none, []);
    pond.set_many(Vec::<(&str, u8)>::new(), ttl::SHORT)
        .await
        .unwrap();
}

#[cached(prefix = "slow", key = "<id>", skip(source))]
async fn slow(id: u32, source: &Source<u32>) -> u32 {
    source.answer().await
}

async fn several_values_survive_slower_loads(pond: &Millpond) {
    within_a_minute(async {
        let (source, mut bodies) = source();
        let load = pond.spawn(async move { slow(1, &source).await });
        let body = bodies.next().await;
        pond.set_many([("slow:1", 7), ("slow:2", 8)], ttl::SHORT)
            .await
            .unwrap();
        body.answer(1);
        assert_eq!(load.await.unwrap(), 1);
        assert_eq!(pond.get::<u32>("slow:1").await.unwrap(), Some(7));
        assert_eq!(pond.stats().prefix("slow").refused, 1);
    })
    .await;
}

async fn one_bad_value_stores_none(pond: &Millpond) {
    let bad = pond
        .set_many([("a", 1.0), ("b", f64::NAN)], ttl::SHORT)
        .await;
    assert_eq!(kind(bad), ErrorKind::InvalidValue);
    let bad = pond.set_many([("a", 1.0), ("", 2.0)], ttl::SHORT).await;
    assert_eq!(kind(bad), ErrorKind::InvalidKey);
    let bad = pond.set_many([("a", 1.0)], Duration::ZERO).await;
    assert_eq!(kind(bad), ErrorKind::InvalidValue);
    assert_eq!(
        kind(pond.get_many::<u8>(["a", ""]).await),
        ErrorKind::InvalidKey
    );
    assert!(!pond.exists("a").await.unwrap());
}

async fn a_pattern_removes_what_matches(pond: &Millpond) {
    for key in ["user:1", "user:1:posts", "user:2:posts", "api:models"] {
        pond.set(key, &1, ttl::MEDIUM).await.unwrap();
    }
    pond.hash("user:1:prefs").set("a", &1).await.unwrap();
    let below = Pattern::under("user:1");
    assert_eq!(pond.invalidate_pattern(below).await.unwrap(), 2);
    assert!(pond.exists("user:1").await.unwrap());
    assert_eq!(pond.invalidate_pattern("user:?").await.unwrap(), 1);
    assert_eq!(pond.invalidate_pattern("user:*").await.unwrap(), 1);
    assert_eq!(pond.invalidate_pattern("user:*").await.unwrap(), 0);
    assert!(pond.exists("api:models").await.unwrap());

    // What users chose means itself.
    for name in ["*", "a", "b?", r"\", "[a]"] {
        pond.set(format!("file:{name}"), &1, ttl::SHORT)
            .await
            .unwrap();
    }
    for name in ["*", "b?", r"\", "[a]"] {
        let pattern = format!("file:{}", Pattern::escape(name));
        assert_eq!(pond.invalidate_pattern(pattern).await.unwrap(), 1, "{name}");
    }
    assert!(pond.exists("file:a").await.unwrap());
}

async fn a_pattern_that_matches_everything_is_refused(pond: &Millpond) {
    pond.set("a:b", &1, ttl::SHORT).await.unwrap();
    for pattern in ["", "*", "**", "*:*", "?*", "[a-z]*", "*[^x]*", "[", ":"] {
        let error = pond.invalidate_pattern(pattern).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue, "{pattern}");
        assert!(error.to_string().contains("user:*"), "{error}");
    }
    assert!(pond.exists("a:b").await.unwrap());
    assert_eq!(pond.invalidate_pattern("*b").await.unwrap(), 1);
}

async fn a_pattern_under_a_key_that_did_not_render_removes_nothing(pond: &Millpond) {
    struct Broken;
    impl std::fmt::Display for Broken {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("4").and(Err(std::fmt::Error))
        }
    }
    pond.set("user:4:posts", &1, ttl::SHORT).await.unwrap();
    let id = Broken;
    let pattern = Pattern::under(key!("user:<id>"));
    let refused = pond.invalidate_pattern(pattern).await;
    assert_eq!(kind(refused), ErrorKind::InvalidKey);
    let unnamed = pond.invalidate_pattern(Pattern::under("")).await;
    assert_eq!(kind(unnamed), ErrorKind::InvalidKey);
    assert!(pond.exists("user:4:posts").await.unwrap());
}

async fn a_pattern_leaves_guards_and_a_namespace_alone(pond: &Millpond) {
    pond.delete("user:{7}:posts").await.unwrap();
    assert!(pond.exists("user:{7}:posts:guard").await.unwrap());
    pond.set("user:{7}:name", &1, ttl::SHORT).await.unwrap();
    assert_eq!(pond.invalidate_pattern("user:*").await.unwrap(), 1);
    assert!(pond.exists("user:{7}:posts:guard").await.unwrap());
}

async fn a_pattern_leaves_the_numbers_of_locks(pond: &Millpond) {
    // As a holder whose clock is far ahead would leave it.
    let ahead = ["SET", "lock:{7}:fence", "8000000000000000"];
    pond.command(ahead).await.unwrap();
    let guard = pond.lock("lock:{7}", ttl::SHORT).await.unwrap();
    let number = guard.fencing_token();
    assert_eq!(pond.invalidate_pattern("lock:*").await.unwrap(), 1);
    assert!(!guard.release().await.unwrap(), "the pattern matched it");
    let next = pond.lock("lock:{7}", ttl::SHORT).await.unwrap();
    assert_eq!(next.fencing_token(), number + 1);
}

#[tokio::test]
async fn a_pattern_stays_in_its_namespace() {
    let pond = Millpond::builder().namespace("a*").build().unwrap();
    pond.set("user:1", &1, ttl::SHORT).await.unwrap();
    for key in ["ab:user:1", "user:1"] {
        pond.command(["SET", key, "1"]).await.unwrap();
    }
    assert_eq!(pond.invalidate_pattern("user:*").await.unwrap(), 1);
    for key in ["ab:user:1", "user:1"] {
        let left = pond.command(["EXISTS", key]).await.unwrap();
        assert_eq!(left, Reply::Int(1), "{key}");
    }
}

async fn a_pattern_undoes_loads_under_way_here(pond: &Millpond) {
    within_a_minute(async {
        let (source, mut bodies) = source();
        let early = source.clone();
        let first = pond.spawn(async move { slow(1, &early).await });
        let body = bodies.next().await;
        pond.invalidate_pattern("slow:*").await.unwrap();
        let second = pond.spawn(async move { slow(1, &source).await });
        let later = bodies.next().await;
        later.answer(2);
        assert_eq!(second.await.unwrap(), 2);
        body.answer(1);
        assert_eq!(first.await.unwrap(), 1);
        assert_eq!(pond.get::<u32>("slow:1").await.unwrap(), Some(2));
    })
    .await;
}

async fn a_pattern_walks_through_thousands_of_keys(pond: &Millpond) {
    let entries = (0..2_500).map(|n| (format!("many:{n}"), n));
    pond.set_many(entries, ttl::LONG).await.unwrap();
    pond.set("other", &1, ttl::LONG).await.unwrap();
    assert_eq!(pond.invalidate_pattern("many:*").await.unwrap(), 2_500);
    assert!(pond.exists("other").await.unwrap());
}

async fn a_transaction_runs_as_one(pond: &Millpond) {
    let transfers = (0..50).map(|_| async {
        let results = pond
            .transaction()
            .command(["INCR", "n"])
            .command(["INCR", "n"])
            .command(["GET", "n"])
            .send()
            .await
            .unwrap();
        let replies: Vec<i64> = results
            .into_iter()
            .map(|result| result.unwrap().parse().unwrap())
            .collect();
        assert_eq!(replies[1], replies[0] + 1, "nobody came in between");
        assert_eq!(replies[2], replies[1]);
        replies[2]
    });
    let others = (0..50).map(|_| pond.increment("n", 2, None));
    let (mut sums, others) = tokio::join!(join_all(transfers), join_all(others));
    sums.extend(others.into_iter().map(Result::unwrap));
    sums.sort_unstable();
    assert_eq!(sums, (1..=100).map(|n| n * 2).collect::<Vec<i64>>());
    assert!(pond.transaction().send().await.unwrap().is_empty());
}

async fn a_transaction_with_a_mistake_runs_not_at_all(pond: &Millpond) {
    for mistake in [vec!["NONSENSE"], vec!["SET", "k"], vec![]] {
        let transaction = pond.transaction().command(["SET", "a", "1"]);
        let discarded = transaction.command(mistake.clone()).send().await;
        let error = discarded.unwrap_err();
        assert!(
            !matches!(
                error.kind(),
                ErrorKind::OutcomeUnknown | ErrorKind::Protocol
            ),
            "{mistake:?}: {error:?}"
        );
        assert!(!pond.exists("a").await.unwrap(), "{mistake:?}");
    }
}

async fn a_failure_inside_a_transaction_harms_no_neighbour(pond: &Millpond) {
    let results = pond
        .transaction()
        .command(["SET", "name", "Ada"])
        .command(["RPUSH", "name", "x"])
        .command(["INCR", "name"])
        .command(["GET", "name"])
        .command(["MGET", "name", "nobody"])
        .send()
        .await
        .unwrap();
    assert_eq!(results.len(), 5);
    let error = results[1].as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongType);
    assert_eq!(
        results[2].as_ref().unwrap_err().to_string(),
        "ERR value is not an integer or out of range"
    );
    assert_eq!(results[3].as_ref().unwrap(), &Reply::Bulk("Ada".into()));
    let both: Vec<Option<String>> = results[4].clone().unwrap().parse().unwrap();
    assert_eq!(both, [Some("Ada".into()), None]);
}

/// Over RESP they share a connection, on which each answer must stay that to its own command.
async fn no_command_harms_the_callers_beside_it(pond: &Millpond) {
    pond.set("a", &7, ttl::SHORT).await.unwrap();
    let empty = pond.command(Vec::<&str>::new()).await;
    assert_eq!(kind(empty), ErrorKind::InvalidValue);
    for words in [
        vec!["MULTI"],
        vec!["discard"],
        vec!["SELECT", "7"],
        vec!["SUBSCRIBE", "channel"],
        vec!["CLIENT", "REPLY", "OFF"],
        vec!["WATCH", "a"],
        vec!["QUIT"],
    ] {
        let pipeline = pond.pipeline().command(words.clone());
        let replies = pipeline.command(["GET", "a"]).send().await;
        assert!(replies[0].is_err(), "{words:?}: {replies:?}");
        assert_eq!(replies[1], Ok(Reply::Bulk("7".into())), "{words:?}");
        let again = pond.get::<u32>("a").await.unwrap();
        assert_eq!(again, Some(7), "{words:?}");
        let transaction = pond.transaction().command(words.clone());
        let discarded = transaction.command(["SET", "b", "1"]).send().await;
        assert!(discarded.is_err(), "{words:?}: {discarded:?}");
        assert!(!pond.exists("b").await.unwrap(), "{words:?}");
    }
}

async fn replies_become_values(pond: &Millpond) {
    let run = |line: &'static str| pond.command(line.split(' '));
    assert!(run("SET text 12").await.unwrap().parse::<bool>().unwrap());
    assert_eq!(run("GET text").await.unwrap().parse::<u8>().unwrap(), 12);
    assert_eq!(
        run("GET text").await.unwrap().parse::<String>().unwrap(),
        "12"
    );
    assert!(
        (run("INCRBYFLOAT text 0.5")
            .await
            .unwrap()
            .parse::<f64>()
            .unwrap()
            - 12.5)
            .abs()
            < 1e-9
    );
    assert_eq!(
        run("GET none")
            .await
            .unwrap()
            .parse::<Option<u8>>()
            .unwrap(),
        None
    );
    assert!(!run("EXISTS none").await.unwrap().parse::<bool>().unwrap());
    run("HSET ages ada 36 alan 41")
        .await
        .unwrap()
        .parse::<()>()
        .unwrap();
    let ages: BTreeMap<String, u8> = run("HGETALL ages").await.unwrap().parse().unwrap();
    assert_eq!(
        ages,
        BTreeMap::from([("ada".into(), 36), ("alan".into(), 41)])
    );
    let pair: (Option<u8>, Option<u8>) = run("HMGET ages alan eve").await.unwrap().parse().unwrap();
    assert_eq!(pair, (Some(41), None));
    let (cursor, _): (u64, Vec<String>) = run("SCAN 0 COUNT 1000").await.unwrap().parse().unwrap();
    assert_eq!(cursor, 0);
    pond.set("json", &prefs(), ttl::SHORT).await.unwrap();
    assert_eq!(
        run("GET json").await.unwrap().json().unwrap(),
        Some(prefs())
    );
    assert_eq!(
        run("GET none").await.unwrap().json::<Prefs>().unwrap(),
        None
    );
}

async fn a_reply_of_another_shape_is_told(pond: &Millpond) {
    let run = |line: &'static str| pond.command(line.split(' '));
    run("SET secret hunter2").await.unwrap();
    let get = run("GET secret").await.unwrap();
    let errors = [
        get.clone().parse::<u64>().unwrap_err(),
        get.clone().parse::<Vec<String>>().unwrap_err(),
        get.clone().json::<u64>().unwrap_err(),
        get.parse::<(u8, u8)>().unwrap_err(),
        run("GET none")
            .await
            .unwrap()
            .parse::<String>()
            .unwrap_err(),
        run("MGET a b")
            .await
            .unwrap()
            .parse::<(u8, u8, u8)>()
            .unwrap_err(),
        run("DECR below").await.unwrap().parse::<u64>().unwrap_err(),
    ];
    for error in errors {
        assert!(
            matches!(error.kind(), ErrorKind::Decode | ErrorKind::Protocol),
            "{error:?}"
        );
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn keys_are_lent_or_given_away() {
    let pond = Millpond::memory();
    let (owned, lent) = (vec!["a".to_owned(), "b".to_owned()], ["a", "b"]);
    let prices = HashMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]);
    pond.set_many(&prices, ttl::SHORT).await.unwrap();
    let read: [Vec<Option<u32>>; 3] = [
        pond.get_many(&owned).await.unwrap(),
        pond.get_many(&lent).await.unwrap(),
        pond.get_many(lent.iter()).await.unwrap(),
    ];
    assert_eq!(read, [const { [Some(1), Some(2)] }; 3]);
    assert_eq!(pond.delete_many(&lent).await.unwrap(), 2);
}

#[tokio::test]
async fn a_debug_of_a_transaction_shows_no_argument() {
    let pond = Millpond::memory();
    let transaction = pond.transaction().command(["SET", "a", "hunter2"]);
    let shown = format!("{transaction:?}");
    assert!(
        shown.contains("commands: 1") && !shown.contains("hunter2"),
        "{shown}"
    );
}

#[cfg(feature = "upstash")]
mod over_http {
    use super::*;
    use millpond_gateway::{Fault, Matcher, needs_redis};
    use support::{gateway, needs_npm, node, pond};

    #[cached(prefix = "ai", ttl = "1h", key = "<prompt:sha256>")]
    async fn ask(prompt: &str) -> String {
        assert_ne!(prompt, "Was kostet die Wäsche? 🧺", "the answer is cached");
        "hi".to_owned()
    }

    #[tokio::test]
    async fn what_node_counts_locks_and_caches_is_shared() {
        let redis = needs_redis!();
        needs_npm!();
        let gateway = gateway(redis).await;
        let pond = pond(&gateway);
        node("operations.mjs", &["write"], &gateway).await;

        assert_eq!(pond.increment("views:home", 2, None).await.unwrap(), 3);
        assert_eq!(pond.decrement("score:ada", 7, None).await.unwrap(), 3);
        let prefs = pond.hash("prefs:1");
        let read: HashMap<String, serde_json::Value> = prefs.get_all().await.unwrap().unwrap();
        assert_eq!(
            (&read["theme"], &read["wide"]),
            (&"dark".into(), &true.into())
        );
        prefs.set("theme", "light").await.unwrap();
        prefs.set("tags", &["a"]).await.unwrap();
        prefs.increment("size", 1).await.unwrap();
        assert!(
            pond.try_lock("lock:job:1", ttl::SHORT)
                .await
                .unwrap()
                .is_none()
        );
        let _guard = pond.lock("lock:job:2", ttl::SHORT).await.unwrap();
        let (cached, fresh) = pond
            .scope(async {
                (
                    ask("Was kostet die Wäsche? 🧺").await,
                    ask("Say \"hi\"\n").await,
                )
            })
            .await;
        assert_eq!((cached.as_str(), fresh.as_str()), ("Ein Körbchen.", "hi"));

        node("operations.mjs", &["read"], &gateway).await;
    }

    #[tokio::test]
    async fn a_transaction_is_one_request_of_its_own() {
        let gateway = gateway(needs_redis!()).await;
        let pond = pond(&gateway);
        // The server has the script of a counter from here on.
        pond.increment("another", 1, None).await.unwrap();
        gateway.clear();
        let hold = gateway.hold(Matcher::argument("first"));
        let first = pond.spawn({
            let pond = pond.clone();
            async move { pond.command(["SET", "first", "1"]).await }
        });
        hold.arrived().await;
        let calls = (0..6).map(|n| {
            let pond = pond.clone();
            tokio::spawn(async move {
                if n == 3 {
                    let transaction = pond.transaction();
                    let transaction = transaction.command(["INCR", "n"]).command(["INCR", "n"]);
                    drop(transaction.send().await.unwrap());
                } else {
                    pond.increment("n", 1, None).await.unwrap();
                }
            })
        });
        let calls: Vec<_> = calls.collect();
        settle().await;
        hold.release();
        first.await.unwrap().unwrap();
        for call in calls {
            call.await.unwrap();
        }
        let sent: Vec<_> = gateway
            .requests()
            .iter()
            .map(|it| (it.path.clone(), it.commands.len()))
            .collect();
        let expected = [
            ("/pipeline", 1),
            ("/pipeline", 3),
            ("/multi-exec", 2),
            ("/pipeline", 2),
        ];
        assert_eq!(sent, expected.map(|(path, count)| (path.to_owned(), count)));
        assert_eq!(pond.get::<u32>("n").await.unwrap(), Some(7));
    }

    #[tokio::test]
    async fn a_lost_answer_to_a_transaction_or_a_counter_is_not_asked_for_again() {
        let gateway = gateway(needs_redis!()).await;
        let pond = pond(&gateway);
        // The server knows the script of an increment.
        pond.increment("warm", 1, None).await.unwrap();
        gateway.inject("INCR", Fault::ResetAfter);
        let lost = pond.transaction().command(["INCR", "n"]).send().await;
        assert_eq!(kind(lost), ErrorKind::OutcomeUnknown);
        pond.increment("another", 1, None).await.unwrap();
        gateway.inject(Matcher::argument("INCRBY"), Fault::ResetAfter);
        let lost = pond.increment("n", 1, None).await;
        assert_eq!(kind(lost), ErrorKind::OutcomeUnknown);
        assert_eq!(pond.get::<u32>("n").await.unwrap(), Some(2));
        gateway.inject("GET", Fault::ResetAfter);
        let read = pond.transaction().command(["GET", "n"]).send().await;
        assert_eq!(read.unwrap()[0].as_ref().unwrap(), &Reply::Bulk("2".into()));
    }

    /// The value alone would not show that there was a change in between.
    #[tokio::test]
    async fn what_another_process_stored_and_lost_meanwhile_is_not_loaded_over() {
        let gateway = gateway(needs_redis!()).await;
        let (pond, other) = (pond(&gateway), pond(&gateway));
        within_a_minute(async {
            for (id, key) in [(3, "slow:3"), (4, "slow:4")] {
                let (source, mut bodies) = source();
                let load = pond.spawn(async move { slow(id, &source).await });
                let body = bodies.next().await;
                if id == 3 {
                    other.set_many([(key, 7)], ttl::SHORT).await.unwrap();
                } else {
                    other.set(key, &7, ttl::SHORT).await.unwrap();
                }
                other.command(["DEL", key]).await.unwrap();
                body.answer(1);
                assert_eq!(load.await.unwrap(), 1);
                assert_eq!(pond.get::<u32>(key).await.unwrap(), None);
            }
            assert_eq!(pond.stats().prefix("slow").refused, 2);
        })
        .await;
    }

    #[tokio::test]
    async fn keys_that_were_stored_perhaps_are_invalidated() {
        let gateway = gateway(needs_redis!()).await;
        let pond = pond(&gateway);
        pond.set_many([("a", 1), ("b", 2)], ttl::LONG)
            .await
            .unwrap();
        gateway.inject("EVALSHA", Fault::ResetAfter);
        let lost = pond.set_many([("a", 3), ("b", 4)], ttl::LONG).await;
        assert_eq!(kind(lost), ErrorKind::OutcomeUnknown);
        let read: Vec<Option<u32>> = pond.get_many(["a", "b"]).await.unwrap();
        assert_eq!(read, [None, None]);
    }
}

#[tokio::test]
async fn the_embedded_engine_counts_its_batches() {
    let pond = Millpond::memory();
    pond.set("a", &1, ttl::SHORT).await.unwrap();
    let two = pond.pipeline().command(["GET", "a"]).command(["GET", "b"]);
    two.send().await;
    let stats = pond.stats();
    assert_eq!((stats.commands, stats.requests), (3, 2));
}

/// Several keys at once are opened like one.
#[cfg(feature = "compress")]
#[tokio::test]
async fn a_compressed_value_is_one_of_several() {
    #[cached(prefix = "large", key = "<id>", compress)]
    async fn large(id: u32) -> String {
        id.to_string().repeat(2_000)
    }

    let pond = Millpond::memory();
    pond.scope(large(7)).await;
    pond.set("large:8", "small", ttl::SHORT).await.unwrap();
    let stored: String = pond
        .command(["GET", "large:7"])
        .await
        .unwrap()
        .parse()
        .unwrap();
    assert!(stored.len() < 1_000, "{}", stored.len());
    let both: Vec<Option<String>> = pond.get_many(["large:7", "large:8"]).await.unwrap();
    assert_eq!(both, [Some("7".repeat(2_000)), Some("small".to_owned())]);
}

#[tokio::test]
async fn keys_with_any_prefix_do_not_displace_a_function_in_the_statistics() {
    #[millpond::cached(prefix = "of_a_function", key = "<id>")]
    async fn of_a_function(id: u32) -> u32 {
        id
    }
    let pond = Millpond::memory();
    for prefix in 0..1_500 {
        pond.exists(format!("user-{prefix}:1")).await.unwrap();
    }
    pond.scope(of_a_function(1)).await;
    assert_eq!(pond.stats().prefix("of_a_function").loads, 1);
    assert!(pond.stats().prefixes().count() < 1_100);
}
