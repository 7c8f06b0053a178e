//! Type, const and lifetime parameters, `where` clauses, `impl Trait` arguments.
use std::{borrow::Cow, fmt::Display};

use millpond::{cached, invalidates};
use serde::{Serialize, de::DeserializeOwned};

trait Table {
    const PREFIX: &'static str;
    const TTL: std::time::Duration;
}

#[cached(prefix = T::PREFIX, ttl = T::TTL)]
async fn load<T, Id>(id: Id) -> Result<Option<T>, String>
where
    T: Table + Serialize + DeserializeOwned + Default + Send,
    Id: Display + Into<String> + Send,
{
    let id: String = id.into();
    Ok((!id.is_empty()).then(T::default))
}

#[cached(prefix = "rows", key = "<N>:<id>")]
async fn rows<const N: usize>(id: u64) -> Result<Vec<[u8; 4]>, [u64; N]> {
    if id == 0 { Err([id; N]) } else { Ok(vec![[0; 4]; N]) }
}

#[cached(prefix = "any", skip(T, N))]
async fn any<T: Serialize + DeserializeOwned + Default, const N: usize>(id: u64) -> (T, Option<usize>) {
    let _ = id;
    (T::default(), Some(N))
}

#[cached(prefix = "impl")]
async fn implied(id: impl Display + Send, other: &(impl Display + Sync)) -> String {
    format!("{id}{other}")
}

#[cached(prefix = "lifetimes", key = "<name>:<list:sha256>", skip(skipped))]
async fn lifetimes<'a, 'b: 'a, T>(name: &'a str, list: &'b [T], skipped: Cow<'a, str>) -> Result<String, &'a str>
where
    T: Serialize + Sync + 'b,
    Vec<T>: Sized,
{
    if list.is_empty() { Err(name) } else { Ok(skipped.into_owned()) }
}

#[cached(prefix = "closure", skip(load, pool))]
async fn with_closure<F, P>(id: u64, load: F, pool: &P) -> Result<u64, String>
where
    F: AsyncFnOnce(u64, &P) -> Result<u64, String>,
{
    load(id, pool).await
}

#[invalidates(load::<T, _>(id.clone()), rows::<3>(4))]
async fn forget<T>(id: String)
where
    T: Table + Serialize + DeserializeOwned + Default + Send,
{
    drop(id);
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Row;

impl Table for Row {
    const PREFIX: &'static str = "row";
    const TTL: std::time::Duration = std::time::Duration::from_secs(5);
}

async fn calls() {
    let _: Result<Option<Row>, String> = load("x").await;
    let _ = load::entry::<Row, &str>("x").key();
    let _ = millpond::refresh(load::<Row, _>("x")).await;
    let _ = load::invalidate::<Row, &str>("x").await;
    let _ = rows::<3>(1).await;
    let _ = rows::entry::<3>(1).key();
    let _ = any::<u8, 3>(1).await;
    let _ = any::entry::<u8>(1).key();
    let _ = millpond::uncached(any::<u8, 3>(1)).await;
    let _ = implied(1, &2).await;
    let _ = implied::entry(1, &2).key();
    let _ = lifetimes("a", &[1_u8], Cow::Borrowed("b")).await;
    let _ = lifetimes::entry("a", &[1_u8]).key();
    let _ = with_closure(1, async |id, extra: &u64| Ok(id + extra), &3).await;
    let _ = with_closure::entry(1).key();
    forget::<Row>(String::new()).await;
}

fn main() {
    drop(calls());
}
