//! A thousand hits at once over REST: the CPU time of the client, beside the client of npm.

use crate::Outcome;
use crate::contestant::Contestant;
use crate::embedded;
use crate::gateway::Served;
use crate::subject::USERS;
use cpu_time::ProcessTime;
use millpond::Millpond;
use std::path::Path;
use std::process::Command;

const ROUNDS: u32 = 30;

/// What a hit takes in either of them, in ns: the least of some rounds.
pub(crate) struct Concurrent {
    pub(crate) own: f64,
    /// With its promises by hand.
    pub(crate) in_full: f64,
    /// Of decoding what is found, and of freeing it.
    pub(crate) json: f64,
    /// Of a round in the mean.
    pub(crate) requests: f64,
    /// Nothing where Node or the package is missing.
    pub(crate) one_by_one: Option<f64>,
    /// As the package does it by default.
    pub(crate) pipelined: Option<f64>,
}

pub(crate) async fn measured(
    [contestant, in_full]: [&Contestant; 2],
    pond: &Millpond,
    gateway: &Served,
) -> Outcome<Concurrent> {
    contestant.fill().await;
    let before = pond.stats().requests;
    let own = least(contestant, usize::try_from(USERS)?).await;
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let requests = (pond.stats().requests - before) as f64 / f64::from(ROUNDS);
    let concurrent = Concurrent {
        own,
        in_full: {
            in_full.fill().await;
            least(in_full, usize::try_from(USERS)?).await
        },
        json: least(&embedded::json_alone()?, 1).await,
        requests,
        one_by_one: npm(gateway, "false")?,
        pipelined: npm(gateway, "true")?,
    };
    println!("\n1,000 hits at once over REST, CPU of one in ns:");
    println!("- millpond: {own:.0}, in {requests:.1} requests");
    println!("- {}: {:.0}", in_full.name, concurrent.in_full);
    println!("- {}: {:.0}", embedded::JSON, concurrent.json);
    for (how, npm) in [
        ("a request each", concurrent.one_by_one),
        ("pipelined", concurrent.pipelined),
    ] {
        if let Some(npm) = npm {
            println!("- `@upstash/redis`, {how}: {npm:.0}");
        }
    }
    Ok(concurrent)
}

/// The CPU time of a call in ns, so many of them at once: the least of some rounds.
async fn least(contestant: &Contestant, at_once: usize) -> f64 {
    let mut least = f64::INFINITY;
    for _ in 0..ROUNDS {
        let began = ProcessTime::now();
        contestant.call(USERS, at_once).await;
        #[expect(clippy::cast_precision_loss, reason = "a thousand")]
        let each = began.elapsed().as_secs_f64() * 1e9 / USERS as f64;
        least = least.min(each);
    }
    least
}

fn npm(gateway: &Served, pipelines: &str) -> Outcome<Option<f64>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/interop");
    if !folder.join("node_modules").exists() {
        return Ok(None);
    }
    let output = Command::new("node")
        .args([
            "concurrent_hits.mjs",
            "hand",
            &ROUNDS.to_string(),
            pipelines,
        ])
        .current_dir(folder)
        .env(
            "UPSTASH_REDIS_REST_URL",
            format!("http://127.0.0.1:{}", gateway.port),
        )
        .env("UPSTASH_REDIS_REST_TOKEN", &gateway.token)
        .env("UPSTASH_DISABLE_TELEMETRY", "1")
        .output();
    let Ok(output) = output else {
        return Ok(None);
    };
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(Some(String::from_utf8(output.stdout)?.trim().parse()?))
}
