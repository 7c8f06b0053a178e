//! What each event costs, as the second table of runtime/docs/settings.md has it: the commands that are sent,
//! from the gateway's log, and those that the server executes, from its own count.
//!
//! A new row is a line in the table and a case in `each_event_costs_what_the_table_says`.

#![cfg(feature = "upstash")]

mod support;

use millpond::limit::{Limit, Limiter};
use millpond::{ManualClock, Millpond, cached, invalidates, ttl, updates};
use millpond_gateway::{Gateway, RedisServer, Reply, needs_redis};
use std::collections::BTreeMap;
use std::time::Duration;
use support::source::{Source, source};
use support::{builder, gateway, settle, within_a_minute};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const WINDOWS: [Limit; 2] = [
    Limit::fixed_window("FIXED", 10, MINUTE),
    Limit::sliding_window("SLIDING", 10, MINUTE),
];
const BUCKET: Limit = Limit::token_bucket("BUCKET", 10, MINUTE, 10);

#[cached(prefix = "cost", key = "<id>")]
async fn read(id: u32) -> Option<u32> {
    (id > 0).then_some(id)
}

#[cached(batch = ids, of = read(ids))]
async fn read_batch(ids: &[u32]) -> BTreeMap<u32, u32> {
    ids.iter().map(|id| (*id, *id)).collect()
}

/// Loaded again on every hit.
#[cached(
    prefix = "again",
    key = "<id>",
    ttl = "1h",
    stale_if_error = "1h",
    refresh_ahead = 0.000_000_001
)]
async fn read_again(id: u32) -> u32 {
    id
}

#[cached(prefix = "failing", key = "<id>")]
async fn fail(id: u32) -> Result<u32, std::fmt::Error> {
    let _ = id;
    Err(std::fmt::Error)
}

#[cached(prefix = "shared", key = "<id>", skip(source))]
async fn read_slowly(id: u32, source: &Source<u32>) -> u32 {
    source.answer().await
}

#[cached(prefix = "clustered", key = "<id>", flight = "cluster")]
async fn read_in_cluster(id: u32) -> u32 {
    id
}

#[cached(prefix = "unguarded", key = "<id>", guard = false)]
async fn read_unguarded(id: u32) -> u32 {
    id
}

#[updates(read_unguarded(id))]
async fn replace_unguarded(id: u32) -> u32 {
    id
}

#[millpond::tag("group:<id>")]
fn group(id: u32) -> millpond::Tag;

#[cached(prefix = "grouped", key = "<id>", tags(group(1), "all"))]
async fn read_grouped(id: u32) -> u32 {
    id
}

#[millpond::tag("~author:<id>")]
fn author(id: u32) -> millpond::Tag;

#[cached(prefix = "written", key = "<id>", tags_of = |id: &u32| [author(*id)])]
async fn read_written(id: u32) -> u32 {
    id
}

#[updates(read_grouped(id), group(1))]
async fn replace_grouped(id: u32) -> u32 {
    id
}

#[cached(prefix = "near", key = "<id>", local = "1m")]
async fn read_near(id: u32) -> u32 {
    id
}

#[cached(batch = ids, of = read_near(ids))]
async fn read_near_batch(ids: &[u32]) -> BTreeMap<u32, u32> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[updates(read_near(id))]
async fn replace_near(id: u32) -> u32 {
    id
}

#[cached(local = "only", key = "<id>")]
async fn read_here(id: u32) -> u32 {
    id
}

#[invalidates(read(id))]
async fn change(id: u32) {}

#[updates(read(id))]
async fn replace(id: u32, by: u32) -> u32 {
    by
}

/// What something costs. The names are those of the commands, request by request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Cost {
    sent: Vec<Vec<String>>,
    executed: u64,
}

/// What a row of the table promises.
#[derive(Debug)]
struct Row {
    number: usize,
    names: Vec<String>,
    in_one_request: bool,
    executed: u64,
    /// Whether a case came by.
    covered: bool,
}

