//! A hit in Redis: over the REST protocol of Upstash, and over RESP.

use crate::Outcome;
use crate::concurrent::{self, Concurrent};
use crate::contestant::Contestant;
use crate::embedded::JSON;
use crate::gateway::Served;
use crate::in_full::{self, InFull, Resp, Rest};
use crate::relay::Wire;
use crate::report;
use crate::rounds::{self, Times};
use crate::subject::{User, load};
use crate::targets::Measured;
use cpu_time::ThreadTime;
use millpond::Millpond;
use millpond_gateway::{Database, RedisServer, Reply};
use redis::aio::ConnectionManager;
use serde::Deserialize;
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

fn over_rest(port: u16, token: &str) -> Outcome<(Vec<Contestant>, Millpond)> {
    let by_hand = RestByHand::new(port, token)?;
    let in_full = InFull::new(PATIENCE, Rest::new(port, token)?);
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
        in_full.contestant(),
    ];
    Ok((contestants, pond))
}

async fn over_resp(port: u16, number: u32) -> Outcome<Vec<Contestant>> {
    let url = format!("redis://127.0.0.1:{port}/{number}");
    let connection = redis::Client::open(url.as_str())?
        .get_connection_manager()
        .await?;
    let in_full = InFull::new(PATIENCE, Resp::new(&url).await?);
    let pond = Millpond::builder().redis(url).budget(PATIENCE).build()?;
    Ok(vec![
        Contestant::new("by hand", async move |id| {
            resp_by_hand(&connection, id).await.expect("an answer")
        }),
        Contestant::new("millpond", async move |id| attribute(&pond, id).await),
        in_full.contestant(),
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
    // One of them reads what the first has stored.
    contestants[0].fill().await;
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

/// What was reached, and what could be.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Measured>,
    pub(crate) floors: Vec<Measured>,
}

pub(crate) async fn report() -> Outcome<Report> {
    if !RedisServer::available() {
        println!("\nredis-server is missing: no figures for a hit in Redis.");
        return Ok(Report::default());
    }
    install_provider()?;
    let redis = RedisServer::start()?;
    let gateway = Served::start(redis.port(), 1)?;
    let database = redis.database();

    let wire = Wire::default();
    let (relayed, _) = over_rest(wire.in_front_of(gateway.port).await?, &gateway.token)?;
    let (direct, pond) = over_rest(gateway.port, &gateway.token)?;
    let by_http = tables("REST", &direct, &relayed, &wire, &database).await?;
    let together = concurrent::measured([&direct[1], &direct[2]], &pond, &gateway).await?;

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

/// Those of millpond, and of what keeps its promises by hand.
struct Tables {
    own: Ratios,
    in_full: Ratios,
}

const POST: &str = "a `reqwest` POST";
const MULTIPLEXED: &str = "`redis` by hand";

fn compared(by_http: &Tables, together: &Concurrent, by_resp: &Tables) -> Report {
    let npm = |path, own: f64, against, npm: Option<f64>| Measured {
        path,
        against,
        of: "CPU",
        value: npm.map(|npm| own / npm),
        most: 0.2,
    };
    let (thousand, pipelined) = (
        "1,000 hits at once over REST",
        "`@upstash/redis`, pipelined",
    );
    let mut rows = Vec::from(rest("hit over REST", &by_http.own));
    rows.extend([
        npm(
            thousand,
            together.own,
            "`@upstash/redis`, a request each",
            together.one_by_one,
        ),
        npm(thousand, together.own, pipelined, together.pipelined),
        row(thousand, "", "requests", together.requests, 5.0),
    ]);
    rows.extend(resp(
        ["hit over RESP", "32 hits at once over RESP"],
        &by_resp.own,
    ));
    let mut floors = Vec::from(rest("over REST, its promises by hand", &by_http.in_full));
    floors.push(npm(JSON, together.json, pipelined, together.pipelined));
    floors.push(npm(
        "1,000 at once over REST, its promises by hand",
        together.in_full,
        pipelined,
        together.pipelined,
    ));
    floors.extend(resp(
        [
            "over RESP, its promises by hand",
            "32 at once over RESP, its promises by hand",
        ],
        &by_resp.in_full,
    ));
    Report { rows, floors }
}

fn rest(path: &'static str, Ratios { one, .. }: &Ratios) -> [Measured; 2] {
    [
        row(path, POST, "CPU", one.cpu.ratio.median, 1.15),
        row(path, POST, "time", one.wall.ratio.median, 1.1),
    ]
}

fn resp([path, paths]: [&'static str; 2], Ratios { one, many }: &Ratios) -> [Measured; 4] {
    [
        row(path, MULTIPLEXED, "time", one.wall.ratio.median, 1.1),
        row(path, MULTIPLEXED, "CPU", one.cpu.ratio.median, 1.15),
        row(paths, MULTIPLEXED, "time", many.wall.ratio.median, 1.0),
        row(paths, MULTIPLEXED, "CPU", many.cpu.ratio.median, 1.0),
    ]
}

fn row(
    path: &'static str,
    against: &'static str,
    of: &'static str,
    value: f64,
    most: f64,
) -> Measured {
    Measured {
        path,
        against,
        of,
        value: Some(value),
        most,
    }
}

async fn tables(
    protocol: &str,
    direct: &[Contestant],
    relayed: &[Contestant],
    wire: &Wire,
    database: &Database,
) -> Outcome<Tables> {
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
    let mut take = |name| -> Option<Ratios> {
        let of = |times: &mut Vec<Times>| {
            let at = times.iter().position(|times| times.name == name)?;
            Some(times.swap_remove(at))
        };
        Some(Ratios {
            one: of(&mut one)?,
            many: of(&mut many)?,
        })
    };
    Ok(Tables {
        own: take("millpond").ok_or("not measured")?,
        in_full: take(in_full::NAME).ok_or("not measured")?,
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
