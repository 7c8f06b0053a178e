//! A hit in Redis: over the REST protocol of Upstash, and over RESP.

use crate::Outcome;
use crate::concurrent::{self, Concurrent};
use crate::contestant::Contestant;
use crate::gateway::Served;
use crate::relay::Wire;
use crate::report;
use crate::rounds::{self, Times};
use crate::subject::{User, load};
use crate::targets::Measured;
use cpu_time::ThreadTime;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use millpond::Millpond;
use millpond_gateway::{Database, RedisServer, Reply};
use redis::RedisResult;
use redis::aio::ConnectionManager;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A busy machine must not look like a server that is down.
const PATIENCE: Duration = Duration::from_secs(30);
const AT_ONCE: usize = 32;
/// A multiple of the one above.
const COUNTED: u64 = 1_600;

#[millpond::cached(prefix = "user", ttl = "1h", key = "<id>", skip(pond), on = pond)]
async fn attribute(pond: &Millpond, id: u64) -> User {
    load(id)
}

/// `GET` and, on a miss, `SET`, by one POST each; no single flight, no guard, no time budget.
struct RestByHand {
    client: reqwest::Client,
    url: String,
    token: String,
}

#[derive(Deserialize)]
struct Answer {
    result: Option<String>,
}

impl RestByHand {
    fn new(port: u16, token: &str) -> Outcome<Self> {
        let roots = rustls::RootCertStore::empty();
        let tls = rustls::ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            client: reqwest::Client::builder()
                .tls_backend_preconfigured(tls)
                .build()?,
            url: format!("http://127.0.0.1:{port}"),
            token: token.to_owned(),
        })
    }

    async fn get(&self, id: u64) -> Outcome<User> {
        let key = format!("hand:{id}");
        if let Some(json) = self.command(&["GET", &key]).await? {
            return Ok(serde_json::from_str(&json)?);
        }
        let user = load(id);
        let json = serde_json::to_string(&user)?;
        self.command(&["SET", &key, &json, "EX", "3600"]).await?;
        Ok(user)
    }

    async fn command(&self, command: &[&str]) -> Outcome<Option<String>> {
        let request = self.client.post(&self.url).bearer_auth(&self.token);
        let response = request.body(serde_json::to_vec(command)?).send().await?;
        let body = response.error_for_status()?.bytes().await?;
        Ok(serde_json::from_slice::<Answer>(&body)?.result)
    }
}

/// `GET` and, on a miss, `SET`, over one connection that is shared and reconnects.
async fn resp_by_hand(connection: &ConnectionManager, id: u64) -> Outcome<User> {
    let mut connection = connection.clone();
    let key = format!("hand:{id}");
    let found: Option<Vec<u8>> = redis::cmd("GET")
        .arg(&key)
        .query_async(&mut connection)
        .await?;
    if let Some(json) = found {
        return Ok(serde_json::from_slice(&json)?);
    }
    let user = load(id);
    let mut set = redis::cmd("SET");
    set.arg(&key)
        .arg(serde_json::to_vec(&user)?)
        .arg("EX")
        .arg(3_600);
    set.exec_async(&mut connection).await?;
    Ok(user)
}

/// The same with what a hit through millpond promises: the guard is read with the value, callers of a key share one read,
/// the wait has an end, and the read goes on where its caller goes away. No retries, no breaker, no statistics.
#[derive(Clone)]
struct RespInFull {
    connection: ConnectionManager,
    flights: Arc<Mutex<HashMap<String, Flight>>>,
}

type Flight = Shared<BoxFuture<'static, Option<Arc<Vec<u8>>>>>;

impl RespInFull {
    async fn get(&self, id: u64) -> Outcome<User> {
        let key = format!("hand:{id}");
        if let Some(json) = self.join(&key).await {
            return Ok(serde_json::from_slice(&json)?);
        }
        resp_by_hand(&self.connection, id).await
    }

