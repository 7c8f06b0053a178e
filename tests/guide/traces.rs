use millpond::cached;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

#[cached(prefix = "user", ttl = "medium", key = "<user_id>")]
async fn get_user(user_id: u64) -> String {
    format!("user {user_id}")
}

#[tokio::main]
async fn main() {
    // The spans of loads, and nothing else of their level.
    let wanted = Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("millpond::load", LevelFilter::DEBUG);
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer())
        .with(wanted)
        .init();

    assert_eq!(get_user(42).await, "user 42");
}