const TABLE: &str = include_str!("../runtime/docs/settings.md");
const HEAD: &str = "| event | commands sent | commands executed by the server |";

/// The lines of the table of costs in a text.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(|line| line.trim_start_matches("//! "));
    let table = lines.skip_while(|line| *line != HEAD).skip(2);
    table.take_while(|line| line.starts_with('|'))
}

fn rows() -> BTreeMap<&'static str, Row> {
    let mut rows = BTreeMap::new();
    for line in lines(TABLE) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [event, sent, executed] = cells[..] else {
            panic!("a row of three cells: {line}");
        };
        let digits = sent.find(|c: char| !c.is_ascii_digit());
        let (number, rest) = sent.split_at(digits.unwrap_or(sent.len()));
        let names = rest.split('`').skip(1).step_by(2).map(str::to_owned);
        let row = Row {
            number: number.parse().expect(line),
            names: names.collect(),
            in_one_request: rest.contains("in one request"),
            executed: executed.parse().expect(line),
            covered: false,
        };
        assert!(rows.insert(event, row).is_none(), "two rows `{event}`");
    }
    rows
}

/// A gateway before a server of its own, and the rows that its cases fulfil.
struct Costs {
    gateway: Gateway,
    rows: BTreeMap<&'static str, Row>,
    _server: RedisServer,
}

impl Costs {
    async fn start() -> Self {
        let server = RedisServer::start().unwrap();
        Self {
            gateway: gateway(&server).await,
            rows: rows(),
            _server: server,
        }
    }

    /// How many commands the server has executed, those inside scripts included, and without those
    /// that only set up a connection or ask for this number.
    async fn executed(&self) -> u64 {
        const HOUSEKEEPING: [&str; 8] = [
            "auth", "client", "command", "config", "hello", "info", "script", "select",
        ];
        let info = ["INFO", "commandstats"];
        let info = self.gateway.database().command(info).await.unwrap();
        let Reply::Bulk(info) = info else {
            panic!("INFO answers with a text: {info:?}");
        };
        let info = String::from_utf8(info.to_vec()).unwrap();
        let calls = info.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let name = name.split('|').next()?;
            let calls = rest.split(',').next()?.parse::<u64>().ok()?;
            (!HOUSEKEEPING.contains(&name)).then_some(calls)
        });
        calls.sum()
    }

    /// What this costs.
    async fn measure<T>(&self, what: impl Future<Output = T>) -> Cost {
        self.gateway.clear();
        let before = self.executed().await;
        what.await;
        self.gateway.idle().await;
        let requests = self.gateway.requests().into_iter();
        let names = |commands: Vec<Vec<String>>| {
            let commands = commands.into_iter();
            commands.map(|mut command| command.swap_remove(0)).collect()
        };
        Cost {
            sent: requests.map(|request| names(request.commands)).collect(),
            executed: self.executed().await - before,
        }
    }

    /// Holds a cost against a row.
    #[track_caller]
    fn holds(&mut self, event: &str, cost: &Cost) {
        let row = self.rows.get_mut(event);
        let row = row.unwrap_or_else(|| panic!("no row `{event}` in runtime/docs/settings.md"));
        row.covered = true;
        let sent = cost.sent.concat();
        assert_eq!((row.number, &row.names), (sent.len(), &sent), "{event}");
        assert_eq!(row.executed, cost.executed, "{event}: {cost:?}");
        assert!(!row.in_one_request || cost.sent.len() == 1, "{event}");
    }

    /// One case of a row.
    async fn of<T>(&mut self, event: &str, what: impl Future<Output = T>) {
        let cost = self.measure(what).await;
        self.holds(event, &cost);
    }

    fn every_row_has_a_case(&self) {
        let uncovered = self.rows.iter().filter(|(_, row)| !row.covered);
        let uncovered: Vec<_> = uncovered.map(|(event, _)| event).collect();
        assert!(uncovered.is_empty(), "rows without a case: {uncovered:?}");
    }
}