    fn join(&self, key: &str) -> Flight {
        let mut flights = self.flights.lock().expect("no panic");
        if let Some(flight) = flights.get(key) {
            return flight.clone();
        }
        let (this, name) = (self.clone(), key.to_owned());
        let read = tokio::spawn(async move { this.read(&name).await });
        let wait = async { tokio::time::timeout(PATIENCE, read).await.ok()?.ok()? };
        let flight = wait.boxed().shared();
        flights.insert(key.to_owned(), flight.clone());
        flight
    }

    async fn read(mut self, key: &str) -> Option<Arc<Vec<u8>>> {
        let mut get = redis::cmd("MGET");
        get.arg(key).arg(format!("{{{key}}}:guard"));
        let found: RedisResult<[Option<Vec<u8>>; 2]> = get.query_async(&mut self.connection).await;
        self.flights.lock().expect("no panic").remove(key);
        let [value, _guard] = found.ok()?;
        value.map(Arc::new)
    }
}

fn over_rest(port: u16, token: &str) -> Outcome<(Vec<Contestant>, Millpond)> {
    let by_hand = RestByHand::new(port, token)?;
    let pond = Millpond::builder()
        .upstash(format!("http://127.0.0.1:{port}"), token)
        .budget(PATIENCE)
        .build()?;
    let used = pond.clone();
    let contestants = vec![
        Contestant::new("by hand", async move |id| {
            by_hand.get(id).await.expect("an answer")
        }),
        Contestant::new("millpond", async move |id| attribute(&used, id).await),
    ];
    Ok((contestants, pond))
}

async fn over_resp(port: u16, number: u32) -> Outcome<Vec<Contestant>> {
    let url = format!("redis://127.0.0.1:{port}/{number}");
    let connection = redis::Client::open(url.as_str())?
        .get_connection_manager()
        .await?;
    let pond = Millpond::builder().redis(url).budget(PATIENCE).build()?;
    let in_full = RespInFull {
        connection: connection.clone(),
        flights: Arc::default(),
    };
    Ok(vec![
        Contestant::new("by hand", async move |id| {
            resp_by_hand(&connection, id).await.expect("an answer")
        }),
        Contestant::new("millpond", async move |id| attribute(&pond, id).await),
        Contestant::new("by hand, guard, flight, deadline, task", async move |id| {
            in_full.get(id).await.expect("an answer")
        }),
    ])
}

/// So many calls of one contestant and nothing else, for a profile.
pub(crate) async fn one(protocol: &str, name: &str, calls: u64, at_once: usize) -> Outcome {
    install_provider()?;
    let redis = RedisServer::start()?;
    let gateway = Served::start(redis.port(), 1)?;
    let contestants = match protocol {
        "rest" => over_rest(gateway.port, &gateway.token)?.0,
        "resp" => over_resp(redis.port(), 2).await?,
        _ => return Err("the protocol is rest or resp".into()),
    };
    let named = |contestant: &&Contestant| contestant.name == name;
    let contestant = contestants
        .iter()
        .find(named)
        .ok_or("nobody has this name")?;
    contestant.fill().await;
    let (wall, cpu) = (Instant::now(), ThreadTime::now());
    contestant.call(calls, at_once).await;
    let (wall, cpu) = (wall.elapsed(), cpu.elapsed());
    println!("{protocol}, {name}, {at_once} at once, {calls} calls: {wall:?}, CPU {cpu:?}");
    Ok(())
}

fn install_provider() -> Outcome {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| "a provider is installed".into())
}

pub(crate) async fn report() -> Outcome<Vec<Measured>> {
    if !RedisServer::available() {
        println!("\nredis-server is missing: no figures for a hit in Redis.");
        return Ok(Vec::new());
    }
    install_provider()?;
    let redis = RedisServer::start()?;
    let gateway = Served::start(redis.port(), 1)?;
    let database = redis.database();

    let wire = Wire::default();
    let (relayed, _) = over_rest(wire.in_front_of(gateway.port).await?, &gateway.token)?;
    let (direct, pond) = over_rest(gateway.port, &gateway.token)?;
    let by_http = tables("REST", &direct, &relayed, &wire, &database).await?;
    let together = concurrent::measured(&direct[1], &pond, &gateway).await?;

    let wire = Wire::default();
    let direct = over_resp(redis.port(), 2).await?;
    let relayed = over_resp(wire.in_front_of(redis.port()).await?, 2).await?;
    let by_resp = tables("RESP", &direct, &relayed, &wire, &database).await?;
    Ok(compared(&by_http, &together, &by_resp))
}

