use millpond::key;
use std::time::Duration;

async fn process_with_lock(job_id: u64) -> Result<&'static str, millpond::Error> {
    let pond = millpond::current();
    let lock_ttl = Duration::from_secs(30);
    let Some(guard) = pond.try_lock(key!("lock:job:<job_id>"), lock_ttl).await? else {
        return Ok("the job is already being processed");
    };
    // … the work …
    guard.release().await?;
    Ok("done")
}

#[tokio::main]
async fn main() -> Result<(), millpond::Error> {
    assert_eq!(process_with_lock(7).await?, "done");

    // Waiting for it, with a deadline:
    let pond = millpond::current();
    let lock = pond.lock("lock:job:7", Duration::from_secs(30));
    let guard = lock.wait(Duration::from_secs(5)).await?;
    assert_eq!(
        process_with_lock(7).await?,
        "the job is already being processed"
    );
    drop(guard);
    Ok(())
}