#[tokio::test]
async fn each_event_costs_what_the_table_says() {
    let _ = needs_redis!();
    // Scripts and counts are the server's, so it is one of its own.
    let mut costs = Costs::start().await;
    let clock = ManualClock::new();
    let builder = builder(&costs.gateway).clock(clock.clone());
    let builder = builder.limit_budget(Duration::from_secs(5));
    let counted = builder.clone().build().unwrap();
    let pond = builder.limit_analytics(false).build().unwrap();
    within_a_minute(pond.scope(async {
        let costs = &mut costs;
        first_uses(costs, &pond).await;
        calls(costs, &pond).await;
        waiters(costs, &pond).await;
        processes(costs, &pond).await;
        values(costs, &pond).await;
        several_values(costs, &pond).await;
        counters(costs, &pond).await;
        hashes(costs, &pond).await;
        locks(costs, &pond).await;
        sessions(costs, &pond).await;
        transactions(costs, &pond).await;
        windows(costs, &pond).await;
        buckets(costs, &pond).await;
        several_limits(costs, &pond).await;
        analytics(costs, &counted).await;
        kept_values(costs, &pond).await;
        costs.every_row_has_a_case();
    }))
    .await;
}

/// The server knows no script before; afterwards it knows those that the other cases use.
async fn first_uses(costs: &mut Costs, pond: &Millpond) {
    let event = "first use of a script on a server, by `set` for example";
    costs.of(event, pond.set("cost:9", &9, ttl::SHORT)).await;
    let stats = pond.stats();
    let in_full = stats.commands - stats.cache.commands;
    assert_eq!(in_full, 1, "the text of the script");
    read(8).await;
    replace(8, 9).await;
    read_grouped::entry(8).put(&1).await.unwrap();
    let limiter = pond.limiter(&WINDOWS[0]);
    let decision = limiter.check("first").await.unwrap();
    limiter.refund(&decision).await.unwrap();
    pond.increment("first", 1, ttl::SHORT).await.unwrap();
    let lock = pond.lock("lock:first", MINUTE).await.unwrap();
    lock.extend(MINUTE).await.unwrap();
    lock.release().await.unwrap();
    let sessions = pond.sessions::<u32>(MINUTE);
    let id = sessions.create(&1).await.unwrap();
    sessions.rotate(&id).await.unwrap();
}