/// The ratios of one caller, and of many at once.
struct Ratios {
    one: Times,
    many: Times,
}

fn compared(by_http: &Ratios, together: &Concurrent, by_resp: &Ratios) -> Vec<Measured> {
    let row = |path, against, of, value: f64, most| Measured {
        path,
        against,
        of,
        value: Some(value),
        most,
    };
    let npm = |against, npm: Option<f64>| Measured {
        path: "1,000 hits at once over REST",
        against,
        of: "CPU",
        value: npm.map(|npm| together.own / npm),
        most: 0.2,
    };
    let cpu = |times: &Times| times.cpu.ratio.median;
    let wall = |times: &Times| times.wall.ratio.median;
    let (post, multiplexed) = ("a `reqwest` POST", "`redis` by hand");
    let (one, many) = ("hit over RESP", "32 hits at once over RESP");
    vec![
        row("hit over REST", post, "CPU", cpu(&by_http.one), 1.15),
        row("hit over REST", post, "time", wall(&by_http.one), 1.1),
        npm("`@upstash/redis`, a request each", together.one_by_one),
        npm("`@upstash/redis`, pipelined", together.pipelined),
        row(
            "1,000 hits at once over REST",
            "",
            "requests",
            together.requests,
            5.0,
        ),
        row(one, multiplexed, "time", wall(&by_resp.one), 1.1),
        row(one, multiplexed, "CPU", cpu(&by_resp.one), 1.15),
        row(many, multiplexed, "time", wall(&by_resp.many), 1.0),
        row(many, multiplexed, "CPU", cpu(&by_resp.many), 1.0),
    ]
}

async fn tables(
    protocol: &str,
    direct: &[Contestant],
    relayed: &[Contestant],
    wire: &Wire,
    database: &Database,
) -> Outcome<Ratios> {
    report::heading(&format!("A hit in Redis over {protocol}"));
    let mut one = rounds::run(direct, 1).await;
    report::times(&one);
    report::heading(&format!("{AT_ONCE} hits at once over {protocol}, each"));
    let mut many = rounds::run(direct, AT_ONCE).await;
    report::times(&many);
    report::heading(&format!("What a hit over {protocol} takes"));
    let mut rows = Vec::new();
    for (direct, relayed) in direct.iter().zip(relayed) {
        for at_once in [1, AT_ONCE] {
            let (allocations, _) = direct.allocations(COUNTED, at_once).await;
            relayed.fill().await;
            let (sent, received) = wire.bytes();
            let before = executed(database).await?;
            relayed.call(COUNTED, at_once).await;
            let commands = executed(database).await? - before;
            let now = wire.bytes();
            rows.push(report::Traffic {
                name: direct.name,
                at_once,
                commands: commands / COUNTED,
                sent: (now.0 - sent) / COUNTED,
                received: (now.1 - received) / COUNTED,
                allocations,
            });
        }
    }
    report::traffic(&rows);
    Ok(Ratios {
        one: one.swap_remove(1),
        many: many.swap_remove(1),
    })
}

/// Reads that the server has executed.
async fn executed(database: &Database) -> Outcome<u64> {
    let Reply::Bulk(text) = database.command(["INFO", "commandstats"]).await? else {
        return Err("INFO has another answer".into());
    };
    let text = String::from_utf8_lossy(&text).into_owned();
    let calls = |line: &str| {
        let (_, rest) = line.split_once("calls=")?;
        rest.split(',').next()?.parse::<u64>().ok()
    };
    let reads = text.lines().filter(|line| line.contains("get:"));
    Ok(reads.filter_map(calls).sum())
}
