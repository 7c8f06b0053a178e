use millpond::{RateLimited, cached, rate_limited};

// The body runs on a miss only.
#[cached(prefix = "user", ttl = "medium", key = "<user_id>")]
async fn get_user(user_id: u64) -> Option<String> {
    Some(format!("user {user_id}")) // a query
}

// A hundred calls a minute for each user.
#[rate_limited(kind = "API", id = user_id)]
async fn show(user_id: u64) -> Result<Option<String>, RateLimited> {
    Ok(get_user(user_id).await)
}

#[tokio::main]
async fn main() {
    assert_eq!(show(42).await.unwrap().as_deref(), Some("user 42"));
    assert_eq!(show(42).await.unwrap().as_deref(), Some("user 42"));
    let stats = millpond::current().stats();
    assert_eq!(
        (stats.cache.loads, stats.cache.hits, stats.limits.checks),
        (1, 1, 2)
    );
}
