//! What happens to a key while a call reads it that nobody else has asked for, over both protocols.

#![cfg(all(feature = "upstash", feature = "redis"))]

mod support;

use millpond::{CallStatus, Millpond, cached, with_status};
use millpond_gateway::{Database, Gateway, Hold, Relay, needs_redis};
use std::convert::Infallible;
use support::source::{Source, source};
use support::{LONG, settle, within_a_minute};
use tokio::task::JoinHandle;

#[cached(prefix = "seen", key = "<id>", skip(source))]
async fn read(id: u32, source: &Source<Option<u32>>) -> Result<u32, Infallible> {
    Ok(source.answer().await.expect("the test wants a panic"))
}

/// A server behind what holds its answers.
enum Front {
    Rest(Gateway),
    Resp(Relay, Database),
}

impl Front {
    fn hold(&self, command: &str) -> Hold {
        match self {
            Self::Rest(front) => front.hold(command),
            Self::Resp(front, _) => front.hold(command),
        }
    }

    fn reads(&self) -> usize {
        let requests = match self {
            Self::Rest(front) => front.requests(),
            Self::Resp(front, _) => front.requests(),
        };
        requests.iter().filter(|it| it.has_command("MGET")).count()
    }

    fn pond(&self) -> Millpond {
        let builder = match self {
            Self::Rest(front) => Millpond::builder().upstash(front.url(), front.token()),
            Self::Resp(_, database) => Millpond::builder().redis(database.url()),
        };
        builder.budget(LONG).build().unwrap()
    }
}

/// Runs a test with a process of which a change and a read have come to their end, so that calls read by themselves.
macro_rules! over_both {
    ($($name:ident)*) => {
        $(
            mod $name {
                use super::*;

                #[tokio::test]
                async fn over_rest() {
                    let redis = needs_redis!();
                    let gateway = Gateway::start(&redis.database()).await.unwrap();
                    run(Front::Rest(gateway)).await;
                }

                #[tokio::test]
                async fn over_resp() {
                    let redis = needs_redis!();
                    let relay = Relay::start(redis.port()).await.unwrap();
                    let database = redis.database().behind(relay.port());
                    run(Front::Resp(relay, database)).await;
                }

                async fn run(front: Front) {
                    let pond = front.pond();
                    let (source, bodies) = source();
                    bodies.answer_all(Some(0));
                    within_a_minute(pond.scope(async {
                        for id in [1_000, 1_001] {
                            pond.delete(format!("seen:{id}")).await.unwrap();
                            read(id, &source).await.unwrap();
                            read(id, &source).await.unwrap();
                        }
                        super::$name(&front, &pond).await;
                    }))
                    .await;
                }
            }
        )*
    };
}

over_both! {
    an_invalidation_makes_a_read_that_found_nothing_read_again
    an_invalidation_lets_a_read_return_what_it_found
    who_joins_shares_the_body_and_reads_nothing
    who_joins_reads_after_a_hit
    who_goes_away_hands_over_to_who_has_joined
    garbage_is_loaded_anew_by_the_same_read
}

/// A call in a task of its own.
fn call(
    pond: &Millpond,
    source: &Source<Option<u32>>,
    id: u32,
) -> JoinHandle<Result<u32, Infallible>> {
    let source = source.clone();
    pond.spawn(async move { read(id, &source).await })
}

/// An invalidation; one that has begun over RESP, where it is answered behind what is held.
async fn changed(front: &Front, pond: &Millpond) -> JoinHandle<()> {
    let own = pond.clone();
    let change = tokio::spawn(async move {
        own.delete("seen:1").await.unwrap();
    });
    match front {
        Front::Rest(_) => support::until(async || change.is_finished()).await,
        Front::Resp(..) => settle().await,
    }
    change
}

async fn an_invalidation_makes_a_read_that_found_nothing_read_again(
    front: &Front,
    pond: &Millpond,
) {
    let (source, mut bodies) = source();
    let before = front.reads();
    let hold = front.hold("MGET");
    let reader = call(pond, &source, 1);
    hold.arrived().await;
    let change = changed(front, pond).await;
    assert_eq!(bodies.count(), 0);
    hold.release();
    change.await.unwrap();
    bodies.next().await.answer(Some(7));
    assert_eq!(reader.await.unwrap(), Ok(7));
    assert_eq!(front.reads() - before, 2);
    // It was stored, by the guard that the second read saw; unless the answer to the change came when that had left.
    if let Front::Rest(_) = front {
        let again = with_status(read(1, &source)).await;
        assert!(
            matches!(again, (Ok(7), CallStatus::Hit { .. })),
            "{again:?}"
        );
        assert_eq!(pond.stats().cache.refused, 0);
    }
}

