//! Hits in Redis: against callers, value size, processes and distance.

use crate::chart::{Axis, Series};
use crate::distance::away;
use crate::gateway::Served;
use crate::load::{Measured, measure};
use crate::{Outcome, save};
use millpond::Millpond;
use millpond_gateway::RedisServer;
use redis::aio::MultiplexedConnection;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A busy machine must not look like a server that is down.
const PATIENCE: Duration = Duration::from_mins(1);
const LASTS: Duration = Duration::from_millis(1_500);
const KEYS: u32 = 1_000;

const CALLERS: Axis = axis("callers at once", |number| format!("{number:.0}"));
const SIZE: Axis = axis("bytes of the value", bytes);
const PROCESSES: Axis = axis("processes, 32 callers each", |number| {
    format!("{number:.0}")
});
const DISTANCE: Axis = axis("round trip, ms", |number| format!("{number:.0}"));
const LATENCY: Axis = axis("time of a hit", micros);
const THROUGHPUT: Axis = axis("hits per second", thousands);

const fn axis(title: &'static str, shown: fn(f64) -> String) -> Axis {
    Axis { title, shown }
}

pub(crate) fn micros(value: f64) -> String {
    match value {
        ..1.0 => rounded(value * 1_000.0, "ns"),
        ..1_000.0 => rounded(value, "µs"),
        ..1_000_000.0 => rounded(value / 1_000.0, "ms"),
        _ => rounded(value / 1_000_000.0, "s"),
    }
}

pub(crate) fn thousands(value: f64) -> String {
    match value {
        ..1_000.0 => rounded(value, ""),
        ..1_000_000.0 => rounded(value / 1_000.0, "k"),
        _ => rounded(value / 1_000_000.0, "M"),
    }
}

fn bytes(value: f64) -> String {
    let text = thousands(value);
    format!(
        "{text}{}B",
        if text.ends_with(['k', 'M']) { "" } else { " " }
    )
}

/// With two digits at least.
fn rounded(value: f64, unit: &str) -> String {
    let decimals = usize::from(value < 10.0 && value.fract() > 0.05);
    format!("{value:.decimals$} {unit}").trim_end().to_owned()
}

#[millpond::cached(prefix = "text", ttl = "1h", key = "<size>:<id>", skip(pond), on = pond)]
async fn text(pond: &Millpond, size: usize, id: u32) -> String {
    char::from(b'a' + u8::try_from(id % 26).unwrap_or(0))
        .to_string()
        .repeat(size)
}

async fn hit(pond: &Millpond, size: usize, id: u32) {
    let text = text(pond, size, id % KEYS).await;
    assert_eq!(text.len(), size);
}

async fn get(connection: &MultiplexedConnection, id: u32) {
    let mut connection = connection.clone();
    let mut command = redis::cmd("GET");
    let key = format!("text:180:{}", id % KEYS);
    let found: Result<Vec<u8>, _> = command.arg(key).query_async(&mut connection).await;
    let text: String = serde_json::from_slice(&found.expect("an answer")).expect("JSON");
    assert_eq!(text.len(), 180);
}

fn over_resp(port: u16, database: u32) -> Outcome<Millpond> {
    let url = format!("redis://127.0.0.1:{port}/{database}");
    Ok(Millpond::builder().redis(url).budget(PATIENCE).build()?)
}

fn over_rest(port: u16, token: &str) -> Outcome<Millpond> {
    let url = format!("http://127.0.0.1:{port}");
    let builder = Millpond::builder().upstash(url, token);
    Ok(builder.budget(PATIENCE).build()?)
}

/// Everything has been loaded before it is measured.
async fn filled(pond: Millpond, size: usize, keys: u32) -> Millpond {
    for id in 0..keys {
        hit(&pond, size, id).await;
    }
    pond
}

/// Three lines for the latency of one engine.
struct Latency([Series; 3]);

impl Latency {
    fn of(name: &str) -> Self {
        Self(["p50", "p99", "p99.9"].map(|which| Series::new(format!("{name}, {which}"))))
    }

    fn push(&mut self, at: f64, measured: Measured) {
        let Measured { p50, p99, p999, .. } = measured;
        for (series, value) in self.0.iter_mut().zip([p50, p99, p999]) {
            series.points.push((at, value));
        }
    }
}

fn of_all(all: impl IntoIterator<Item = Latency>) -> Vec<Series> {
    all.into_iter().flat_map(|latency| latency.0).collect()
}

pub(crate) async fn draw() -> Outcome {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| "a provider is installed")?;
    let redis = RedisServer::start()?;
    let gateway = Served::start(redis.port(), 1)?;
    callers(&redis, &gateway).await?;
    sizes(&redis, &gateway).await?;
    distances(&redis, &gateway).await?;
    processes(&redis)
}

