//! `#[rate_limited]`: who is let through, what a refusal becomes, and what stands on one function with it.

use millpond::limit::{Limit, RateLimited, Reason};
use millpond::{ManualClock, Millpond, cached, rate_limited};
use std::cell::Cell;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const EXPORT: Limit = Limit::fixed_window("EXPORT", 2, MINUTE);

#[derive(Debug, PartialEq)]
enum ApiError {
    SlowDown(Option<Reason>),
    Broken,
}

impl From<RateLimited> for ApiError {
    fn from(refusal: RateLimited) -> Self {
        Self::SlowDown(refusal.decision().reason())
    }
}

/// Whatever the reason.
fn is_refused<T>(result: &Result<T, ApiError>) -> bool {
    match result {
        Err(ApiError::SlowDown(_)) => true,
        Err(ApiError::Broken) => panic!("the body failed"),
        Ok(_) => false,
    }
}

async fn embedded<T>(test: impl AsyncFnOnce(ManualClock) -> T) -> T {
    let clock = ManualClock::new();
    let pond = Millpond::builder().memory().clock(clock.clone());
    let pond = pond.build().unwrap();
    pond.scope(test(clock)).await
}

#[rate_limited(limit = 3, per = "1m", algorithm = "fixed_window", id = user)]
async fn three_a_minute(user: &str) -> Result<usize, ApiError> {
    Ok(user.len())
}

#[tokio::test]
async fn the_call_after_the_last_is_refused_until_the_window_ends() {
    embedded(async |clock| {
        for _ in 0..3 {
            assert_eq!(three_a_minute("ada").await, Ok(3));
        }
        let refused = three_a_minute("ada").await;
        assert_eq!(refused, Err(ApiError::SlowDown(Some(Reason::Exhausted))));
        clock.advance(MINUTE);
        assert_eq!(three_a_minute("ada").await, Ok(3));
    })
    .await;
}

#[tokio::test]
async fn every_identifier_has_a_budget_of_its_own() {
    embedded(async |_| {
        for _ in 0..3 {
            three_a_minute("ada").await.unwrap();
        }
        assert!(is_refused(&three_a_minute("ada").await));
        assert_eq!(three_a_minute("grace").await, Ok(5));
    })
    .await;
}

#[tokio::test]
async fn an_identifier_that_turns_out_empty_is_refused() {
    embedded(async |_| {
        let refused = three_a_minute("").await;
        assert_eq!(refused, Err(ApiError::SlowDown(Some(Reason::NoIdentifier))));
    })
    .await;
}

#[rate_limited(kind = EXPORT)]
async fn shared_by_all() -> Result<(), ApiError> {
    Ok(())
}

#[rate_limited(kind = EXPORT)]
async fn of_the_same_kind() -> Result<(), ApiError> {
    Ok(())
}

#[tokio::test]
async fn functions_of_one_kind_share_a_budget_and_so_do_callers_without_an_identifier() {
    embedded(async |_| {
        shared_by_all().await.unwrap();
        of_the_same_kind().await.unwrap();
        assert!(is_refused(&shared_by_all().await));
        assert!(is_refused(&of_the_same_kind().await));
    })
    .await;
}

#[rate_limited(limit = 10, per = "1m", id = user, cost = prompt.len())]
async fn generate(user: u64, prompt: String) -> Result<String, ApiError> {
    let _ = user;
    Ok(prompt)
}

#[tokio::test]
async fn a_call_takes_what_it_costs_and_a_refused_one_takes_nothing() {
    embedded(async |_| {
        generate(1, "1234567".into()).await.unwrap();
        assert!(is_refused(&generate(1, "1234".into()).await));
        assert_eq!(generate(1, "123".into()).await.as_deref(), Ok("123"));
        assert!(is_refused(&generate(1, "1".into()).await));
        assert_eq!(
            generate(2, "12345678901".into()).await,
            Err(ApiError::SlowDown(Some(Reason::CostAboveLimit)))
        );
    })
    .await;
}

#[rate_limited(kind = EXPORT, cost = 2)]
async fn costs_two(fails: bool) -> Result<(), ApiError> {
    if fails {
        return Err(ApiError::Broken);
    }
    Ok(())
}

#[tokio::test]
async fn a_call_that_fails_has_been_counted() {
    embedded(async |clock| {
        assert_eq!(costs_two(true).await, Err(ApiError::Broken));
        assert!(is_refused(&costs_two(false).await));
        clock.advance(MINUTE);
        assert_eq!(costs_two(false).await, Ok(()));
    })
    .await;
}

struct Login {
    name: String,
    address: [u8; 4],
}

