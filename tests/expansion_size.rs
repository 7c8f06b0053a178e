//! What an attribute adds to a future does not grow with what the body holds.

use millpond::{cached, invalidates, updates};

async fn body(id: usize) -> u8 {
    let held = [0_u8; 1024];
    tokio::task::yield_now().await;
    held.get(id).copied().unwrap_or_default()
}

#[cached(prefix = "one")]
async fn one(id: usize) -> u8 {
    body(id).await
}

#[cached(prefix = "two")]
async fn two(id: usize) -> u8 {
    one(id).await
}

#[invalidates(one(id))]
async fn invalidating(id: usize) -> u8 {
    body(id).await
}

#[invalidates(one(id))]
async fn invalidating_twice(id: usize) -> u8 {
    invalidating(id).await
}

#[updates(one(id))]
async fn updating(id: usize) -> u8 {
    body(id).await
}

#[updates(one(id))]
async fn updating_twice(id: usize) -> u8 {
    updating(id).await
}

/// The first layer stands on the body, the second on the first: each adds the same.
fn assert_layers_add(body: usize, first: usize, second: usize) {
    let (of_the_first, of_the_second) = (first - body, second - first);
    assert!(
        of_the_second <= of_the_first + 64,
        "{of_the_first} bytes, then {of_the_second}"
    );
}

#[test]
fn a_future_holds_its_body_once() {
    let body = size_of_val(&body(1));
    assert_layers_add(body, size_of_val(&one(1)), size_of_val(&two(1)));
    let first = size_of_val(&invalidating(1));
    assert_layers_add(body, first, size_of_val(&invalidating_twice(1)));
    let first = size_of_val(&updating(1));
    assert_layers_add(body, first, size_of_val(&updating_twice(1)));
}
