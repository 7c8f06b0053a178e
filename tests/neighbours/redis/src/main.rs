//! The features of `redis` change its types: a big number is text or `BigInt`, a map is one of three.

fn main() {
    let _ = redis::Value::BigNumber(5.into());
    let _ = millpond::Millpond::builder()
        .redis("redis://127.0.0.1")
        .build();
}
