use millpond::{Millpond, cached, invalidates};

#[cached(prefix = "user", key = "<id>")]
async fn user(id: u64) -> Option<String> {
    Some("Ada".to_owned())
}

#[invalidates(user(id))]
async fn rename(id: u64, name: &str) {}

#[tokio::main]
async fn main() {
    let pond = Millpond::memory();
    pond.scope(async {
        user(1).await;
        assert_eq!(pond.stats().cache.loads, 1, "a miss runs the body");
        user(1).await;
        assert_eq!(pond.stats().cache.loads, 1, "a hit does not");
        rename(1, "Grace").await;
        user(1).await;
        assert_eq!(pond.stats().cache.loads, 2, "a mutation invalidates");
    })
    .await;

    // Without the cache, or with one that is misconfigured, the function still answers.
    assert_eq!(pond.bypass(user(1)).await.as_deref(), Some("Ada"));
}
