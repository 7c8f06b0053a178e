//! `reqwest` without TLS and `rustls` with its defaults, beside millpond with its defaults or, with the
//! argument `two-providers`, with every feature: then this program has ring and aws-lc-rs.

use millpond::{cached, Millpond};
use rustls::crypto::CryptoProvider;

#[cached(prefix = "user", key = "<id>")]
async fn get_user(id: u64) -> Result<u64, String> {
    Ok(id)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let two_providers = std::env::args().any(|arg| arg == "two-providers");
    let builder = Millpond::builder().upstash("http://127.0.0.1:9", "token");
    let pond = builder.retries(0).build().unwrap();
    assert_eq!(pond.scope(get_user(7)).await, Ok(7));
    Millpond::builder()
        .upstash("https://example-12345.upstash.io", "token")
        .build()
        .unwrap();

    let _ = reqwest::Client::new();
    assert!(
        CryptoProvider::get_default().is_none(),
        "a provider was installed"
    );
    if !two_providers {
        let _ = rustls::ClientConfig::builder();
    }
}
