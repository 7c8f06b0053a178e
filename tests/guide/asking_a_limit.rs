use millpond::limit;

#[tokio::main]
async fn main() -> Result<(), millpond::Error> {
    let identifier = limit::identifier(Some("ada"), None);
    let limiter = millpond::current().limiter(&limit::API);
    limiter.check(&identifier).await?;
    let peek = limiter.peek(&identifier).await?; // takes nothing
    println!(
        "{identifier}: {:?} of {:?}, {:?}",
        peek.remaining(),
        peek.limit(),
        peek.reset()
    );
    assert_eq!(
        (peek.outcome(), peek.remaining()),
        (limit::Outcome::Allowed, Some(99))
    );
    Ok(())
}
