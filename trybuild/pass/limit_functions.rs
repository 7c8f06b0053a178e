//! What can be limited, and what can be said of it.
#![deny(warnings)]
use std::{fmt::Display, time::Duration};

use millpond::{Limit, Millpond, RateLimited, limit, rate_limited};

const EXPORT: Limit = Limit::token_bucket("EXPORT", 1, Duration::from_secs(1), 10);
const LIMIT: Limit = EXPORT;
const CALLS: u64 = 5;
const HOUR: Duration = Duration::from_secs(60 * 60);

type Answer<T> = Result<T, RateLimited>;

struct User {
    id: u64,
    plan: Limit,
}

#[rate_limited(kind = "API")]
async fn by_kind() -> Result<u8, RateLimited> { Ok(1) }

#[rate_limited(kind = EXPORT, id = user.id)]
async fn by_constant(user: User) -> Answer<User> {
    Ok(user)
}

// The generated code has a constant too.
#[rate_limited(kind = LIMIT, on_outage = "deny")]
async fn by_a_name_that_is_taken() -> Answer<()> {
    Ok(())
}

#[rate_limited(kind = millpond::limit::AUTH, id = name, on_outage = "local")]
async fn by_path(name: &str) -> Result<&str, Box<dyn std::error::Error + Send + Sync>> {
    Ok(name)
}

#[rate_limited(limit = 5, per = "1h", algorithm = "fixed_window", cost = 5)]
async fn in_place() -> Answer<()> {
    Ok(())
}

#[rate_limited(limit = CALLS, per = HOUR, algorithm = "token_bucket")]
async fn in_place_by_constants() -> Answer<()> {
    Ok(())
}

#[rate_limited(limit = CALLS * 2, per = self::HOUR, algorithm = "sliding_window")]
async fn in_place_by_an_expression() -> Answer<()> {
    Ok(())
}

#[rate_limited(limit = user.plan, id = user.id, cost = count, on_outage = "allow")]
async fn per_call(user: &User, count: &usize) -> Answer<usize> {
    Ok(*count + usize::from(user.id > 3))
}

#[rate_limited(limit = limit::API.checked(calls, HOUR)?)]
async fn per_call_or_not(calls: u64) -> Result<(), Box<dyn std::error::Error>> {
    Ok(())
}

#[rate_limited(kind = "PUBLIC", id = user_of(&token).await, cost = parts.len() as u64)]
async fn awaited(token: String, mut parts: Vec<String>) -> Answer<Vec<String>> {
    parts.push(token);
    Ok(parts)
}

async fn user_of(token: impl AsRef<str>) -> String {
    token.as_ref().to_owned()
}

#[rate_limited(kind = "PUBLIC", id = format!("{id}:{name}"))]
async fn destructured(User { id, .. }: User, (name, _): (String, u8)) -> Answer<(u64, String)> {
    let call = id;
    let refusal = name;
    Ok((call, refusal))
}

#[rate_limited(kind = "PUBLIC", id = id)]
async fn generic<'a, T: Display + ?Sized, const N: u64>(id: &'a T) -> Answer<&'a T>
where
    T: Sync,
{
    Ok(id)
}

#[rate_limited(limit = N, per = "1m")]
async fn by_a_parameter<const N: u64>() -> Answer<()> {
    Ok(())
}

// What the body declares is not what the attribute speaks of.
#[rate_limited(kind = EXPORT, cost = CALLS)]
async fn body_with_items() -> Answer<&'static str> {
    const EXPORT: &str = "another";
    #[allow(unused)]
    const CALLS: &str = "another";
    Ok(EXPORT)
}

trait Tariff {
    const LIMIT: Limit;
}

struct Api<T> {
    pond: Millpond,
    tariff: T,
}

impl<T: Tariff + Display> Api<T> {
    const CALLS: u64 = 3;

    #[rate_limited(kind = T::LIMIT, id = self.tariff, on = self.pond)]
    async fn method(&self) -> Answer<&T> {
        Ok(&self.tariff)
    }

    #[rate_limited(limit = Self::CALLS, per = "1m", on = self.pond.clone())]
    async fn mutating(&mut self, tariff: T) -> Answer<()> {
        self.tariff = tariff;
        Ok(())
    }

    #[rate_limited(limit = 1, per = "1m", on = pond)]
    async fn associated(pond: &Millpond, tariff: T) -> Answer<Self> {
        Ok(Self { pond: pond.clone(), tariff })
    }

    #[rate_limited(kind = T::LIMIT, id = self.tariff)]
    async fn consuming(self) -> Answer<T> {
        Ok(self.tariff)
    }
}

trait Draw {
    async fn draw(&self, user: u64) -> Answer<u64>;
}

impl Draw for () {
    #[rate_limited(kind = "GENERATION", id = user)]
    async fn draw(&self, user: u64) -> Answer<u64> {
        Ok(user)
    }
}

#[rate_limited(limit = 10, per = "1m", id = user)]
#[rate_limited(limit = 500, per = "1d", id = user)]
#[rate_limited(kind = "API")]
async fn several(user: &str) -> Answer<&str> {
    Ok(user)
}

#[rate_limited(kind = "API", id = user.len(),)]
async fn opaque(user: &str) -> Result<impl Display + '_, RateLimited> {
    if user.is_empty() {
        return Ok("nobody");
    }
    let user = Ok::<_, RateLimited>(user)?;
    Ok(user)
}

macro_rules! limited {
    ($name:ident, $limit:expr, $id:expr) => {
        #[rate_limited(limit = $limit, per = "1m", id = $id)]
        async fn $name(user: &str) -> Answer<()> {
            let _ = user;
            Ok(())
        }
    };
}
limited!(by_macro, 3, std::process::id());

fn assert_send<T: Send>(value: T) {
    drop(value);
}

impl Tariff for u8 {
    const LIMIT: Limit = EXPORT;
}

fn user() -> User {
    User { id: 3, plan: EXPORT }
}

fn main() {
    assert_send((by_kind(), by_constant(user()), by_a_name_that_is_taken(), by_path("")));
    assert_send((in_place(), in_place_by_constants(), in_place_by_an_expression()));
    assert_send((per_call(&user(), &3), per_call_or_not(3), awaited(String::new(), vec![])));
    assert_send((destructured(user(), (String::new(), 3)), generic::<str, 3>("")));
    assert_send((by_a_parameter::<3>(), body_with_items(), several(""), opaque(""), by_macro("")));
    let pond = Millpond::memory();
    let mut api = Api { pond: pond.clone(), tariff: 3_u8 };
    assert_send((api.method(), ().draw(3)));
    assert_send(api.mutating(4));
    assert_send(api.consuming());
    assert_send(Api::associated(&pond, 3_u8));
}
