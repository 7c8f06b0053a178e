//! Checks what an application of millpond needs: the environment, the database, the clocks.
//!
//! `cargo run --example doctor` says for each what is fine or what to do about it, and exits with 1 if
//! something is wrong. It sends some twenty commands, deletes what it writes, and never prints a token.

use millpond::limit::{Limit, Outcome};
use millpond::{Error, ErrorKind, Health, HealthState, Millpond, Reply};
use std::fmt::Display;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Pairs of variables, in the order in which `Millpond::from_env` looks for them.
const PAIRS: [(&str, &str); 3] = [
    ("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"),
    ("KV_REST_API_URL", "KV_REST_API_TOKEN"),
    ("UPSTASH_REDIS_URL", "UPSTASH_REDIS_TOKEN"),
];

/// Looked for after the pairs.
const REDIS_URL: &str = "REDIS_URL";

/// Allows plain http to another machine.
const PLAIN_HTTP: &str = "MILLPOND_ALLOW_PLAIN_HTTP";

const CONSOLE: &str =
    "both are in the Upstash console, https://console.upstash.com, under REST API";

/// What the doctor writes is gone after this time, whatever happens to the doctor.
const LIFE: Duration = Duration::from_secs(60);

/// Two checks and no more; in a bucket, since no window can end between them.
const LIMIT: Limit = Limit::token_bucket("DOCTOR", 2, LIFE, 2);

const PINGS: usize = 9;

/// A call of the cache gives up after 500 ms, and a miss takes two round trips.
const FAR: Duration = Duration::from_millis(50);

/// Windows of limits go by the clock of the machine that asks.
const SKEW: Duration = Duration::from_secs(1);

fn section(name: &str) {
    println!("{name}");
}

fn fine(what: impl Display) {
    println!("  fine    {what}");
}

/// Nothing is broken, but somebody may want to know.
fn note(what: impl Display, advice: impl Display) {
    println!("  note    {what}\n          {advice}");
}

/// How much is broken.
#[derive(Default)]
struct Report {
    wrong: usize,
}

impl Report {
    fn wrong(&mut self, what: impl Display, advice: impl Display) {
        self.wrong += 1;
        println!("  WRONG   {what}\n          {advice}");
    }