async fn calls(costs: &mut Costs, pond: &Millpond) {
    let by_hand = |key: &'static str| {
        let load = async || Ok::<_, std::fmt::Error>(7);
        pond.get_or_set(key, ttl::SHORT, load)
    };
    costs.of("miss and fill", read(1)).await;
    costs.of("hit", read(1)).await;
    costs.of("miss and fill", read(0)).await;
    costs.of("hit of a cached `None`", read(0)).await;
    costs.of("miss and fill", by_hand("cost:by-hand")).await;
    costs.of("hit", by_hand("cost:by-hand")).await;
    costs.of("miss of a function that fails", fail(1)).await;
    costs.of("`refresh`", millpond::refresh(read(1))).await;
    let event = "hit or miss, `local = \"only\"`";
    costs.of(event, read_here(1)).await;
    costs.of(event, read_here(1)).await;
    costs.of(event, read_here::invalidate(1)).await;
    let event = "`invalidate`, `delete`, `#[invalidates]`, per key";
    costs.of(event, read::invalidate(1)).await;
    costs.of(event, pond.delete("cost:2")).await;
    costs.of(event, change(3)).await;
    costs.of("`#[updates]`, per key", replace(1, 5)).await;
    costs.of("`put`, `set`", read::entry(1).put(&5)).await;
    pond.set("cost:4", "no number", ttl::SHORT).await.unwrap();
    let event = "miss and fill over a value that cannot be read";
    costs.of(event, read(4)).await;
    let event = "miss and fill, `guard = false`";
    costs.of(event, read_unguarded(1)).await;
    let event = "hit, `guard = false`";
    costs.of(event, read_unguarded(1)).await;
    let event = "`invalidate`, `guard = false`";
    costs.of(event, read_unguarded::invalidate(1)).await;
    let event = "`put`, `guard = false`";
    costs.of(event, read_unguarded::entry(1).put(&1)).await;
    let event = "`#[updates]`, `guard = false`";
    costs.of(event, replace_unguarded(1)).await;
    let tags = ["DEL", "@tag:group:1", "@tag:all"];
    pond.command(tags).await.unwrap();
    let event = "miss and fill, two tags that are absent";
    costs.of(event, read_grouped(1)).await;
    let event = "miss and fill, two tags";
    costs.of(event, read_grouped(2)).await;
    costs.of("hit, two tags", read_grouped(2)).await;
    let event = "`put`, of an entry with two tags";
    costs.of(event, read_grouped::entry(2).put(&1)).await;
    let event = "`#[updates]`, of an entry with two tags, and of one of them";
    costs.of(event, replace_grouped(2)).await;
    let event = "`invalidate` of a tag, however many entries";
    costs.of(event, group::invalidate(1)).await;
    read_written(1).await;
    let event = "miss and fill, a tag of the value";
    costs.of(event, read_written(2)).await;
    let event = "miss and fill, with a window of old values";
    read_again(1).await; // asks for the time
    costs.of(event, read_again(2)).await;
    let event = "hit that is loaded again in the background";
    let call = async {
        read_again(2).await;
        pond.flush().await
    };
    costs.of(event, call).await;
    read_batch(&[40, 41]).await;
    let event = "miss and fill, batch of three";
    costs.of(event, read_batch(&[42, 43, 44])).await;
    let event = "hit, batch of three";
    costs.of(event, read_batch(&[42, 43, 44])).await;
    let event = "hit, a tag of the value";
    costs.of(event, read_written(2)).await;
    let event = "`invalidate` of a tag that values name";
    costs.of(event, author::invalidate(1)).await;
    costs.of("`get`", read::entry(1).get()).await;
    costs.of("`exists`", read::entry(1).exists()).await;
    costs.of("`ttl`", read::entry(1).ttl()).await;
}

/// Last of all: from here on, this process tells others of tags too.
async fn kept_values(costs: &mut Costs, pond: &Millpond) {
    // Its first value makes a process subscribe, once.
    read_near(0).await;
    while pond.health().backplane().sentence() != "invalidations of other processes are heard" {
        tokio::task::yield_now().await;
    }
    costs.of("miss and fill", read_near(1)).await;
    let event = "hit in this process, `local = \"5s\"`";
    costs.of(event, read_near(1)).await;
    read_near_batch(&[2, 3, 4]).await;
    let event = "hit in this process, batch of three";
    costs.of(event, read_near_batch(&[2, 3, 4])).await;
    // This process keeps it no longer.
    pond.expire("near:4", ttl::LONG).await.unwrap();
    let event = "hit, batch of three of which this process keeps two";
    costs.of(event, read_near_batch(&[2, 3, 4])).await;
    let event = "`invalidate`, `#[invalidates]` of a function with `local`, per key";
    costs.of(event, read_near::invalidate(1)).await;
    costs
        .of("`put`, `local = \"5s\"`", read_near::entry(1).put(&1))
        .await;
    costs
        .of("`#[updates]`, `local = \"5s\"`", replace_near(1))
        .await;
    let event = "`invalidate` of a tag by a process that keeps values";
    costs.of(event, group::invalidate(1)).await;
}

