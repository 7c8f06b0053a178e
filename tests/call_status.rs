//! `with_status`: what a call of a cached function came to, and of which call it speaks. On every engine.

mod support;

use futures_util::FutureExt;
use futures_util::future::{join, join3};
use millpond::{BatchStatus, BypassReason, CallStatus, Millpond, Tier, cached, ttl, with_status};
use millpond::{refresh, uncached};
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use support::aged::age;
use support::source::{Source, source};
use support::{on_every_engine, settle, within_a_minute};

#[derive(Clone, Debug, PartialEq)]
struct Down;

type Answer = Result<u32, Down>;

#[cached(prefix = "user", key = "<id>")]
async fn get_user(id: u64) -> Option<String> {
    (id < 100).then(|| format!("one {id}"))
}

#[cached(batch = ids, of = get_user(ids))]
async fn get_users(ids: &[u64]) -> HashMap<u64, String> {
    let known = ids.iter().filter(|id| **id < 100);
    known.map(|id| (*id, format!("many {id}"))).collect()
}

#[cached(prefix = "outer", key = "<id>")]
async fn outer(id: u64) -> Option<String> {
    get_user(id).await
}

#[cached(prefix = "slow", key = "<id>", skip(source))]
async fn slow(id: u64, source: &Source<Answer>) -> Answer {
    source.answer().await
}

#[cached(batch = ids, of = slow(ids))]
async fn slow_many(ids: &[u64], source: &Source<Answer>) -> Result<HashMap<u64, u32>, Down> {
    let answer = source.answer().await?;
    Ok(ids.iter().map(|id| (*id, answer)).collect())
}

/// Fresh for a minute, with both windows.
#[cached(
    prefix = "rate",
    key = "<id>",
    ttl = "1m",
    jitter = 0,
    stale_while_revalidate = "10m",
    stale_if_error = "1h",
    soft_timeout = "20ms",
    skip(source)
)]
async fn rate(id: u64, source: &Source<Answer>) -> Answer {
    source.answer().await
}

#[cached(batch = ids, of = rate(ids))]
async fn rates(ids: &[u64], source: &Source<Answer>) -> Result<HashMap<u64, u32>, Down> {
    let answer = source.answer().await?;
    Ok(ids.iter().map(|id| (*id, answer)).collect())
}

/// What is refreshed ahead has an age, too, `None` as well.
#[cached(prefix = "early", key = "<id>", ttl = "1h", refresh_ahead = 0.9)]
async fn early(id: u64) -> Option<u64> {
    (id > 1).then_some(id)
}

#[cached(prefix = "rarely", key = "<id>", when = id > 1)]
async fn rarely(id: u64) -> u64 {
    id
}

/// Its key cannot be written.
#[derive(Clone, Copy)]
struct Unwritable;

impl std::fmt::Display for Unwritable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Err(std::fmt::Error)
    }
}

#[cached(prefix = "text", key = "<of>")]
async fn measured(of: Unwritable) -> u64 {
    7
}

/// Calls itself for the key that it is loading, and says what that came to.
#[cached(prefix = "again", key = "<id>", skip(depth))]
async fn again(id: u64, depth: u32) -> String {
    if depth == 0 {
        return "inside".to_owned();
    }
    format!("{:?}", with_status(inside(id, depth - 1)).await.1)
}

fn inside(id: u64, depth: u32) -> Pin<Box<dyn Future<Output = String> + Send>> {
    Box::pin(again(id, depth))
}

const LOADED: CallStatus = CallStatus::Loaded;

#[track_caller]
fn assert_hit(status: CallStatus, tier: Tier, has_age: bool) {
    assert_eq!((status.as_str(), status.tier()), ("hit", Some(tier)));
    assert_eq!(status.age().is_some(), has_age, "{status:?}");
    assert!(status.age() < Some(Duration::from_secs(50)), "{status:?}");
}

#[track_caller]
fn assert_null(status: CallStatus, tier: Tier, has_age: bool) {
    assert_eq!((status.as_str(), status.tier()), ("null", Some(tier)));
    assert_eq!(status.age().is_some(), has_age, "{status:?}");
}

/// Old, and by about as much.
#[track_caller]
fn assert_stale(status: CallStatus, by: Duration) {
    assert_eq!((status.as_str(), status.tier()), ("stale", None));
    let age = status.age().unwrap();
    assert!(age >= by && age < by + Duration::from_secs(50), "{age:?}");
}

const MINUTES: Duration = Duration::from_secs(5 * 60);
const HALF_AN_HOUR: Duration = Duration::from_secs(30 * 60);