async fn an_invalidation_lets_a_read_return_what_it_found(front: &Front, pond: &Millpond) {
    let (source, mut bodies) = source();
    pond.set("seen:1", &6, millpond::ttl::LONG).await.unwrap();
    let hold = front.hold("MGET");
    let early = call(pond, &source, 1);
    hold.arrived().await;
    let change = changed(front, pond).await;
    let late = call(pond, &source, 1);
    hold.release();
    change.await.unwrap();
    // The first call began before the change, the second one behind it.
    assert_eq!(early.await.unwrap(), Ok(6));
    bodies.next().await.answer(Some(7));
    assert_eq!(late.await.unwrap(), Ok(7));
}

async fn who_joins_shares_the_body_and_reads_nothing(front: &Front, pond: &Millpond) {
    let (source, mut bodies) = source();
    let before = (front.reads(), pond.stats().cache.shared);
    let hold = front.hold("MGET");
    let first = call(pond, &source, 1);
    hold.arrived().await;
    let others: Vec<_> = (0..50).map(|_| call(pond, &source, 1)).collect();
    settle().await;
    hold.release();
    bodies.next().await.answer(Some(7));
    assert_eq!(first.await.unwrap(), Ok(7));
    for other in others {
        assert_eq!(other.await.unwrap(), Ok(7));
    }
    assert_eq!(bodies.count(), 0);
    assert_eq!(front.reads() - before.0, 1);
    assert_eq!(pond.stats().cache.shared - before.1, 50);
}

async fn who_joins_reads_after_a_hit(front: &Front, pond: &Millpond) {
    let (source, _bodies) = source();
    pond.set("seen:1", &6, millpond::ttl::LONG).await.unwrap();
    let before = front.reads();
    let hold = front.hold("MGET");
    let first = call(pond, &source, 1);
    hold.arrived().await;
    let others: Vec<_> = (0..50).map(|_| call(pond, &source, 1)).collect();
    settle().await;
    hold.release();
    assert_eq!(first.await.unwrap(), Ok(6));
    for other in others {
        assert_eq!(other.await.unwrap(), Ok(6));
    }
    // They came when the first one had left, so one of them reads for all.
    assert_eq!(front.reads() - before, 2);
}

async fn who_goes_away_hands_over_to_who_has_joined(front: &Front, pond: &Millpond) {
    let (source, mut bodies) = source();
    let hold = front.hold("MGET");
    let first = call(pond, &source, 1);
    hold.arrived().await;
    let other = call(pond, &source, 1);
    settle().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    hold.release();
    bodies.next().await.answer(Some(7));
    assert_eq!(other.await.unwrap(), Ok(7));
    // Alone, nobody is left behind it.
    let hold = front.hold("MGET");
    let alone = call(pond, &source, 2);
    hold.arrived().await;
    alone.abort();
    assert!(alone.await.unwrap_err().is_cancelled());
    hold.release();
    bodies.answer_all(Some(8));
    assert_eq!(read(2, &source).await, Ok(8));
}

async fn garbage_is_loaded_anew_by_the_same_read(front: &Front, pond: &Millpond) {
    let (source, bodies) = source();
    bodies.answer_all(Some(7));
    for (number, garbage) in ["no JSON", "{}", "{\"millpond\":1}"].iter().enumerate() {
        let id = u32::try_from(number).unwrap();
        let set = ["SET", &format!("seen:{id}"), garbage].map(str::to_owned);
        pond.command(set).await.unwrap();
        let before = (front.reads(), pond.stats().cache);
        let (value, status) = with_status(read(id, &source)).await;
        assert_eq!((value, status), (Ok(7), CallStatus::Loaded), "{garbage}");
        let after = pond.stats().cache;
        assert_eq!(front.reads() - before.0, 1, "{garbage}");
        assert_eq!(
            (
                after.misses - before.1.misses,
                after.decode_failures - before.1.decode_failures,
                after.hits - before.1.hits,
            ),
            (1, 1, 0),
            "{garbage}"
        );
        assert_eq!(read(id, &source).await, Ok(7));
    }
}
