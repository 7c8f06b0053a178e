//! Prints keys, stored values, envelopes and what is read back. The features of `serde_json` change how it
//! holds numbers and in which order a map keeps its keys: the program must print the same with all of them.
//!
//! What `serde_json` itself cannot read any more with `arbitrary_precision` is not here: floats within
//! `untagged` and internally tagged enums and within `flatten`. Functions with such values run uncached.

use millpond::{cached, key, Millpond};
use serde::{Deserialize, Serialize};
use serde_json::{json, Map, Value};
use std::time::Duration;

const LIFE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Filter {
    zone: String,
    amount: f64,
    count: u64,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "type")]
enum Event {
    Paid { cents: u64, wide: i64 },
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
enum Either {
    Number(u64),
    Text(String),
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Account {
    filter: Filter,
    #[serde(flatten)]
    limits: Limits,
    balance: i64,
    either: Vec<Either>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Limits {
    least: i64,
    most: u64,
}

#[cached(prefix = "plain", key = "<id>")]
async fn plain(id: u64) -> Result<Option<Account>, String> {
    Ok(Some(account(id)))
}

#[cached(prefix = "packed", key = "<id>", compress)]
async fn packed(id: u64) -> Result<Account, String> {
    Ok(account(id))
}

#[cached(prefix = "event", key = "<id>")]
async fn event(id: u64) -> Result<Event, String> {
    Ok(Event::Paid {
        cents: id,
        wide: i64::MIN,
    })
}

#[cached(prefix = "value", key = "<value:sha256>")]
async fn value(value: Value) -> Result<Value, String> {
    Ok(value)
}

fn account(id: u64) -> Account {
    let either = vec![Either::Number(u64::MAX), Either::Text("1".to_owned())];
    let filter = Filter {
        zone: "eu".to_owned(),
        amount: 10.0,
        count: id,
    };
    let limits = Limits {
        least: i64::MIN,
        most: u64::MAX,
    };
    Account {
        filter,
        limits,
        balance: i64::MIN,
        either,
    }
}

fn samples() -> Vec<Value> {
    let mut map = Map::new();
    map.insert(
        "a".to_owned(),
        json!([1.5, -2, u64::MAX, 1e300, null, true]),
    );
    map.insert("z".to_owned(), json!(1.0));
    vec![
        json!(1.0),
        json!(-0.0),
        json!(0.1),
        json!(1e21),
        json!(1e-7),
        json!(u64::MAX),
        json!(i64::MIN),
        json!("1.0"),
        json!("text"),
        json!(true),
        json!([[1.0], {"b": 2.0}]),
        Value::Object(map),
    ]
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let pond = Millpond::memory();
    keys();
    pond.scope(functions()).await;
    values(&pond).await;
    pond.scope(raw(&pond)).await;
    stored(&pond).await;
}

/// A canonical key sorts the members of every map and writes a number in one way.
fn keys() {
    let filter = account(u64::MAX).filter;
    println!("{}", key!("filter:<filter:sha256>"));
    for value in samples() {
        println!("{}", key!("value:<value:sha256>"));
    }
    let parsed: Value =
        serde_json::from_str(r#"{"z":1.0,"a":{"y":12345678901234567890,"b":-1}}"#).unwrap();
    println!("{}", key!("value:<parsed:sha256>"));
}

async fn functions() {
    for _ in 0..2 {
        assert_eq!(plain(u64::MAX).await, Ok(Some(account(u64::MAX))));
        assert_eq!(packed(7).await, Ok(account(7)));
        let paid = Event::Paid {
            cents: u64::MAX,
            wide: i64::MIN,
        };
        assert_eq!(event(u64::MAX).await, Ok(paid));
        for sample in samples() {
            let read = value(sample.clone()).await.unwrap();
            assert_eq!(read.as_f64(), sample.as_f64());
        }
    }
    let stats = millpond::current().stats();
    for prefix in ["plain", "packed", "event", "value"] {
        println!("{:#?}", stats.prefix(prefix));
    }
}

async fn values(pond: &Millpond) {
    for (at, sample) in samples().into_iter().enumerate() {
        let key = format!("set:{at}");
        pond.set(key.as_str(), &sample, LIFE).await.unwrap();
        let read = pond.get::<Value>(key.as_str()).await.unwrap().unwrap();
        println!(
            "{at}: {:?} {:?} {:?}",
            read.as_f64(),
            read.as_u64(),
            read.as_i64()
        );
        println!(
            "{:?}",
            pond.get::<f64>(key.as_str())
                .await
                .map_err(|error| error.kind())
        );
        println!(
            "{:?}",
            pond.get::<u64>(key.as_str())
                .await
                .map_err(|error| error.kind())
        );
        println!(
            "{:?}",
            pond.get::<String>(key.as_str())
                .await
                .map_err(|error| error.kind())
        );
        println!(
            "{:?}",
            pond.get::<Either>(key.as_str())
                .await
                .map_err(|error| error.kind())
        );
        pond.hash("hash").set(key, &sample).await.unwrap();
    }
    println!(
        "{:?}",
        pond.increment("c", 9_007_199_254_740_993, None).await
    );
}

/// What other clients may have written.
async fn raw(pond: &Millpond) {
    for text in [
        "1.0",
        "1",
        "18446744073709551616",
        "-0",
        "1e400",
        "text",
        "\"text\"",
        "null",
        "__NULL__",
        r#"{"zone":"eu","amount":1,"count":2}"#,
        "[1.0,2]",
        "{broken",
    ] {
        pond.command(["SET", "raw", text]).await.unwrap();
        let value = pond.get::<Value>("raw").await.map_err(|error| error.kind());
        let shown = value
            .map(|value| value.map(|value| (value.as_f64(), value.as_u64(), value.is_object())));
        println!("{text}: {shown:?}");
        println!(
            "{:?}",
            pond.get::<String>("raw")
                .await
                .map_err(|error| error.kind())
        );
        println!(
            "{:?}",
            pond.get::<f64>("raw").await.map_err(|error| error.kind())
        );
        println!(
            "{:?}",
            pond.get::<Filter>("raw")
                .await
                .map_err(|error| error.kind())
        );
        println!(
            "{:?}",
            pond.get::<Either>("raw")
                .await
                .map_err(|error| error.kind())
        );
    }
    let deep = "[".repeat(200) + &"]".repeat(200);
    pond.command(["SET", "raw", deep.as_str()]).await.unwrap();
    println!(
        "deep: {:?}",
        pond.get::<Value>("raw")
            .await
            .map_err(|error| error.kind())
            .is_ok()
    );
}

/// Everything that is stored, byte for byte.
async fn stored(pond: &Millpond) {
    let found = pond
        .command(["SCAN", "0", "MATCH", "*", "COUNT", "10000"])
        .await
        .unwrap();
    let (_, keys): (String, Vec<String>) = found.parse().unwrap();
    let mut keys: Vec<String> = keys
        .into_iter()
        .filter(|key| !key.ends_with(":guard"))
        .collect();
    keys.sort();
    for key in keys {
        match pond.command(["GET", key.as_str()]).await {
            Ok(reply) => println!("{key} {reply:?}"),
            Err(_) => println!("{key} {:?}", pond.command(["HGETALL", key.as_str()]).await),
        }
    }
}
