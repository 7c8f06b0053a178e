use millpond::ttl;

#[tokio::main]
async fn main() -> Result<(), millpond::Error> {
    let pond = millpond::current();
    let views = pond.increment("post:123:views", 1, None).await?;
    let score = pond.increment("user:123:score", 10, ttl::WEEK).await?; // expires a week after the first
    let credits = pond.decrement("user:123:credits", 1, None).await?;
    assert_eq!((views, score, credits), (1, 10, -1));
    Ok(())
}
