//! A function beside a module or an import that has the name of its companion.
#![deny(warnings)]
use millpond::cached;

mod config {
    pub(crate) const LIMIT: u64 = 5;
}

mod uuid {
    #[derive(Clone, Copy)]
    pub(crate) struct Uuid(pub(crate) u64);
}
use uuid::Uuid;

#[cached(prefix = "config", companion = "config_of")]
async fn config(id: u64) -> u64 {
    id + config::LIMIT
}

#[cached(prefix = "uuid", companion = "uuid_of")]
async fn uuid_text(id: u64) -> String {
    let Uuid(number) = Uuid(id);
    number.to_string()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let pond = millpond::Millpond::memory();
    pond.scope(async {
        assert_eq!((config(1).await, uuid_text(2).await), (6, "2".to_owned()));
        config_of::invalidate(1).await.unwrap();
        assert!(!config_of::entry(1).exists().await.unwrap());
        assert!(uuid_of::entry(2).exists().await.unwrap());
    })
    .await;
}
