//! What comes through variables of `macro_rules!` stands in invisible groups.
#![deny(warnings)]
use millpond::{Limit, RateLimited, cached, invalidates, limit, rate_limited, updates};
use std::time::Duration;

const EXPORT: Limit = Limit::fixed_window("EXPORT", 3, Duration::from_secs(60));

macro_rules! finder {
    ($name:ident, $id:ident: $of:ty, $ret:ty, $prefix:literal, $key:expr, $ttl:expr, $body:block) => {
        #[cached(prefix = $prefix, key = $key, ttl = $ttl)]
        async fn $name($id: $of) -> $ret $body
    };
}

finder!(by_value, id: u64, u64, "value", "<id>", "5m", { id });
finder!(by_result, id: &str, Result<Option<String>, std::num::ParseIntError>, "result", "<id>", Duration::from_secs(5), {
    id.parse::<u64>()?;
    Ok(Some(id.to_owned()))
});
finder!(by_list, id: (u64, u64), Vec<(u64, u64)>, "list", "<id.0>:<id.1>", "short", { vec![id] });

macro_rules! changer {
    ($name:ident, $id:ident, $target:expr, $ret:ty, $body:block) => {
        #[invalidates($target)]
        async fn $name($id: u64) -> $ret $body
    };
}

changer!(change, id, by_value(id), Result<(), String>, {
    if id == 0 { return Err(String::new()); }
    Ok(())
});

macro_rules! saver {
    ($name:ident, $id:ident, $ret:ty, $body:block) => {
        #[updates(by_value($id))]
        async fn $name($id: u64) -> $ret $body
    };
}

saver!(save, id, Result<u64, String>, { Ok(id) });

macro_rules! limited {
    ($name:ident, $user:ident, $kind:expr, $id:expr, $ret:ty, $body:block) => {
        #[rate_limited(kind = $kind, id = $id, cost = 2)]
        async fn $name($user: &str) -> $ret $body
    };
}

limited!(exported, user, EXPORT, user.len() + 2, Result<usize, RateLimited>, { Ok(user.len()) });
limited!(called, user, limit::API, std::process::id(), Result<(), RateLimited>, {
    if user.is_empty() { return Ok(()); }
    Ok(())
});

macro_rules! sized {
    ($units:expr, $per:expr, $ret:ty) => {
        #[rate_limited(limit = $units, per = $per)]
        async fn sized() -> $ret { Ok(()) }
    };
}

sized!(5, "1h", Result<(), RateLimited>);

fn main() {
    drop((by_value(1), by_result("1"), by_list((1, 2)), change(1), save(1)));
    drop((exported(""), called(""), sized()));
    let _ = (by_value::entry(1).key(), by_result::entry("1").key(), by_list::entry((1, 2)).key());
}