async fn callers(redis: &RedisServer, gateway: &Served) -> Outcome {
    let by_resp = filled(over_resp(redis.port(), 2)?, 180, KEYS).await;
    let by_http = filled(over_rest(gateway.port, &gateway.token)?, 180, KEYS).await;
    let url = format!("redis://127.0.0.1:{}/2", redis.port());
    let by_hand = redis::Client::open(url)?;
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
    let by_hand = by_hand
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    let mut latencies = [Latency::of("RESP"), Latency::of("REST")];
    let mut rates = ["RESP", "REST", "RESP, `redis` by hand"].map(Series::new);
    for count in [1, 10, 100, 1_000, 10_000] {
        let one = measure(count, LASTS, async |it, n| hit(&by_resp, 180, it + n).await).await;
        let two = measure(count, LASTS, async |it, n| hit(&by_http, 180, it + n).await).await;
        let hand = measure(count, LASTS, async |it, n| get(&by_hand, it + n).await).await;
        let at = f64::from(count);
        latencies[0].push(at, one);
        latencies[1].push(at, two);
        for (series, measured) in rates.iter_mut().zip([one, two, hand]) {
            series.points.push((at, measured.per_second));
        }
    }
    let title = "Latency of a hit against callers, one process";
    save(
        "callers-latency",
        title,
        (CALLERS, LATENCY),
        &of_all(latencies),
    )?;
    let title = "Hits per second against callers, one process";
    save("callers-throughput", title, (CALLERS, THROUGHPUT), &rates)
}

async fn sizes(redis: &RedisServer, gateway: &Served) -> Outcome {
    let memory = Millpond::memory();
    let by_resp = over_resp(redis.port(), 2)?;
    let by_http = over_rest(gateway.port, &gateway.token)?;
    let mut series = Vec::new();
    for (name, pond) in [("embedded", memory), ("RESP", by_resp), ("REST", by_http)] {
        let (mut p50, mut p99) = (
            Series::new(format!("{name}, p50")),
            Series::new(format!("{name}, p99")),
        );
        for size in [10_u32, 100, 1_000, 10_000, 100_000, 1_000_000] {
            let bytes = usize::try_from(size)?;
            let pond = filled(pond.clone(), bytes, 10).await;
            let measured = measure(1, LASTS / 2, async |_, n| hit(&pond, bytes, n % 10).await);
            let measured = measured.await;
            p50.points.push((f64::from(size), measured.p50));
            p99.points.push((f64::from(size), measured.p99));
        }
        series.extend([p50, p99]);
    }
    let title = "Latency of a hit against the size of the value, one caller";
    save("value-size", title, (SIZE, LATENCY), &series)
}

async fn distances(redis: &RedisServer, gateway: &Served) -> Outcome {
    let names = ["RESP", "REST"];
    let mut series = Vec::new();
    for name in names {
        for line in ["1 caller, p50", "32 callers, p50", "32 callers, p99"] {
            series.push(Series::new(format!("{name}, {line}")));
        }
    }
    for round_trip in [1_u32, 5, 30] {
        let time = Duration::from_millis(round_trip.into());
        let by_resp = over_resp(away(redis.port(), time).await?, 2)?;
        let by_http = over_rest(away(gateway.port, time).await?, &gateway.token)?;
        let at = f64::from(round_trip);
        for (pond, lines) in [by_resp, by_http].iter().zip(series.chunks_exact_mut(3)) {
            let call = async |it, n| hit(pond, 180, it + n).await;
            let one = measure(1, LASTS, call).await;
            let many = measure(32, LASTS, call).await;
            for (line, value) in lines.iter_mut().zip([one.p50, many.p50, many.p99]) {
                line.points.push((at, value));
            }
        }
    }
    let title = "Latency of a hit against the round trip to the server";
    save("round-trip", title, (DISTANCE, LATENCY), &series)
}

fn processes(redis: &RedisServer) -> Outcome {
    let mut latency = Latency::of("RESP");
    let mut rate = Series::new("all processes");
    for count in [1_u32, 2, 4, 8] {
        let port = redis.port().to_string();
        let children = (0..count).map(|_| {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["client", &port]).stdout(Stdio::piped());
            command.spawn()
        });
        let mut all = Vec::new();
        for child in children.collect::<Result<Vec<_>, _>>()? {
            let output = child.wait_with_output()?;
            let line = BufReader::new(&*output.stdout).lines().next();
            let line = line.ok_or("a client says nothing")??;
            let numbers: Result<Vec<f64>, _> = line.split(' ').map(str::parse).collect();
            all.push(numbers?);
        }
        // The worst of the processes.
        let most = |at: usize| all.iter().map(|it| it[at]).fold(0.0, f64::max);
        let per_second: f64 = all.iter().map(|it| it[3]).sum();
        let at = f64::from(count);
        latency.push(
            at,
            Measured {
                p50: most(0),
                p99: most(1),
                p999: most(2),
                per_second,
            },
        );
        rate.points.push((at, per_second));
    }
    let title = "Latency of a hit against processes on one Redis, the slowest of them";
    save(
        "processes-latency",
        title,
        (PROCESSES, LATENCY),
        &of_all([latency]),
    )?;
    let title = "Hits per second against processes on one Redis";
    save(
        "processes-throughput",
        title,
        (PROCESSES, THROUGHPUT),
        &[rate],
    )
}

/// One process of several.
pub(crate) async fn client(port: u16) -> Outcome {
    let pond = filled(over_resp(port, 2)?, 180, KEYS).await;
    let measured = measure(32, 2 * LASTS, async |it, n| hit(&pond, 180, it + n).await);
    let Measured {
        p50,
        p99,
        p999,
        per_second,
    } = measured.await;
    println!("{p50} {p99} {p999} {per_second}");
    Ok(())
}