async fn a_load_a_hit_and_a_null_are_told_apart(pond: &Millpond) {
    pond.scope(async {
        let one = Some("one 7".to_owned());
        assert_eq!(with_status(get_user(7)).await, (one.clone(), LOADED));
        let (user, status) = with_status(get_user(7)).await;
        assert_eq!(user, one);
        assert_hit(status, Tier::Store, false);
        assert_eq!(with_status(get_user(100)).await, (None, LOADED));
        let (user, status) = with_status(get_user(100)).await;
        assert_eq!(user, None);
        assert_null(status, Tier::Store, false);
        assert_eq!(with_status(refresh(get_user(7))).await, (one, LOADED));
        // Where windows count from the load, its time is stored.
        assert_eq!(with_status(early(7)).await, (Some(7), LOADED));
        assert_hit(with_status(early(7)).await.1, Tier::Store, true);
        assert_eq!(with_status(early(1)).await, (None, LOADED));
        assert_null(with_status(early(1)).await.1, Tier::Store, true);
    })
    .await;
}

async fn who_waits_for_another_caller_is_told_so(pond: &Millpond) {
    let mut loads = 0;
    for (id, answer) in [(1, Ok(1)), (2, Err(Down))] {
        let (source, mut bodies) = source();
        let calls = pond.scope(join3(
            with_status(slow(id, &source)),
            with_status(slow(id, &source)),
            with_status(slow(id, &source)),
        ));
        let answers = async {
            let first = bodies.next().await;
            settle().await;
            first.answer(answer.clone());
            bodies.answer_all(answer.clone());
        };
        let ((first, second, third), ()) = within_a_minute(join(calls, answers)).await;
        for (got, _) in [&first, &second, &third] {
            assert_eq!(*got, answer);
        }
        // An error of a body that ran when they came is not theirs: one of them may run the next.
        let told = [first.1, second.1, third.1];
        let count = |of| told.iter().filter(|told| **told == of).count();
        assert_eq!(told[0], LOADED);
        assert!(count(CallStatus::Shared) >= 1, "{told:?}");
        assert_eq!(count(LOADED) + count(CallStatus::Shared), 3, "{told:?}");
        loads += u64::try_from(count(LOADED)).unwrap();
    }
    assert_eq!(pond.stats().prefix("slow").loads, loads);
}

async fn an_old_value_is_told_with_its_age(pond: &Millpond) {
    let (source, mut bodies) = source();
    pond.scope(async {
        let mut call = async |answer| {
            let body = async { bodies.next().await.answer(answer) };
            join(with_status(rate(7, &source)), body).await.0
        };
        assert_eq!(call(Ok(1)).await, (Ok(1), LOADED));
        assert_hit(with_status(rate(7, &source)).await.1, Tier::Store, true);
        // Loaded again in the background.
        age(pond, "rate:7", MINUTES).await;
        let (got, status) = within_a_minute(with_status(rate(7, &source))).await;
        assert_eq!(got, Ok(1));
        assert_stale(status, MINUTES);
        bodies.next().await.answer(Ok(2));
        within_a_minute(pond.flush()).await.unwrap();
        // The body takes longer than a caller waits.
        age(pond, "rate:7", HALF_AN_HOUR).await;
        let (got, status) = within_a_minute(with_status(rate(7, &source))).await;
        assert_eq!(got, Ok(2));
        assert_stale(status, HALF_AN_HOUR);
        // What loads already is not waited for.
        let (got, status) = within_a_minute(with_status(rate(7, &source))).await;
        assert_eq!(got, Ok(2));
        assert_stale(status, HALF_AN_HOUR);
        bodies.next().await.answer(Ok(3));
        within_a_minute(pond.flush()).await.unwrap();
        // The body fails.
        age(pond, "rate:7", HALF_AN_HOUR).await;
        let failing = async { bodies.next().await.answer(Err(Down)) };
        let ((got, status), ()) = join(with_status(rate(7, &source)), failing).await;
        assert_eq!(got, Ok(3));
        assert_stale(status, HALF_AN_HOUR);
        pond.flush().await.unwrap();
    })
    .await;
    assert_eq!(pond.stats().prefix("rate").stale, 4);
}

