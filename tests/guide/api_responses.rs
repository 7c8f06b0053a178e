use millpond::cached;

#[cached(prefix = "api", ttl = "long", key = "models:<kind?>:<page>")]
async fn models(kind: Option<&str>, page: u32) -> Vec<String> {
    vec![format!("{kind:?} {page}")]
}

#[cached(prefix = "user", key = "<user_id>:preferences")]
async fn preferences(user_id: u64) -> Vec<String> {
    vec!["dark".to_owned()]
}

/// The same for all users.
#[cached(prefix = "config", ttl = "long", key = "global")]
async fn global_config() -> Vec<String> {
    vec!["on".to_owned()]
}

#[tokio::main]
async fn main() {
    models(Some("image"), 1).await;
    assert_eq!(
        models::entry(Some("image"), 1).key().as_str(),
        "api:models:image:1"
    );
    assert_eq!(models::entry(None, 1).key().as_str(), "api:models:%-:1");
    assert_eq!(preferences::entry(7).key().as_str(), "user:7:preferences");
    assert_eq!(global_config::entry().key().as_str(), "config:global");
    assert_eq!(preferences(7).await, ["dark"]);
    assert_eq!(global_config().await, ["on"]);
}
