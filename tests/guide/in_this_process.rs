use millpond::{cached, invalidates};
use std::sync::Arc;

// Neither `Serialize` nor `async`: what a hit returns is a clone of the `Arc`.
struct Prices(Vec<(&'static str, u64)>);

#[cached(local = "only", ttl = "1h", key = "<country>")]
fn prices(country: &str) -> Result<Arc<Prices>, std::num::ParseIntError> {
    let parsed = "995".parse()?; // stands for a file that is read and parsed
    Ok(Arc::new(Prices(vec![("coffee", parsed)])))
}

#[invalidates(prices(country))]
async fn change_price(country: &str, cents: u64) -> Result<(), std::io::Error> {
    Ok(())
}

#[tokio::main]
async fn main() {
    let first = prices("fr").expect("a number"); // runs the body
    let second = prices("fr").expect("a number"); // does not
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(first.0[0], ("coffee", 995));

    change_price("fr", 1_050).await.expect("the file is written");
    assert!(!prices::entry("fr").exists());

    prices::invalidate("fr"); // by hand, without `await`
    assert_eq!(millpond::current().stats().commands, 0); // nothing left the process
}