    fn end(self) -> ExitCode {
        match self.wrong {
            0 => println!("\nNothing is wrong."),
            1 => println!("\nOne thing is wrong."),
            many => println!("\n{many} things are wrong."),
        }
        if self.wrong == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// A database that the environment names.
struct Database {
    url: (&'static str, String),
    token: (&'static str, String),
}

fn variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok();
    value.filter(|value| !value.trim().is_empty())
}

/// Which database the environment names, if any.
fn environment(report: &mut Report) -> Option<Database> {
    section("environment");
    let mut pairs = PAIRS
        .map(|(url, token)| ((url, variable(url)), (token, variable(token))))
        .into_iter();
    let database = loop {
        match pairs.next() {
            Some(((_, None), (_, None))) => {}
            Some(((url, Some(address)), (token, Some(secret)))) => {
                break Database {
                    url: (url, address),
                    token: (token, secret),
                };
            }
            Some(_) => {
                half_a_pair(report);
                return None;
            }
            None if variable(REDIS_URL).is_some() => return None,
            None => {
                nothing();
                return None;
            }
        }
    };
    let before = report.wrong;
    look_at(report, database.url.0, &database.url.1);
    look_at(report, database.token.0, &database.token.1);
    let (name, url) = &database.url;
    let local = ["http://localhost", "http://127.", "http://[::1]"];
    if url.starts_with("http://") && !local.iter().any(|host| url.starts_with(host)) {
        if variable(PLAIN_HTTP).is_some() {
            note(
                format_args!(
                    "{name} begins with http, so the network sees the token and the values"
                ),
                format_args!("{PLAIN_HTTP} is set; use it in a network of your own only"),
            );
        } else {
            report.wrong(
                format_args!("{name} begins with http, which would show the token to the network"),
                format_args!("write https in its place, or set {PLAIN_HTTP}=1 for an emulator"),
            );
        }
    }
    if before == report.wrong {
        // The crate has the last word on what it would refuse.
        if let Err(error) = Millpond::from_env() {
            // With the embedded engine, the keys are all that the environment can get wrong.
            if Millpond::builder().memory().build().is_err() {
                report.wrong(error, "until then nothing is cached");
            } else {
                report.wrong(format_args!("{name}: {error}"), CONSOLE);
            }
            return None;
        }
        fine(format_args!("{name} and {} are set", database.token.0));
    }
    for ((url, address), (token, secret)) in pairs {
        if address.is_some() || secret.is_some() {
            note(
                format_args!("{url} or {token} is set, too"),
                format_args!("it is not looked at, since {name} is set"),
            );
        }
    }
    (before == report.wrong).then_some(database)
}

/// What a copy from a console or an .env file brings along.
fn look_at(report: &mut Report, name: &str, value: &str) {
    if value.trim() != value {
        report.wrong(
            format_args!("{name} begins or ends with white space"),
            "remove it; a line break at the end counts as well",
        );
    }
    let quotes = ['"', '\''];
    if value.trim().starts_with(quotes) || value.trim().ends_with(quotes) {
        report.wrong(
            format_args!("{name} is in quotes"),
            "remove them; not everything that reads an .env file does",
        );
    }
}

fn half_a_pair(report: &mut Report) {
    if let Err(error) = Millpond::from_env() {
        report.wrong(
            error,
            format_args!("{CONSOLE}; until then functions run uncached"),
        );
    }
    other_places();
}

/// What `REDIS_URL` leads to.
async fn redis(report: &mut Report) {
    let pond = match Millpond::from_env() {
        Ok(pond) => pond,
        Err(error) => return report.wrong(error, format_args!("correct {REDIS_URL}")),
    };
    if !cfg!(feature = "redis") {
        return note(
            format_args!("{REDIS_URL} is set, but this build lacks the feature `redis`"),
            "the embedded engine would be used; add the feature in Cargo.toml",
        );
    }
    let health = pond.health().probe().await;
    if health.engine().error_kind().is_none() {
        fine(format_args!("{REDIS_URL} is set, and that Redis answers"));
        whole(&health);
    } else {
        let advice = format_args!("check {REDIS_URL} and the network");
        report.wrong(health.engine().sentence(), advice);
    }
}

fn nothing() {
    let (url, token) = PAIRS[0];
    note(
        format_args!("Missing Upstash Redis credentials: neither {url} nor {token} is set"),
        "The embedded engine would be used: values and limits live in one process and go with it.",
    );
    println!("          For a database, {CONSOLE}:");
    println!("            export {url}=https://<name>.upstash.io");
    println!("            export {token}=<token>");
    other_places();
}

/// Where the variables may be instead: under another name, empty, or in a file that nobody has read.
fn other_places() {
    let known: Vec<&str> = PAIRS
        .iter()
        .flat_map(|(url, token)| [*url, *token])
        .collect();
    let alike = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let alike = alike.filter(|name| {
        let upper = name.to_ascii_uppercase();
        let is_near = upper.starts_with("UPSTASH_REDIS") || upper.starts_with("KV_REST_API");
        is_near && !known.contains(&name.as_str())
    });
    for name in alike {
        note(
            format_args!("{name} is set, and nobody reads it"),
            "verify that the names match exactly",
        );
    }
    for name in &known {
        if std::env::var(name).is_ok() && variable(name).is_none() {
            note(
                format_args!("{name} is there, and empty"),
                "that counts as not set",
            );
        }
    }
    for file in [".env.local", ".env"] {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if let Some(name) = known.iter().find(|name| text.contains(**name)) {
            note(
                format_args!("{file} names {name}, but this process has not been given it"),
                "export it, or load the file before the first call; then start the process anew",
            );
        }
    }
}

/// Commands on the database, with more patience than an application would have.
struct Patient {
    pond: Millpond,
    database: Database,
    /// Where the doctor writes.
    key: String,
    /// Whether the token was accepted: what is refused afterwards, it may not do.
    is_known: bool,
}

impl Patient {
    fn new(database: Database) -> Result<Self, Error> {
        let patience = Duration::from_secs(5);
        let pond = Millpond::builder()
            .upstash(&database.url.1, &database.token.1)
            .budget(patience)
            .limit_budget(patience)
            .retries(1)
            .guard_life(LIFE)
            .limit_prefix("millpond-doctor")
            .limit_analytics(false)
            .build()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_nanos();
        let key = format!("millpond-doctor:{}-{now}", std::process::id());
        Ok(Self {
            pond,
            database,
            key,
            is_known: false,
        })
    }

    async fn command(&self, words: &[&str]) -> Result<Reply, Error> {
        self.pond
            .command(words.iter().map(|word| (*word).to_owned()))
            .await
    }

    /// What to do about an error, with the names of the variables in use.
    fn advice(&self, error: ErrorKind) -> String {
        let (url, token) = (self.database.url.0, self.database.token.0);
        match error {
            ErrorKind::Auth if self.is_known => format!(
                "{token} may not do that: it is the read-only one, or one with few rights; take the other"
            ),
            ErrorKind::Auth => {
                format!("copy {token} anew; it must be that of the database at {url}")
            }
            ErrorKind::Unavailable => format!(
                "check {url}, and whether this machine may connect there; a free database that was \
                 not used for long may have been archived"
            ),
            ErrorKind::Timeout | ErrorKind::OutcomeUnknown => {
                format!("no answer for 5 s: check the network, and the region of {url}")
            }
            ErrorKind::Protocol => format!("what answers at {url} is no Upstash REST endpoint"),
            _ => "see the documentation of millpond::ErrorKind".to_owned(),
        }
    }

    async fn connection(&mut self, report: &mut Report) -> bool {
        let health = self.pond.health().probe().await;
        let engine = health.engine();
        match engine.error_kind() {
            None => {
                self.is_known = true;
                fine("it answers, and takes the token");
                true
            }
            Some(error) => {
                report.wrong(engine.sentence(), self.advice(error));
                false
            }
        }
    }

    async fn round_trip(&self, report: &mut Report) {
        let mut times = Vec::with_capacity(PINGS);
        for _ in 0..PINGS {
            let start = Instant::now();
            if let Err(error) = self.command(&["PING"]).await {
                report.wrong(&error, self.advice(error.kind()));
                return;
            }
            times.push(start.elapsed());
        }
        times.sort();
        let median = times[PINGS / 2];
        let told = format!("a round trip takes {median:.1?} (the median of {PINGS})");
        if median < FAR {
            fine(told);
        } else {
            note(
                told,
                "every hit waits as long: use a database in the region of your servers, and send what \
                 belongs together in a pipeline()",
            );
        }
    }

    /// Compares the clocks, by the quickest of three looks: its answer is the least uncertain.
    async fn clock(&self) {
        let mut looks = Vec::new();
        for _ in 0..3 {
            let (wall, start) = (SystemTime::now(), Instant::now());
            let reply = self.command(&["TIME"]).await;
            let took = start.elapsed();
            let here = wall.duration_since(UNIX_EPOCH).unwrap_or_default() + took / 2;
            match reply.as_ref().map(server_time) {
                Ok(Some(there)) => looks.push((took, here, there)),
                Ok(None) => {
                    return note(
                        "TIME was answered with something else",
                        "clocks were not compared",
                    );
                }
                Err(error) => {
                    return note(format_args!("TIME: {error}"), "clocks were not compared");
                }
            }
        }
        let Some((_, here, there)) = looks.into_iter().min() else {
            return;
        };
        let skew = here.abs_diff(there);
        let side = if here > there { "ahead of" } else { "behind" };
        let told = format!("this machine's clock is {skew:.1?} {side} the server's");
        if skew <= SKEW {
            fine(told);
        } else {
            note(
                told,
                "windows of limits go by this clock, so machines that differ count in different \
                 windows: set it by NTP",
            );
        }
    }

    async fn write(&self, report: &mut Report) -> bool {
        let life = LIFE.as_millis().to_string();
        let written = self
            .command(&["SET", &self.key, "written", "PX", &life])
            .await;
        if let Err(error) = written {
            report.wrong(
                format_args!("a write was refused: {error}"),
                self.advice(error.kind()),
            );
            return false;
        }
        match self.command(&["GET", &self.key]).await {
            Ok(Reply::Bulk(text)) if text == "written" => {
                fine("what is written is read back");
            }
            Ok(_) => report.wrong(
                "what was written is not read back",
                "is this one database, and does it have room? An eviction policy may remove new keys",
            ),
            Err(error) => report.wrong(&error, self.advice(error.kind())),
        }
        true
    }

    async fn script(&self, report: &mut Report) {
        let (key, value) = (self.key.as_str(), "by a script");
        let stored = self.pond.set(key, value, LIFE).await;
        let read = match stored {
            Ok(()) => self.pond.get::<String>(key).await,
            Err(error) => Err(error),
        };
        match read {
            Ok(found) if found.as_deref() == Some(value) => fine("scripts run"),
            Ok(_) => report.wrong(
                "what a script stored is not read back",
                "values are stored by scripts, so nothing would be cached",
            ),
            Err(error) => report.wrong(
                format_args!("a script was refused: {error}"),
                format_args!(
                    "values and limits need EVAL and EVALSHA; {}",
                    self.advice(error.kind())
                ),
            ),
        }
    }

    async fn limit(&self, report: &mut Report) {
        let limiter = self.pond.limiter(&LIMIT);
        let mut outcomes = Vec::new();
        for _ in 0..3 {
            match limiter.check(&self.key).await {
                Ok(decision) => outcomes.push(decision.outcome()),
                Err(error) => return report.wrong(&error, self.advice(error.kind())),
            }
        }
        if outcomes == [Outcome::Allowed, Outcome::Allowed, Outcome::Refused] {
            fine("a limit of two allows two and refuses the third");
        } else if outcomes.contains(&Outcome::Degraded) {
            report.wrong(
                "a limit got no answer",
                "until it does, each process counts for itself, or as `on_outage` says",
            );
        } else {
            report.wrong(
                format_args!("a limit of two decided {outcomes:?}"),
                "does something else write or delete keys that begin with millpond-doctor?",
            );
        }
    }

    /// Deletes what was written, the guard of the key included; runtime/docs/interop.md has its name.
    async fn clean_up(&self) {
        let guard = format!("{{{}}}:guard", self.key);
        let deleted = self.command(&["DEL", &self.key, &guard]).await;
        let reset = self.pond.limiter(&LIMIT).reset(&self.key).await;
        if let Err(error) = deleted.and(reset.map(|()| Reply::Nil)) {
            note(
                format_args!("what was written could not be deleted: {error}"),
                "it expires within a minute",
            );
        }
    }
}

/// What the cache says of itself after all that was asked of it.
fn whole(health: &Health) {
    let parts = [
        ("circuit breaker", health.circuit()),
        ("invalidations", health.invalidations()),
    ];
    for (part, check) in parts {
        let told = format!("{part}: {}", check.sentence());
        match check.state() {
            HealthState::Up => fine(told),
            state => note(told, format_args!("the cache is {state}")),
        }
    }
}

/// What `TIME` answers: seconds and microseconds.
fn server_time(reply: &Reply) -> Option<Duration> {
    let Reply::Array(parts) = reply else {
        return None;
    };
    let number = |part: &Reply| match part {
        Reply::Bulk(text) => std::str::from_utf8(text).ok()?.parse::<u64>().ok(),
        Reply::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    };
    let [seconds, micros] = parts.as_slice() else {
        return None;
    };
    Some(Duration::from_secs(number(seconds)?) + Duration::from_micros(number(micros)?))
}

async fn examine(report: &mut Report, database: Database) {
    section("database");
    let mut patient = match Patient::new(database) {
        Ok(patient) => patient,
        Err(error) => return report.wrong(error, CONSOLE),
    };
    if !patient.connection(report).await {
        return;
    }
    patient.round_trip(report).await;
    patient.clock().await;
    if patient.write(report).await {
        patient.script(report).await;
        patient.limit(report).await;
        patient.clean_up().await;
    }
    whole(&patient.pond.health());
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut report = Report::default();
    if let Some(database) = environment(&mut report) {
        examine(&mut report, database).await;
    } else if report.wrong == 0 && variable(REDIS_URL).is_some() {
        redis(&mut report).await;
    }
    report.end()
}