async fn waiters(costs: &mut Costs, pond: &Millpond) {
    let (source, mut bodies) = source();
    let alone = costs.measure(async {
        let source = source.clone();
        let call = pond.spawn(async move { read_slowly(1, &source).await });
        bodies.next().await.answer(1);
        call.await.unwrap()
    });
    let alone = alone.await;
    let ten = costs.measure(async {
        let call = |_| {
            let source = source.clone();
            pond.spawn(async move { read_slowly(2, &source).await })
        };
        let calls: Vec<_> = (0..10).map(call).collect();
        let body = bodies.next().await;
        settle().await;
        body.answer(1);
        for call in calls {
            assert_eq!(call.await.unwrap(), 1);
        }
    });
    assert_eq!(ten.await, alone, "nine of them waited");
    assert_eq!(pond.stats().prefix("shared").shared, 9);
    let event = "hit by a caller who waited for another's load";
    costs.holds(event, &Cost::default());
}

/// One process loads a key for all, and another waits for it.
async fn processes(costs: &mut Costs, pond: &Millpond) {
    let event = "miss and fill, `flight = \"cluster\"`";
    let gateway = &costs.gateway;
    let cost = costs.measure(async {
        read_in_cluster(1).await;
        // The lease is given back in the background.
        gateway.wait_for(|requests| requests.len() >= 5).await;
    });
    let cost = cost.await;
    costs.holds(event, &cost);
    costs.of("hit", read_in_cluster(1)).await;
    let other = costs.gateway.database();
    let lease = "{clustered:2}:lease";
    other.command(["SET", lease, "taken"]).await.unwrap();
    let look = costs.gateway.hold("GET");
    let cost = costs.measure(async {
        let call = pond.spawn(read_in_cluster(2));
        look.arrived().await;
        other.command(["SET", "clustered:2", "2"]).await.unwrap();
        look.release();
        call.await.unwrap()
    });
    let mut cost = cost.await;
    // What the other process stored.
    cost.executed -= 1;
    let event = "miss that another process loads, `flight = \"cluster\"`, found at the first look";
    costs.holds(event, &cost);
}

async fn values(costs: &mut Costs, pond: &Millpond) {
    let key = "cost:value";
    costs
        .of("`put`, `set`", pond.set(key, &5, ttl::SHORT))
        .await;
    costs.of("`get`", pond.get::<u32>(key)).await;
    costs.of("`get`", pond.get::<u32>("cost:none")).await;
    costs.of("`exists`", pond.exists(key)).await;
    costs.of("`ttl`", pond.ttl(key)).await;
    costs.of("`explain`", pond.explain(key)).await;
    costs.of("`health().probe`", pond.health().probe()).await;
    costs.of("`expire`", pond.expire(key, ttl::LONG)).await;
    for _ in ["stored", "not stored"] {
        let set = pond.set_if_absent("cost:absent", &5, ttl::SHORT);
        costs.of("`set_if_absent`", set).await;
    }
}

async fn several_values(costs: &mut Costs, pond: &Millpond) {
    let keys = ["many:1", "many:2", "many:3"];
    let event = "`set_many`, of three values";
    let set = pond.set_many(keys.map(|key| (key, 1)), ttl::SHORT);
    costs.of(event, set).await;
    costs.of("`get_many`", pond.get_many::<u32>(keys)).await;
    let event = "`delete_many`, of three keys";
    costs.of(event, pond.delete_many(keys)).await;
    let entries = (0..1_500).map(|n| (format!("many:{n}"), n));
    pond.set_many(entries, ttl::SHORT).await.unwrap();
    let event = "`invalidate_pattern`, per thousand keys in the database";
    let all = costs.measure(pond.invalidate_pattern("many:*")).await;
    let pages = all.sent.len() / 2;
    assert!(pages >= 2, "two pages at the least: {all:?}");
    for page in all.sent.chunks(2) {
        let page = Cost {
            sent: page.to_vec(),
            executed: 2,
        };
        costs.holds(event, &page);
    }
    assert_eq!(all.executed, pages as u64 * 2);
}

