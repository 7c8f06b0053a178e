//! Both remote engines without TLS: plain addresses work, others say what to add.

use millpond::{cached, ErrorKind, Millpond};

#[cached(prefix = "user", key = "<id>")]
async fn get_user(id: u64) -> Result<u64, String> {
    Ok(id)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let pond = Millpond::builder()
        .upstash("http://127.0.0.1:9", "token")
        .retries(0)
        .build();
    assert_eq!(pond.unwrap().scope(get_user(7)).await, Ok(7));
    let pond = Millpond::builder()
        .redis("redis://127.0.0.1:9")
        .retries(0)
        .build();
    assert_eq!(pond.unwrap().scope(get_user(7)).await, Ok(7));

    let https = Millpond::builder().upstash("https://example-12345.upstash.io", "token");
    let rediss = Millpond::builder().redis("rediss://127.0.0.1");
    for (builder, scheme) in [(https, "https"), (rediss, "rediss")] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(scheme), "{error}");
        assert!(error.to_string().contains("feature `tls`"), "{error}");
    }
}
