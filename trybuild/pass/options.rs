//! Every option, in its forms.
use std::time::Duration;

use millpond::{Millpond, cached};

const PREFIX: &str = "constant";
const TTL: Duration = Duration::from_secs(30);

#[cached(
    prefix = PREFIX,
    key = "<id>",
    ttl = TTL,
    null_ttl = "1500ms",
    skip(pond),
    flight = "off",
    when = id > 3 && !pond_is_busy(pond),
    unless = Option::is_none,
    version = 2,
    on = pond,
    companion = "users",
    invalidate = "forget_user",
    crate = ::millpond,
)]
async fn everything(id: u64, pond: &Millpond) -> Option<u64> {
    let _ = pond;
    Some(id)
}

fn pond_is_busy(_: &Millpond) -> bool {
    false
}

#[cached(prefix = "a", ttl = "short", null = false)]
async fn a(id: u64) -> Option<u64> {
    Some(id)
}

#[cached(prefix = "b", ttl = "1.5h", null = true, null_ttl = crate::TTL)]
async fn b(id: u64) -> Option<u64> {
    Some(id)
}

#[cached(prefix = "c", ttl = "2d", flight = "process", invalidate = false)]
async fn c(id: u64) -> Option<u64> {
    Some(id)
}

#[cached(prefix = "d", ttl = Duration::from_secs(5), companion = false, unless = |value| *value > 3)]
async fn d(id: u64) -> u64 {
    id
}

fn is_empty(value: &[u64]) -> bool {
    value.is_empty()
}

#[cached(prefix = "e", unless = |value: &Vec<u64>| is_empty(value), on = Millpond::clone(&pond), skip(pond))]
async fn e(id: u64, pond: Millpond) -> Result<Vec<u64>, String> {
    let _ = pond;
    Ok(vec![id])
}

#[cached(prefix = "f", compress)]
async fn f(id: u64) -> Vec<u64> {
    vec![id]
}

#[cached(prefix = PREFIX, key = "<id>", encrypt, compress, version = 3, flight = "off", null = false)]
async fn g(id: u64) -> Option<u64> {
    Some(id)
}

struct Repo;

impl Repo {
    const PREFIX: &str = "repo";

    #[cached(prefix = Self::PREFIX, encrypt, skip(self))]
    async fn h(&self, id: u64) -> Result<u64, String> {
        Ok(id)
    }
}

async fn calls(pond: Millpond) {
    let _ = everything(1, &pond).await;
    let _ = users::entry(1, &pond).key();
    let _ = millpond::refresh(everything(1, &pond)).await;
    let _ = forget_user!(1, &pond).await;
    let _ = (a(1).await, b(1).await, c(1).await, d(1).await);
    let _ = c::entry(1).key();
    let _ = (f(1).await, f::entry(1).get().await);
    let _ = (g(1).await, g::entry(1).put(&2).await);
    let _ = (Repo.h(1).await, Repo.h_entry(1).key());
    let _ = e(1, pond.clone()).await;
    let _ = e::entry(1, pond).key();
}

fn main() {
    let _ = calls;
}
