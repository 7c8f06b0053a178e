//! Old values: what is stored, as if time had passed.

use millpond::Millpond;
use std::time::Duration;

/// Makes what is stored under a key this much older.
pub(crate) async fn age(pond: &Millpond, key: &str, by: Duration) {
    let stored = pond.command(["GET", key]).await.unwrap();
    let stored: String = stored.parse().unwrap();
    let (header, payload) = stored.split_once('\n').unwrap();
    let mut header: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(header).unwrap();
    // What envelopes of this version begin with.
    let version = header.remove("millpond").unwrap();
    for name in ["until", "from"] {
        let at = header[name].as_u64().unwrap() - u64::try_from(by.as_millis()).unwrap();
        header.insert(name.to_owned(), at.into());
    }
    let members = serde_json::to_string(&header).unwrap();
    let aged = format!("{{\"millpond\":{version},{}\n{payload}", &members[1..]);
    let aged = ["SET", key, &aged, "KEEPTTL"];
    pond.command(aged).await.unwrap();
}
