//! Arguments that are borrowed, optional, destructured, raw, changed, or named like anything of ours.
#![deny(warnings)]
use std::sync::Arc;

use millpond::{cached, invalidates, key};
use serde::{Deserialize, Serialize};

struct Path<T>(T);
struct Pool;

#[derive(Serialize, Deserialize)]
struct Params {
    id: u64,
    page: u32,
    trace: String,
}

#[cached(prefix = "text", skip(pool, _trace))]
async fn text(id: &str, pool: &Pool, _trace: &str) -> String {
    let _ = pool;
    id.to_owned()
}

#[cached(prefix = "list", key = "<ids:sha256>:<page?>:<filter:sha256>")]
async fn list(ids: &[u64], page: Option<&u32>, filter: &Params) -> usize {
    ids.len() + usize::from(page.is_some()) + filter.trace.len()
}

#[cached(prefix = "path", key = "<id>")]
async fn from_path(Path(id): Path<u64>) -> u64 {
    id
}

#[cached(prefix = "tuple", key = "<a>:<b>", skip(c))]
async fn from_tuple((a, mut b): (u64, u64), Path(mut c): Path<u64>) -> u64 {
    b += 1;
    c += a;
    b + c
}

#[cached(prefix = "params", key = "<id>:<page>:<rest>", skip(trace))]
async fn from_params(Params { id, page, trace }: Params, rest @ 0..=u64::MAX: u64, _: &Pool) -> u64 {
    id + u64::from(page) + rest + u64::try_from(trace.len()).unwrap_or_default()
}

#[cached(prefix = "fields", key = "<params.id>:<pair.0>:<pair.1.page>:<params.trace:sha256>")]
async fn from_fields(params: &Params, pair: (u64, Params)) -> u64 {
    params.id + pair.0
}

#[cached(prefix = "raw", key = "<type>:<r#match>")]
async fn r#loop(r#type: u64, r#match: u64) -> u64 {
    r#type + r#match
}

#[cached(prefix = "gen", key = "<gen>:<r#async.0>")]
async fn r#gen(r#gen: u64, r#async: (u64,)) -> u64 {
    r#gen + r#async.0
}

#[cached(prefix = "changed")]
async fn changed(mut id: String, mut list: Arc<str>) -> String {
    id.push_str(&list);
    list = Arc::from(id.as_str());
    list.to_string()
}

#[cached(prefix = "hygiene")]
async fn names(key: u64, result: u64, entry: u64, self_: u64, __w: u64, writer: u64, call: u64, site: u64, edge: u64) -> u64 {
    key + result + entry + self_ + __w + writer + call + site + edge
}

#[cached(prefix = "same_name")]
async fn user(user: u64, millpond: u64, core: u64) -> u64 {
    user + millpond + core
}

#[cached(prefix = "two", key = "{<a>}:x<<<b>>>")]
async fn literal(a: u64, b: u64) -> u64 {
    a + b
}

#[invalidates(names(targets, shape, slots, *output, late, call, 1, 2, 3), user(targets, 1, 2))]
async fn clash(targets: u64, shape: u64, slots: u64, late: u64, call: u64) -> u64 {
    targets + shape + slots + late + call
}

struct Rendered {
    output: u64,
}

impl Rendered {
    fn output(&self) -> u64 {
        self.output
    }
}

// Fields and methods of that name are no success value.
#[invalidates(literal(rendered.output, rendered.output()))]
async fn drawn(rendered: Rendered) -> Result<(), String> {
    drop(rendered);
    Ok(())
}

#[invalidates(user(output.output, format!("{output}").len() as u64, output.output()))]
async fn redrawn(output_of: Rendered) -> Result<Rendered, String> {
    Ok(output_of)
}

impl std::fmt::Display for Rendered {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{}", self.output)
    }
}

#[cached(prefix = "all", key = "<id>", skip(all, page, trace))]
async fn bound(all @ Numbers { id, page, .. }: Numbers, trace @ (_, _): (u8, u8)) -> u64 {
    let _ = trace;
    id + u64::from(page) + all.id
}

#[cached(prefix = "all", key = "<all.id>", skip(id, page), version = 2)]
async fn bound_whole(all @ Numbers { id, page, .. }: Numbers) -> u64 {
    id + u64::from(page) + all.id
}

#[derive(Clone, Copy)]
struct Numbers {
    id: u64,
    page: u32,
}

async fn calls() {
    let numbers = Numbers { id: 1, page: 2 };
    let _ = bound(numbers, (1, 2)).await + bound_whole(numbers).await;
    let _ = (bound::entry(numbers).key(), bound_whole::entry(numbers).key());
    let _ = (drawn(Rendered { output: 1 }).await, redrawn(Rendered { output: 1 }).await);
    let params = || Params { id: 1, page: 2, trace: String::new() };
    let _ = text("a", &Pool, "t").await;
    let _ = text::entry("a").key();
    let _ = list(&[1], Some(&2), &params()).await;
    let _ = list::entry(&[1], None, &params()).key();
    let _ = from_path(Path(1)).await;
    let _ = from_path::entry(Path(1)).key();
    let _ = millpond::refresh(from_path(Path(1))).await;
    let _ = from_path::invalidate(Path(1)).await;
    let _ = from_tuple((1, 2), Path(3)).await;
    let _ = from_tuple::entry((1, 2)).key();
    let _ = from_params(params(), 1, &Pool).await;
    let _ = from_params::entry(params(), 1).key();
    let _ = millpond::uncached(from_params(params(), 1, &Pool)).await;
    let _ = from_fields(&params(), (1, params())).await;
    let _ = from_fields::entry(&params(), (1, params())).key();
    let _ = r#loop(1, 2).await;
    let _ = r#loop::entry(1, 2).key();
    let _ = invalidate_loop!(1, 2).await;
    let _ = r#gen(1, (2,)).await;
    let _ = r#gen::entry(1, (2,)).key();
    let _ = millpond::refresh(r#gen(1, (2,))).await;
    let _ = invalidate_gen!(1, (2,)).await;
    let r#gen = 3;
    let _ = key!("user:<gen>:<r#gen>");
    let _ = changed(String::new(), Arc::from("")).await;
    let _ = names(1, 2, 3, 4, 5, 6, 7, 8, 9).await;
    let _ = millpond::refresh(names(1, 2, 3, 4, 5, 6, 7, 8, 9)).await;
    let _ = user(1, 2, 3).await;
    let _ = millpond::refresh(user(1, 2, 3)).await;
    let _ = literal::entry(1, 2).key();
    let _ = clash(1, 2, 3, 4, 5).await;
    let writer = 3;
    let _ = key!("user:<writer>");
}

fn main() {
    drop(calls());
}