async fn a_call_around_the_cache_says_why(pond: &Millpond) {
    let bypassed = CallStatus::Bypassed;
    pond.scope(async {
        let user = Some("one 7".to_owned());
        get_user(7).await;
        assert_eq!(
            with_status(uncached(get_user(7))).await,
            (user.clone(), bypassed(BypassReason::Uncached))
        );
        assert_eq!(
            with_status(rarely(1)).await,
            (1, bypassed(BypassReason::When))
        );
        assert_eq!(with_status(rarely(2)).await, (2, LOADED));
        let status = with_status(measured(Unwritable)).await;
        assert_eq!(status, (7, bypassed(BypassReason::Key)));
        let inside = again(1, 1).await;
        assert_eq!(inside, format!("{:?}", bypassed(BypassReason::OwnKey)));
    })
    .await;
    pond.bypass(async {
        let status = with_status(get_user(7)).await.1;
        assert_eq!(status, bypassed(BypassReason::Scope));
        let status = with_status(get_users(&[7])).await.1;
        assert_eq!(status, bypassed(BypassReason::Scope));
        assert_eq!(with_status(async {}).await.1, CallStatus::NoCall);
    })
    .await;
}

async fn a_batch_tells_how_many_of_its_items_came_to_what(pond: &Millpond) {
    #[track_caller]
    fn items(status: CallStatus) -> BatchStatus {
        match status {
            CallStatus::Batch(items) => items,
            other => panic!("{other:?}"),
        }
    }
    let (source, mut bodies) = source();
    pond.scope(async {
        get_user(1).await;
        get_user(100).await;
        let (users, status) = with_status(get_users(&[1, 2, 3, 2, 100])).await;
        assert_eq!(users.len(), 3);
        let (told, status) = (items(status), status.as_str());
        assert_eq!((told.hits, told.nulls, told.loaded), (1, 1, 2));
        assert_eq!(status, "batch");
        let told = items(with_status(refresh(get_users(&[1, 2]))).await.1);
        assert_eq!((told.hits, told.loaded), (0, 2));
        assert_eq!(items(with_status(get_users(&[])).await.1), <_>::default());
        assert_eq!(
            with_status(uncached(get_users(&[1]))).await.1,
            CallStatus::Bypassed(BypassReason::Uncached)
        );
        // Another caller loads one of its items; its body fails for the others, or it does not. Each
        // asks a source of its own: whose body begins first is decided by the network.
        let (of_many, mut bodies_of_many) = self::source();
        for answer in [Ok(7), Err(Down)] {
            let single = async {
                let body = bodies.next().await;
                let other = bodies_of_many.next().await;
                body.answer(Ok(6));
                settle().await;
                other.answer(answer.clone());
            };
            slow::entry(1).invalidate().await.unwrap();
            slow::entry(2).invalidate().await.unwrap();
            let one = slow(1, &source);
            let many = with_status(slow_many(&[1, 2], &of_many));
            let ((_, (values, status)), ()) = join(join(one, many), single).await;
            let told = items(status);
            assert_eq!(values.is_ok(), answer.is_ok());
            assert_eq!(told.loaded, 1);
            assert_eq!(told.shared, u32::from(answer.is_ok()));
        }
    })
    .await;
}

async fn an_old_value_of_another_caller_is_told_as_old(pond: &Millpond) {
    let (source, mut bodies) = source();
    pond.scope(async {
        let first = async { bodies.next().await.answer(Ok(1)) };
        assert_eq!(join(rate(7, &source), first).await.0, Ok(1));
        age(pond, "rate:7", HALF_AN_HOUR).await;
        let failing = async {
            let body = bodies.next().await;
            settle().await;
            body.answer(Err(Down));
        };
        let leads = with_status(rate_of_seven(&source));
        let calls = join(leads, with_status(rate(7, &source)));
        let (((led, first), (waited, second)), ()) = join(calls, failing).await;
        assert_eq!((led, waited), (Ok(1), Ok(1)));
        assert_stale(first, HALF_AN_HOUR);
        assert_stale(second, HALF_AN_HOUR);
        pond.flush().await.unwrap();
        // A batch loads what is old.
        let body = async { bodies.next().await.answer(Ok(2)) };
        let ((got, status), ()) = join(with_status(rates(&[7], &source)), body).await;
        assert_eq!(got, Ok(HashMap::from([(7, 2)])));
        let CallStatus::Batch(items) = status else {
            panic!("{status:?}")
        };
        assert_eq!((items.loaded, items.stale), (1, 0));
    })
    .await;
}

/// The same call, behind a function that is not cached.
async fn rate_of_seven(source: &Source<Answer>) -> Answer {
    rate(7, source).await
}

