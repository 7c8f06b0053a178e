use millpond::{Millpond, cached, invalidates};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Serialize, Deserialize)]
struct Flags {
    new_checkout: bool,
}

// Read at every request, changed twice a week: five seconds late in other processes, at once in this one.
#[cached(prefix = "flags", key = "<tenant>", ttl = "1h", local = "5s")]
async fn flags(tenant: &str) -> Result<Option<Arc<Flags>>, std::io::Error> {
    let new_checkout = tenant == "acme"; // stands for the database
    Ok(Some(Arc::new(Flags { new_checkout })))
}

#[invalidates(flags(tenant))]
async fn set_flag(tenant: &str, new_checkout: bool) -> Result<(), std::io::Error> {
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), std::io::Error> {
    let pond = Millpond::memory();
    pond.scope(async {
        flags("acme").await?; // runs the body, and stores what it returns
        let commands = pond.stats().commands;
        for _ in 0..1_000 {
            let flags = flags("acme").await?.expect("a tenant");
            assert!(flags.new_checkout);
        }
        assert_eq!(pond.stats().commands, commands); // nothing was sent
        assert_eq!(pond.stats().prefix("flags").local_hits, 1_000);

        set_flag("acme", false).await?;
        flags("acme").await?; // runs the body again
        assert_eq!(pond.stats().prefix("flags").loads, 2);
        Ok(())
    })
    .await
}
