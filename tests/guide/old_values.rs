use millpond::{CallStatus, ManualClock, Millpond, cached, with_status};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

static RATE: AtomicU64 = AtomicU64::new(110);
static IS_DOWN: AtomicBool = AtomicBool::new(false);

// Fresh for a minute. For an hour after that the old rate is returned at once while one call loads the next; for a day, if the
// bank does not answer, or not within 200 ms.
#[cached(
    prefix = "rate",
    key = "<currency>",
    ttl = "1m",
    jitter = 0,
    stale_while_revalidate = "1h",
    stale_if_error = "1d",
    soft_timeout = "200ms"
)]
async fn exchange_rate(currency: &str) -> Result<u64, String> {
    if IS_DOWN.load(Ordering::Relaxed) {
        return Err(format!("no rate of {currency}"));
    }
    Ok(RATE.load(Ordering::Relaxed))
}

// Loaded again in the background from four fifths of its lifetime on, so that a busy key never runs out.
#[cached(prefix = "banner", ttl = "1m", refresh_ahead = 0.8)]
async fn banner() -> String {
    "Welcome".to_owned()
}

#[tokio::main]
async fn main() -> Result<(), millpond::Error> {
    let clock = ManualClock::new(); // a service has none
    let pond = Millpond::builder().memory().clock(clock.clone()).build()?;
    pond.scope(async {
        assert_eq!(exchange_rate("eur").await, Ok(110));
        banner().await;

        RATE.store(112, Ordering::Relaxed);
        clock.advance(Duration::from_secs(61));
        let (rate, status) = with_status(exchange_rate("eur")).await; // at once
        assert_eq!((rate, status.as_str()), (Ok(110), "stale"));
        assert_eq!(status.age(), Some(Duration::from_secs(61))); // for a header `Age`, or a note on the page
        pond.flush().await?; // waits for what runs in the background, as at the end of a process
        assert_eq!(exchange_rate("eur").await, Ok(112));

        IS_DOWN.store(true, Ordering::Relaxed);
        clock.advance(Duration::from_secs(2 * 3_600));
        assert_eq!(exchange_rate("eur").await, Ok(112)); // the body failed
        exchange_rate::invalidate("eur").await?;
        let (rate, status) = with_status(exchange_rate("eur")).await;
        assert!(rate.is_err()); // what was invalidated is never returned
        assert_eq!(status, CallStatus::Loaded);

        assert_eq!(pond.stats().prefix("rate").stale, 2);
        Ok(())
    })
    .await
}