#[rate_limited(limit = 2, per = "1h", id = name.to_lowercase())]
#[rate_limited(limit = 3, per = "1m", id = format_args!("{}.{}", address[0], address[1]))]
async fn log_in(Login { name, address }: Login) -> Result<String, ApiError> {
    let _ = address;
    Ok(name)
}

#[tokio::test]
async fn every_attribute_of_a_function_limits_it() {
    embedded(async |clock| {
        let log_in = |name: &str, network| {
            log_in(Login {
                name: name.into(),
                address: [10, network, 0, 1],
            })
        };
        assert_eq!(log_in("Ada", 1).await.as_deref(), Ok("Ada"));
        assert!(log_in("ADA", 1).await.is_ok());
        assert!(is_refused(&log_in("ada", 2).await));
        assert!(log_in("grace", 1).await.is_ok());
        assert!(is_refused(&log_in("alan", 1).await));
        clock.advance(2 * MINUTE);
        assert!(log_in("alan", 1).await.is_ok());
        assert!(is_refused(&log_in("ada", 1).await));
    })
    .await;
}

thread_local! {
    static RAN: Cell<u32> = const { Cell::new(0) };
}

/// How often the bodies ran in this test: each has a thread of its own.
fn ran() -> u32 {
    RAN.get()
}

async fn run<T>(value: T) -> T {
    tokio::task::yield_now().await;
    RAN.set(RAN.get() + 1);
    value
}

#[rate_limited(limit = 2, per = "1m", id = "one".len())]
#[rate_limited(limit = 1, per = "1m", id = "two".len() + 1)]
async fn both_decide() -> Result<(), ApiError> {
    run(Ok(())).await
}

#[tokio::test]
async fn attributes_that_stand_together_are_one_decision() {
    let pond = Millpond::memory();
    pond.scope(async {
        both_decide().await.unwrap();
        for _ in 0..5 {
            assert!(is_refused(&both_decide().await));
        }
    })
    .await;
    assert_eq!(pond.stats().limits.checks, 6);
    assert_eq!(ran(), 1);
}

#[derive(Clone, Copy)]
enum Plan {
    Free,
    Paid { seats: u64 },
}

impl Plan {
    fn limit(self) -> Limit {
        match self {
            Self::Free => EXPORT,
            Self::Paid { seats } => EXPORT.checked(4 * seats, MINUTE).unwrap_or(EXPORT),
        }
    }
}

#[rate_limited(limit = plan.limit(), id = user)]
async fn export(user: u64, plan: Plan) -> Result<(), ApiError> {
    let _ = (user, plan);
    Ok(())
}

#[tokio::test]
async fn a_limit_can_be_worked_out_for_each_call() {
    embedded(async |_| {
        let (paid, free) = (Plan::Paid { seats: 2 }, Plan::Free);
        for _ in 0..8 {
            export(1, paid).await.unwrap();
        }
        assert!(is_refused(&export(1, paid).await));
        for _ in 0..2 {
            export(2, free).await.unwrap();
        }
        assert!(is_refused(&export(2, free).await));
    })
    .await;
}

#[rate_limited(limit = 2, per = "1m", id = id)]
#[cached(prefix = "only_misses", key = "<id>")]
async fn only_misses(id: u64) -> Result<u64, ApiError> {
    run(Ok(id)).await
}

#[cached(prefix = "every_call", key = "<id>")]
#[rate_limited(limit = 2, per = "1m", id = id)]
async fn every_call(id: u64) -> Result<u64, ApiError> {
    run(Ok(id)).await
}

