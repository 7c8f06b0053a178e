//! `rustls` with ring alone, and TLS to a server that hangs up. No provider is installed for the process.

use millpond::{ErrorKind, Millpond};
use rustls::crypto::CryptoProvider;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Millpond::builder()
        .upstash("https://example-12345.upstash.io", "token")
        .build()
        .unwrap();
    refused_by_a_server_without_tls().await;
    assert!(
        CryptoProvider::get_default().is_none(),
        "a provider was installed"
    );
    let _ = rustls::ClientConfig::builder();
}

async fn refused_by_a_server_without_tls() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    for scheme in ["rediss", "REDISS"] {
        let builder = Millpond::builder().redis(format!("{scheme}://127.0.0.1:{port}"));
        let pond = builder.retries(0).build().unwrap();
        let error = pond.get::<String>("k").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("could not connect"), "{error}");
    }
}