async fn counters(costs: &mut Costs, pond: &Millpond) {
    let event = "`increment`, `decrement`";
    costs.of(event, pond.increment("count", 1, None)).await;
    costs.of(event, pond.decrement("count", 1, None)).await;
    let event = "`increment`, `decrement`, with a lifetime";
    for _ in ["the first", "another"] {
        costs.of(event, pond.increment("timed", 1, MINUTE)).await;
    }
}

async fn hashes(costs: &mut Costs, pond: &Millpond) {
    let hash = pond.hash("hash:1");
    costs.of("`hash().set`, `set_all`", hash.set("a", &1)).await;
    let all = BTreeMap::from([("a", 1), ("b", 2)]);
    costs
        .of("`hash().set`, `set_all`", hash.set_all(&all))
        .await;
    costs.of("`hash().get`", hash.get::<u32>("a")).await;
    let event = "`hash().get_many`, of any number of fields";
    costs.of(event, hash.get_many::<u32>(["a", "b", "c"])).await;
    let event = "`hash().get_all`";
    costs
        .of(event, hash.get_all::<BTreeMap<String, u32>>())
        .await;
    costs.of("`hash().increment`", hash.increment("a", 1)).await;
    costs.of("`hash().exists`", hash.exists("a")).await;
    costs.of("`hash().len`", hash.len()).await;
    costs.of("`hash().delete`", hash.delete(["a", "b"])).await;
    let timed = pond.hash("hash:2").expires_in(MINUTE);
    let event = "a write to a hash that `expires_in`, the first";
    costs.of(event, timed.set("a", &1)).await;
    let event = "a write to a hash that `expires_in`";
    costs.of(event, timed.increment("a", 1)).await;
    costs.of(event, timed.set("b", &1)).await;
    let event = "a write to a hash that `expires_in`, over fields that are there";
    costs.of(event, timed.set("b", &2)).await;
}

async fn locks(costs: &mut Costs, pond: &Millpond) {
    let mut guard = None;
    let event = "a lock taken";
    costs
        .of(event, async {
            guard = Some(pond.lock("lock:1", HOUR).await.unwrap());
        })
        .await;
    let event = "a look at a lock that is held";
    costs.of(event, pond.try_lock("lock:1", HOUR)).await;
    let guard = guard.unwrap();
    let event = "a lock extended, by itself or by hand";
    costs.of(event, guard.extend(2 * HOUR)).await;
    costs.of("a lock released", guard.release()).await;
}

async fn sessions(costs: &mut Costs, pond: &Millpond) {
    let sessions = pond.sessions::<u32>(HOUR);
    let mut id = None;
    costs
        .of("`sessions().create`, `update`", async {
            id = Some(sessions.create(&1).await.unwrap());
        })
        .await;
    let id = id.unwrap();
    let event = "`sessions().create`, `update`";
    costs.of(event, sessions.update(&id, &2)).await;
    costs.of("`sessions().get`", sessions.get(&id)).await;
    let sliding = sessions.clone().sliding();
    let event = "`sessions().get`, sliding";
    costs.of(event, sliding.get(&id)).await;
    costs.of("`sessions().touch`", sessions.touch(&id)).await;
    let event = "`sessions().rotate`";
    costs.of(event, sessions.rotate(&id)).await;
    costs
        .of("`sessions().destroy`", sessions.destroy(&id))
        .await;
}

async fn transactions(costs: &mut Costs, pond: &Millpond) {
    let transaction = pond.transaction();
    let transaction = transaction.command(["INCR", "a"]).command(["INCR", "a"]);
    let event = "`transaction`, of two `INCR`s";
    costs.of(event, transaction.send()).await;
}

