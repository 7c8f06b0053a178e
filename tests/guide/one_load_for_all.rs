use millpond::cached;

#[cached(prefix = "digest", ttl = "1h", key = "<day>", flight = "cluster")]
async fn daily_digest(day: u32) -> Result<String, std::io::Error> {
    // stands for a minute of a model's time
    Ok(format!("what happened on day {day}"))
}

#[tokio::main]
async fn main() -> Result<(), std::io::Error> {
    // However many processes start with this call, one of them runs the body.
    let digest = daily_digest(330).await?;
    assert_eq!(digest, "what happened on day 330");
    Ok(())
}
