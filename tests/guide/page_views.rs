use millpond::{key, ttl};

async fn increment_page_view(page: &str) -> Result<i64, millpond::Error> {
    millpond::current()
        .increment(key!("views:<page>"), 1, ttl::WEEK)
        .await
}

async fn page_views(page: &str) -> Result<i64, millpond::Error> {
    Ok(millpond::current()
        .get(key!("views:<page>"))
        .await?
        .unwrap_or(0))
}

#[tokio::main]
async fn main() -> Result<(), millpond::Error> {
    assert_eq!(page_views("home").await?, 0);
    increment_page_view("home").await?;
    increment_page_view("home").await?;
    assert_eq!(page_views("home").await?, 2);
    Ok(())
}
