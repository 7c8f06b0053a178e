mod domain {
    pub mod prefix {
        pub const PAYMENT: &str = "payment";
        pub const ANALYTICS: &str = "analytics";
    }

    pub mod ttl {
        use std::time::Duration;

        pub const REALTIME: Duration = Duration::from_secs(10);
        pub const MONTH: Duration = Duration::from_secs(30 * 86_400);
    }

    pub mod limit {
        use millpond::limit::Limit;
        use std::time::Duration;

        pub const WEBHOOK: Limit = Limit::sliding_window("WEBHOOK", 50, Duration::from_secs(60));
        pub const EXPORT: Limit = Limit::sliding_window("EXPORT", 3, Duration::from_secs(3_600));
    }
}

use domain::{limit, prefix, ttl};
use millpond::{RateLimited, cached, key, rate_limited};

#[cached(prefix = prefix::PAYMENT, ttl = ttl::REALTIME, key = "invoice:<invoice_id>")]
async fn invoice(invoice_id: &str) -> Option<u64> {
    Some(1999)
}

#[rate_limited(kind = limit::EXPORT, id = user_id)]
async fn export(user_id: u64) -> Result<String, RateLimited> {
    Ok("data".to_owned())
}

#[tokio::main]
async fn main() -> Result<(), millpond::Error> {
    assert_eq!(invoice("inv_123").await, Some(1999));
    assert_eq!(
        invoice::entry("inv_123").key().as_str(),
        "payment:invoice:inv_123"
    );
    let (pond, country) = (millpond::current(), "de");
    pond.set(key!(prefix::ANALYTICS, "ref:<country>"), &1, ttl::MONTH)
        .await?;
    for _ in 0..3 {
        assert!(export(1).await.is_ok());
    }
    assert!(export(1).await.is_err());
    assert!(
        pond.limiter(&limit::WEBHOOK)
            .check("stripe")
            .await?
            .is_allowed()
    );
    Ok(())
}