#[tokio::test]
async fn a_limit_above_cached_counts_misses_only() {
    embedded(async |_| {
        for _ in 0..5 {
            assert_eq!(only_misses(7).await, Ok(7));
        }
        assert_eq!(ran(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_limit_below_cached_counts_every_call() {
    embedded(async |_| {
        assert_eq!(every_call(7).await, Ok(7));
        assert_eq!(every_call(7).await, Ok(7));
        assert!(is_refused(&every_call(7).await));
        assert_eq!(ran(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_refusal_is_not_cached() {
    embedded(async |clock| {
        for _ in 0..2 {
            millpond::refresh(only_misses(7)).await.unwrap();
        }
        only_misses::invalidate(7).await.unwrap();
        assert!(is_refused(&only_misses(7).await));
        clock.advance(2 * MINUTE);
        assert_eq!(only_misses(7).await, Ok(7));
    })
    .await;
}

#[tokio::test]
async fn refresh_and_uncached_contain_what_stands_above_cached() {
    embedded(async |_| {
        millpond::uncached(only_misses(7)).await.unwrap();
        millpond::refresh(only_misses(7)).await.unwrap();
        assert!(is_refused(&millpond::uncached(only_misses(7)).await));
        assert!(is_refused(&millpond::refresh(only_misses(7)).await));
        // What was cached is still there for everyone else.
        assert_eq!(only_misses(7).await, Ok(7));
        assert_eq!(ran(), 2);
    })
    .await;
}

#[tokio::test]
async fn refresh_and_uncached_are_limited_below_cached_too() {
    embedded(async |_| {
        millpond::uncached(every_call(7)).await.unwrap();
        millpond::refresh(every_call(7)).await.unwrap();
        assert!(is_refused(&millpond::uncached(every_call(7)).await));
        assert!(is_refused(&millpond::refresh(every_call(7)).await));
        assert!(is_refused(&every_call(7).await));
    })
    .await;
}

#[rate_limited(kind = "AUTH", id = user)]
async fn sign_up(user: &str) -> Result<(), RateLimited> {
    let _ = user;
    Ok(())
}

#[tokio::test]
async fn a_built_in_kind_has_the_numbers_of_its_constant() {
    embedded(async |_| {
        for _ in 0..millpond::limit::AUTH.units() {
            sign_up("ada").await.unwrap();
        }
        let refusal = sign_up("ada").await.unwrap_err();
        assert_eq!(refusal.decision().kind(), "AUTH");
    })
    .await;
}

#[tokio::test]
async fn a_built_in_kind_can_have_other_numbers_from_start_up() {
    let strict = Limit::fixed_window("AUTH", 1, MINUTE);
    let pond = Millpond::builder().memory().limit(strict).build().unwrap();
    pond.scope(async {
        sign_up("ada").await.unwrap();
        let refusal = sign_up("ada").await.unwrap_err();
        assert_eq!(refusal.decision().limit(), Some(1));
    })
    .await;
}

struct Service {
    pond: Millpond,
    tenant: String,
}

impl Service {
    const CALLS: u64 = 2;

    #[rate_limited(limit = Self::CALLS, per = "1m", id = self.tenant, on = self.pond)]
    async fn call(&self) -> Result<&str, ApiError> {
        Ok(&self.tenant)
    }

    #[rate_limited(limit = 1, per = MINUTE, id = service.tenant, on = service.pond)]
    async fn consume(service: Self) -> Result<String, ApiError> {
        Ok(service.tenant)
    }
}

#[tokio::test]
async fn methods_are_limited_where_their_owner_says() {
    let pond = Millpond::memory();
    let service = |tenant: &str| Service {
        pond: pond.clone(),
        tenant: tenant.to_owned(),
    };
    embedded(async |_| {
        let acme = service("acme");
        assert_eq!(acme.call().await, Ok("acme"));
        assert_eq!(acme.call().await, Ok("acme"));
        assert_eq!(
            acme.call().await,
            Err(ApiError::SlowDown(Some(Reason::Exhausted)))
        );
        assert!(service("other").call().await.is_ok());
        assert!(Service::consume(acme).await.is_ok());
        assert!(is_refused(&Service::consume(service("acme")).await));
    })
    .await;
    assert_eq!(pond.stats().limits.checks, 6);
}

#[rate_limited(limit = 1, per = "1m", on_outage = "deny")]
async fn denied() -> Result<(), ApiError> {
    Ok(())
}

#[rate_limited(limit = 1, per = "1m", on_outage = "allow")]
async fn allowed() -> Result<(), ApiError> {
    Ok(())
}

#[rate_limited(limit = 1, per = "1m")]
async fn counted_here() -> Result<(), ApiError> {
    Ok(())
}

#[rate_limited(limit = EXPORT, on_outage = "deny")]
async fn denied_per_call() -> Result<(), ApiError> {
    Ok(())
}

#[cfg(feature = "upstash")]
#[tokio::test]
async fn the_attribute_says_what_happens_in_an_outage() {
    let builder = Millpond::builder().upstash("http://127.0.0.1:9", "token");
    let pond = builder.retries(0).build().unwrap();
    pond.scope(async {
        assert!(is_refused(&denied().await));
        assert!(is_refused(&denied_per_call().await));
        assert!(counted_here().await.is_ok());
        assert!(is_refused(&counted_here().await));
        for _ in 0..5 {
            allowed().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_call_that_is_never_polled_takes_nothing() {
    let pond = Millpond::memory();
    pond.scope(async {
        drop(shared_by_all());
        assert_eq!(pond.stats().limits.checks, 0);
        shared_by_all().await.unwrap();
        assert_eq!(pond.stats().limits.checks, 1);
    })
    .await;
}