async fn windows(costs: &mut Costs, pond: &Millpond) {
    for (limit, name) in WINDOWS.iter().zip(["a fixed window", "a sliding window"]) {
        let limiter = pond.limiter(limit);
        let event = format!("limit check, {name}, the first in it");
        costs.of(&event, limiter.check("u")).await;
        let event = format!("limit check, {name}");
        costs.of(&event, limiter.check("u")).await;
        costs.of("`peek` of a window", limiter.peek("u")).await;
        let decision = limiter.check("u").await.unwrap();
        costs
            .of("`refund` of a window", limiter.refund(&decision))
            .await;
        let event = "limit check that costs more than the limit";
        costs.of(event, limiter.check_n("u", 11)).await;
        limiter.check_n("u", 8).await.unwrap();
        let event = format!("limit check, {name}, refused");
        costs.of(&event, limiter.check("u")).await;
        let event = "limit check of a caller who is known to be refused";
        costs.of(event, limiter.check("u")).await;
        costs.of("`reset`", limiter.reset("u")).await;
    }
    let limiter = pond.limiter(&WINDOWS[0]);
    limiter.check("u").await.unwrap();
    let event = "limit check, a fixed window that others used up, refused";
    costs.of(event, limiter.check_n("u", 10)).await;
}

async fn buckets(costs: &mut Costs, pond: &Millpond) {
    let limiter = pond.limiter(&BUCKET);
    for _ in ["the first", "the next"] {
        costs
            .of("limit check, a token bucket", limiter.check_n("u", 2))
            .await;
    }
    costs
        .of("`peek` of a token bucket", limiter.peek("u"))
        .await;
    let decision = limiter.check("u").await.unwrap();
    costs
        .of("`refund` of a token bucket", limiter.refund(&decision))
        .await;
    let event = "limit check, a token bucket, refused";
    costs.of(event, limiter.check_n("u", 10)).await;
    let event = "limit check of a caller who is known to be refused";
    costs.of(event, limiter.check_n("u", 10)).await;
    costs.of("`reset`", limiter.reset("u")).await;
}

async fn several_limits(costs: &mut Costs, pond: &Millpond) {
    let two = pond.limiter(&WINDOWS[1]).and(&WINDOWS[0]);
    let third = Limit::sliding_window("HOURLY", 10, HOUR);
    let three = two.clone().and(&third);
    let name = "a sliding and a fixed window at once";
    several(costs, &two, name).await;
    let name = "two sliding windows and a fixed one at once";
    several(costs, &three, name).await;
}

async fn several(costs: &mut Costs, limiter: &Limiter, name: &str) {
    let event = format!("limit check, {name}, the first in all");
    costs.of(&event, limiter.check(name)).await;
    let event = format!("limit check, {name}");
    costs.of(&event, limiter.check(name)).await;
    limiter.check_n(name, 8).await.unwrap();
    let event = format!("limit check, {name}, refused");
    costs.of(&event, limiter.check(name)).await;
}

async fn analytics(costs: &mut Costs, pond: &Millpond) {
    let limiter = pond.limiter(&WINDOWS[0]);
    // Refused without a command, and counted.
    let count = async |id: &str| {
        limiter.check_n(id, 11).await.unwrap();
        pond.flush().await.unwrap();
    };
    // So that the server knows the script.
    count("somebody").await;
    let event = "analytics of one caller, the first time in an hour";
    costs.of(event, count("u")).await;
    let event = "analytics of one caller, once a second at most";
    costs.of(event, count("u")).await;
}

#[test]
fn the_short_tables_repeat_rows_of_the_long_one() {
    let long: Vec<&str> = lines(TABLE).collect();
    for (file, text) in [
        ("README.md", include_str!("../README.md")),
        ("lib.rs", include_str!("../runtime/src/lib.rs")),
    ] {
        let short: Vec<&str> = lines(text).collect();
        assert!(short.len() > 3, "{file} has a table of costs");
        for line in short {
            assert!(long.contains(&line), "{file}: {line}");
        }
    }
}
