use millpond::{Millpond, TimeLeft, ttl};

#[tokio::main]
async fn main() -> Result<(), millpond::Error> {
    let pond = Millpond::builder().namespace("staging").build()?;
    pond.set("user:123", "Ada", ttl::MEDIUM).await?;
    pond.delete("user:123").await?;
    assert!(!pond.exists("user:123").await?);
    assert_eq!(pond.ttl("user:123").await?, TimeLeft::Missing);

    let explanation = pond.explain("user:123").await?;
    println!("{explanation}"); // the key with its namespace, what is there, what happened to it
    assert!(explanation.to_string().contains("staging:user:123"));
    assert!(!explanation.exists());
    Ok(())
}
