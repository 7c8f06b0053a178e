//! A cached function's future is its body's and a constant more, so that cached functions that call
//! cached functions stay small.

use millpond::{Millpond, cached, invalidates, ttl, updates};

#[cached(prefix = "large")]
async fn large(id: u32) -> u32 {
    let kept = [id; 1024];
    tokio::task::yield_now().await;
    kept[0]
}

#[cached(prefix = "level-1")]
async fn one(id: u32) -> u32 {
    large(id).await
}

#[cached(prefix = "level-2")]
async fn two(id: u32) -> u32 {
    one(id).await
}

#[invalidates(two(id))]
async fn change(id: u32) -> u32 {
    two(id).await
}

#[updates(two(id))]
async fn replace(id: u32) -> u32 {
    two(id).await
}

async fn uncached(id: u32) -> u32 {
    let kept = [id; 1024];
    tokio::task::yield_now().await;
    kept[0]
}

#[test]
fn a_future_is_its_body_and_a_constant() {
    let pond = Millpond::memory();
    let load = async || Ok::<_, std::fmt::Error>(two(1).await);
    let sizes = [
        size_of_val(&uncached(1)),
        size_of_val(&large(1)),
        size_of_val(&one(1)),
        size_of_val(&two(1)),
    ];
    for step in sizes.windows(2) {
        assert!(step[1] <= step[0] + 256, "{sizes:?}");
    }
    for around_two in [
        size_of_val(&change(1)),
        size_of_val(&replace(1)),
        size_of_val(&pond.get_or_set("level:3", ttl::SHORT, load)),
    ] {
        assert!(around_two <= size_of_val(&two(1)) + 768, "{around_two}");
    }
}

#[tokio::test]
async fn nested_calls_fit_on_a_stack() {
    let pond = Millpond::memory();
    assert_eq!(pond.scope(change(7)).await, 7);
    assert_eq!(pond.scope(replace(7)).await, 7);
    // All three, and the outermost again after its invalidation.
    assert_eq!(pond.stats().cache.loads, 4);
}
