use millpond::Millpond;
use std::time::Duration;

fn main() -> Result<(), millpond::Error> {
    let pond = Millpond::builder()
        .upstash("https://your-instance.upstash.io", "your-token")
        .auto_pipelining(true) // the next four are the defaults
        .retries(5)
        .backoff(Duration::from_millis(50))
        .read_your_writes(true)
        .namespace("staging")
        .build()?;
    millpond::install(pond)
}
