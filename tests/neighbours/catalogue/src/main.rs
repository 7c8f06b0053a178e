#![forbid(unsafe_code)]
#![deny(warnings)]

use millpond::{cached, invalidates, rate_limited, RateLimited};
use std::fmt::Display;

#[cached(prefix = "number", key = "<id>")]
async fn number(id: impl Display + Send) -> String {
    id.to_string()
}

trait Kind {
    const PREFIX: &'static str;
}

struct Red;
struct Blue;

impl Kind for Red {
    const PREFIX: &'static str = "red";
}

impl Kind for Blue {
    const PREFIX: &'static str = "blue";
}

struct Paint<K>(K);

impl<K: Kind + Sync> Paint<K> {
    #[cached(prefix = Self::NAME, key = "<id>", skip(self))]
    async fn mixed(&self, id: u64) -> u64 {
        id
    }

    const NAME: &'static str = K::PREFIX;

    #[invalidates(self.mixed(id))]
    async fn dry(&self, id: u64) {}
}

#[invalidates(records::record(id), records::shelf(id / 10))]
async fn replace(id: u64) {}

#[rate_limited(limit = 1, per = "1h", id = id)]
async fn export(id: u64) -> Result<u64, RateLimited> {
    Ok(id)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let catalogue = millpond::catalogue();
    let names: Vec<&str> = catalogue.functions.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["catalogue::mixed", "catalogue::number", "records::record"]);

    let record = catalogue.function("record").unwrap();
    assert_eq!(record.key(), "record:<id>");
    assert!(record.place.file.ends_with("records/src/lib.rs"), "{}", record.place);
    let by: Vec<_> = record.invalidated_by.iter().map(|edge| (&*edge.mutation, edge.tag.as_deref())).collect();
    assert_eq!(by, [("catalogue::replace", None), ("catalogue::replace", Some("records::shelf"))]);

    assert_eq!(catalogue.function("mixed").unwrap().prefix, "Self::NAME");
    assert_eq!(catalogue.function("mixed").unwrap().invalidated_by[0].mutation, "catalogue::dry");
    assert!(catalogue.function("nobody_calls").is_none());
    assert!(catalogue.note.contains("never names"));

    let pond = millpond::Millpond::memory();
    pond.scope(async {
        number(7_u8).await;
        number("seven").await;
        Paint(Red).mixed(1).await;
        Paint(Red).dry(1).await;
        Paint(Blue).mixed(1).await;
        records::record(7).await;
        replace(7).await;
        assert!(export(7).await.is_ok());
    })
    .await;
    let catalogue = millpond::catalogue();
    assert_eq!(catalogue.functions.len(), 3, "a generic function stands there once");
    let mixed = catalogue.function("mixed").unwrap();
    let owners: Vec<_> = mixed.instances.iter().flat_map(|it| it.owner.as_deref()).collect();
    assert_eq!(owners, ["catalogue::Paint<catalogue::Blue>", "catalogue::Paint<catalogue::Red>"]);
    catalogue.check().unwrap();
    println!("{catalogue}");
}
