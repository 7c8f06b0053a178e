//! Two processes hammer one budget in real time, one of them 100 ms away from the database, with short windows: where
//! a late check finds a window's counter expired, the window is opened twice. docs/interop.md has the table.

#![cfg(feature = "redis")]

mod support;

use millpond::Millpond;
use millpond::limit::Limit;
use millpond_gateway::needs_redis;
use std::collections::BTreeMap;
use std::time::{Duration, Instant, UNIX_EPOCH};
use support::process::{Process, orders, say};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

const SECOND: Duration = Duration::from_secs(1);
const HALF: Duration = Duration::from_millis(500);
const AWAY: Duration = Duration::from_millis(100);
const LIMITS: [Limit; 4] = [
    Limit::fixed_window("FIXED", 10, SECOND),
    Limit::fixed_window("SHORT", 10, HALF),
    Limit::sliding_window("SLIDING", 10, SECOND),
    Limit::token_bucket("BUCKET", 1, SECOND, 5),
];

/// So long both processes check, over several windows.
const LASTS: Duration = Duration::from_secs(4);

/// How many were admitted: by limit and window.
type Admitted = BTreeMap<(usize, u128), u64>;

/// Checks as fast as it can, and a little before and after the end of each window.
async fn hammer(url: String) -> Admitted {
    let pond = Millpond::builder().redis(url).limit_block_cache(false);
    let pond = pond.build().unwrap();
    let until = Instant::now() + LASTS;
    let tasks = (0..LIMITS.len() * 4).map(|task| {
        let limiter = pond.limiter(&LIMITS[task % LIMITS.len()]);
        tokio::spawn(async move {
            let mut ends = Vec::new();
            while Instant::now() < until {
                let decision = limiter.check("everybody").await.unwrap();
                if decision.is_allowed() && decision.reason().is_none() {
                    let end = decision
                        .reset()
                        .unwrap()
                        .duration_since(UNIX_EPOCH)
                        .unwrap();
                    ends.push((task % LIMITS.len(), end.as_millis()));
                }
                tokio::task::yield_now().await;
            }
            ends
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let mut admitted = Admitted::new();
    for task in tasks {
        for window in task.await.unwrap() {
            *admitted.entry(window).or_default() += 1;
        }
    }
    admitted
}

#[tokio::test]
#[ignore = "the other test runs it in a process of its own"]
async fn the_other_process() {
    let Ok(url) = std::env::var("OTHER_URL") else {
        return;
    };
    let mut orders = orders();
    while orders.recv().await.is_some() {
        let admitted = hammer(url.clone()).await;
        let rows = admitted
            .iter()
            .map(|((limit, end), count)| format!("{limit} {end} {count}"));
        say(&rows.collect::<Vec<_>>().join(","));
    }
}

/// Passes every byte on after this time, in both directions.
async fn delaying_proxy(port: u16, by: Duration) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let (client_in, client_out) = client.into_split();
            let (server_in, server_out) = server.into_split();
            tokio::spawn(delay(client_in, server_out, by));
            tokio::spawn(delay(server_in, client_out, by));
        }
    });
    own
}

async fn delay(
    mut from: impl AsyncRead + Unpin + Send + 'static,
    mut to: impl AsyncWrite + Unpin,
    by: Duration,
) {
    let (sender, mut receiver) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    tokio::spawn(async move {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            let bytes = buffer[..read].to_vec();
            if sender.send((Instant::now() + by, bytes)).is_err() {
                return;
            }
        }
    });
    while let Some((at, bytes)) = receiver.recv().await {
        tokio::time::sleep_until(at.into()).await;
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_window_admits_more_than_its_limit_however_far_a_process_is_away() {
    let redis = needs_redis!();
    let database = redis.database();
    let port = delaying_proxy(redis.port(), AWAY).await;
    let url = database.behind(port).url();
    let mut other = Process::start("the_other_process", &[("OTHER_URL", &url)]);
    let began = Instant::now();
    other.tell("hammer").await;
    let mut admitted = hammer(database.url()).await;
    let said = other.says().await;
    for row in said.split(',').filter(|row| !row.is_empty()) {
        let mut numbers = row.split(' ').map(|number| number.parse::<u128>().unwrap());
        let limit = usize::try_from(numbers.next().unwrap()).unwrap();
        let end = numbers.next().unwrap();
        let count = u64::try_from(numbers.next().unwrap()).unwrap();
        *admitted.entry((limit, end)).or_default() += count;
    }
    let windows = |of: usize| admitted.iter().filter(move |((limit, _), _)| *limit == of);
    let most = |of: usize| windows(of).map(|(_, count)| *count).max();
    let from_bucket: u64 = windows(3).map(|(_, count)| *count).sum();
    let flowed_in = began.elapsed().as_secs() + 1;
    println!("FIXED, SHORT, SLIDING: {:?}", [0, 1, 2].map(most));
    println!("BUCKET: {from_bucket} of 5 and {flowed_in}");
    for (at, limit) in LIMITS.iter().enumerate().take(3) {
        assert!(windows(at).count() >= 3, "{admitted:?}");
        assert_eq!(most(at), Some(10), "{}: {admitted:?}", limit.kind());
    }
    assert!((5..=5 + flowed_in).contains(&from_bucket), "{from_bucket}");
}

/// `cargo test --test limit_hammer -- --ignored --nocapture npm` prints the first column of the table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "two Node processes share one budget by themselves; what that admits is no promise of ours"]
async fn what_two_processes_of_npm_admit() {
    let redis = needs_redis!();
    let gateway = millpond_gateway::Gateway::start(&redis.database())
        .await
        .unwrap();
    let port = delaying_proxy(gateway.port(), AWAY).await;
    let node = |url: String| {
        tokio::process::Command::new("node")
            .arg("limit_hammer.mjs")
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop"))
            .env("UPSTASH_REDIS_REST_URL", url)
            .env("UPSTASH_REDIS_REST_TOKEN", gateway.token())
            .env("HAMMER_MS", LASTS.as_millis().to_string())
            .output()
    };
    let far = format!("http://127.0.0.1:{port}");
    let (near, far) = tokio::join!(node(gateway.url().clone()), node(far));
    let mut admitted = Admitted::new();
    for output in [near.unwrap(), far.unwrap()] {
        assert!(output.status.success(), "{output:?}");
        for row in String::from_utf8(output.stdout).unwrap().lines() {
            let mut numbers = row.split(' ').map(|number| number.parse::<u64>().unwrap());
            let limit = usize::try_from(numbers.next().unwrap()).unwrap();
            let end = u128::from(numbers.next().unwrap());
            *admitted.entry((limit, end)).or_default() += numbers.next().unwrap();
        }
    }
    for (at, limit) in LIMITS.iter().enumerate() {
        let counts = admitted.iter().filter(|((limit, _), _)| *limit == at);
        let counts: Vec<_> = counts.map(|(_, count)| *count).collect();
        println!(
            "{}: most {:?}, all {}",
            limit.kind(),
            counts.iter().max(),
            counts.iter().sum::<u64>()
        );
    }
}