async fn it_speaks_of_the_first_call_and_of_no_other(pond: &Millpond) {
    let both = |status: CallStatus| (status.as_str(), status.tier());
    let hit = ("hit", Some(Tier::Store));
    pond.scope(async {
        get_user(1).await;
        let (_, status) = with_status(async { (get_user(1).await, get_user(2).await) }).await;
        assert_eq!(both(status), hit);
        let (_, status) = with_status(join(get_user(3), get_user(1))).await;
        assert_eq!(status, LOADED);
        // Not of a call in the body, nor of one after the future.
        let (_, status) = with_status(outer(1)).await;
        assert_eq!(status, LOADED);
        let (_, status) = with_status(outer(1)).await;
        assert_eq!(both(status), hit);
        assert_eq!(with_status(async { 7 }).await, (7, CallStatus::NoCall));
        get_user(1).await;
        // A call in a task of its own is not polled in the future.
        let task = async { pond.spawn(get_user(1)).await.unwrap() };
        let (_, status) = with_status(task).await;
        assert_eq!(status, CallStatus::NoCall);
        // One that is given up.
        let (source, _bodies) = source();
        let (_, status) = with_status(async { slow(9, &source).now_or_never() }).await;
        assert_eq!(status, CallStatus::Unfinished);
    })
    .await;
}

async fn it_goes_with_the_others_and_with_itself(pond: &Millpond) {
    let uncached_status = CallStatus::Bypassed(BypassReason::Uncached);
    pond.scope(async {
        get_user(1).await;
        assert_eq!(with_status(refresh(get_user(1))).await.1, LOADED);
        assert_eq!(refresh(with_status(get_user(1))).await.1, LOADED);
        assert_eq!(uncached(with_status(get_user(1))).await.1, uncached_status);
        let ((_, inner), outer) = with_status(with_status(get_user(1))).await;
        assert_eq!((inner, inner.as_str()), (outer, "hit"));
        let ((_, inner), outer) = with_status(refresh(with_status(get_user(1)))).await;
        assert_eq!((inner, outer), (LOADED, LOADED));
        // Each speaks of its own first call.
        let calls = async {
            let first = with_status(get_user(50)).await.1;
            (first, with_status(get_user(1)).await.1)
        };
        let ((first, second), outer) = with_status(calls).await;
        assert_eq!((first, second.as_str(), outer), (LOADED, "hit", LOADED));
        // What is around a spent request is spent, too.
        let calls = async {
            let (_, first) = with_status(get_user(1)).await;
            (first, get_user(1).await)
        };
        assert_eq!(refresh(calls).await.0, LOADED);
    })
    .await;
}

struct Repo {
    tenant: u32,
}

impl Repo {
    #[cached(prefix = "method", key = "<self.tenant>:<id>")]
    async fn get_user(&self, id: u32) -> u32 {
        id + self.tenant
    }
}

trait Users {
    async fn find(&self, id: u32) -> u32;
}

impl Users for Repo {
    #[cached(prefix = "trait", key = "<self.tenant>:<id>", companion = false)]
    async fn find(&self, id: u32) -> u32 {
        id + self.tenant
    }
}

async fn methods_traits_and_values_by_hand_say_it_as_well(pond: &Millpond) {
    pond.scope(async {
        let repo = Repo { tenant: 1 };
        assert_eq!(with_status(repo.get_user(1)).await, (2, LOADED));
        assert_hit(with_status(repo.get_user(1)).await.1, Tier::Store, false);
        assert_eq!(with_status(repo.find(1)).await, (2, LOADED));
        let boxed: Pin<Box<dyn Future<Output = u32> + '_>> = Box::pin(repo.find(1));
        assert_hit(with_status(boxed).await.1, Tier::Store, false);
    })
    .await;
    let load = || pond.get_or_set("by:hand", ttl::SHORT, async || Ok::<_, Infallible>(7));
    assert_eq!(with_status(load()).await, (Ok(7), LOADED));
    assert_hit(with_status(load()).await.1, Tier::Store, false);
    let status = with_status(uncached(load())).await.1;
    assert_eq!(status, CallStatus::Bypassed(BypassReason::Uncached));
}

on_every_engine! {
    a_load_a_hit_and_a_null_are_told_apart
    who_waits_for_another_caller_is_told_so
    an_old_value_is_told_with_its_age
    a_call_around_the_cache_says_why
    a_batch_tells_how_many_of_its_items_came_to_what
    an_old_value_of_another_caller_is_told_as_old
    it_speaks_of_the_first_call_and_of_no_other
    it_goes_with_the_others_and_with_itself
    methods_traits_and_values_by_hand_say_it_as_well
}
