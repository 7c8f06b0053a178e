//! Large values are packed, encrypted and hashed beside the runtime's threads: other tasks of the thread go on.

use millpond::{Entry, Millpond, cached};
use std::cell::Cell;
use std::rc::Rc;
use tokio::task::LocalSet;

/// A text that takes its time to be compressed, and becomes smaller.
fn large(seed: u64) -> String {
    let mut state = seed | 1;
    let digit = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'0' + u8::try_from(state % 10).unwrap_or_default())
    };
    std::iter::repeat_with(digit).take(1 << 19).collect()
}

#[cached(prefix = "plain", key = "<seed>")]
async fn plain(seed: u64) -> String {
    large(seed)
}

#[cfg(feature = "compress")]
#[cached(prefix = "packed", key = "<seed>", compress)]
async fn packed(seed: u64) -> String {
    large(seed)
}

#[cfg(feature = "encrypt")]
#[cached(prefix = "sealed", key = "<seed>", encrypt)]
async fn sealed(seed: u64) -> String {
    large(seed)
}

/// How often another task of this thread gets its turn meanwhile.
async fn turns<T>(during: impl Future<Output = T>) -> (u64, T) {
    let turns = Rc::new(Cell::new(0));
    let counter = Rc::clone(&turns);
    let other = tokio::task::spawn_local(async move {
        loop {
            counter.set(counter.get() + 1);
            tokio::task::yield_now().await;
        }
    });
    let result = during.await;
    other.abort();
    (turns.get(), result)
}

/// In the embedded engine nothing waits for a network: whatever is done on this thread leaves no turn to others.
async fn lets_others_run(load: impl Future<Output = String>, entry: Entry<String>, sure: u64) {
    let (filling, loaded) = turns(load).await;
    let (reading, found) = turns(entry.get()).await;
    assert_eq!(found.unwrap().into_value(), Some(loaded));
    let (putting, put) = turns(entry.put(&large(7))).await;
    put.unwrap();
    for count in [filling, reading, putting] {
        assert!(
            count >= sure,
            "{filling} turns for the fill, {reading} for the read, {putting} for the put"
        );
    }
}

#[tokio::test]
async fn other_tasks_of_the_thread_go_on() {
    let pond = Millpond::builder();
    #[cfg(feature = "encrypt")]
    let pond = pond.encryption_key("a", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=");
    let pond = pond.build().unwrap();
    let tasks = LocalSet::new();
    let all = pond.scope(async {
        // What is known to take no time may leave no turn.
        lets_others_run(plain(1), plain::entry(1), 0).await;
        #[cfg(feature = "compress")]
        lets_others_run(packed(1), packed::entry(1), 20).await;
        #[cfg(feature = "encrypt")]
        lets_others_run(sealed(1), sealed::entry(1), 20).await;
    });
    tasks.run_until(all).await;
}
