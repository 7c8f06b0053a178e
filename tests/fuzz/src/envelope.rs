//! Stored values: what anybody may have written under a key.

use futures_executor::block_on;
use millpond::{ErrorKind, Lookup, Millpond, cached, ttl};
use std::cell::OnceCell;

/// Called by nobody: only its entry is of interest, as with the others.
#[cached(prefix = "packed", key = "1", compress, tags("fuzz"))]
pub async fn packed() -> Vec<String> {
    Vec::new()
}

/// Encrypted.
#[cached(prefix = "secret", key = "1", encrypt)]
pub async fn secret() -> Vec<String> {
    Vec::new()
}

/// As it is.
#[cached(prefix = "plain", key = "1")]
pub async fn plain() -> String {
    String::new()
}

fn pond() -> Millpond {
    thread_local! {
        static POND: OnceCell<Millpond> = const { OnceCell::new() };
    }
    let open = || {
        let key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
        let builder = Millpond::builder().memory().encryption_key("k", key);
        builder.build().expect("an embedded engine")
    };
    POND.with(|pond| pond.get_or_init(open).clone())
}

/// What is no value of the type is an error of one kind, and what was put is what is got.
pub fn run(data: &[u8]) {
    let pond = pond();
    block_on(pond.scope(async {
        for key in ["packed:1", "secret:1", "plain:1"] {
            let words = [b"SET".as_slice(), key.as_bytes(), data];
            pond.command(words).await.expect("a stored value");
        }
        for error in [
            packed::entry().get().await.err(),
            secret::entry().get().await.err(),
            plain::entry().get().await.err(),
        ]
        .into_iter()
        .flatten()
        {
            assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
        }
        let is_sealed = data.starts_with(b"{\"millpond\":1,\"aes256gcm\"");
        assert!(
            is_sealed || secret::entry().get().await.is_err(),
            "what is not encrypted is no value"
        );
        if let Ok(text) = std::str::from_utf8(data) {
            // Twice, so that half of it is worth to be compressed.
            let value = vec![text.to_owned(), text.repeat(40)];
            packed::entry().put(&value).await.expect("a value");
            assert_eq!(
                packed::entry().get().await.expect("a value"),
                Lookup::Hit(value.clone())
            );
            secret::entry().put(&value).await.expect("a value");
            assert_eq!(
                secret::entry().get().await.expect("a value"),
                Lookup::Hit(value)
            );
            pond.set("plain:1", text, ttl::SHORT)
                .await
                .expect("a value");
        }
    }));
}
