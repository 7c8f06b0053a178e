//! A Prometheus of a test's own.

use millpond_gateway::ports;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

/// How long what is waited for may take; a busy machine needs some of it.
const LONGEST: Duration = Duration::from_secs(60);

/// It scrapes its targets four times a second, and ends with its owner.
pub(crate) struct Prometheus {
    url: String,
    folder: PathBuf,
    process: Child,
}

impl Prometheus {
    /// Starts it with these targets, as the job `shop`, and the alerts of the repository.
    pub(crate) async fn start(targets: &[&str]) -> Self {
        let folder = folder();
        let alerts = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/dashboards/alerts.yml");
        // JSON is YAML, too.
        let configuration = serde_json::json!({
            "global": { "scrape_interval": "250ms", "evaluation_interval": "250ms" },
            "rule_files": [alerts],
            "scrape_configs": [{ "job_name": "shop", "static_configs": [{ "targets": targets }] }],
        });
        let file = folder.join("prometheus.yml");
        fs::write(&file, configuration.to_string()).unwrap();
        // A port that is free now may be taken a moment later.
        for _ in 0..10 {
            let address = format!("127.0.0.1:{}", ports::free().unwrap());
            let process = Command::new("prometheus")
                .arg(format!("--config.file={}", file.display()))
                .arg(format!("--storage.tsdb.path={}/data", folder.display()))
                .arg(format!("--web.listen-address={address}"))
                .current_dir(&folder)
                .stdout(Stdio::null())
                .stderr(fs::File::create(folder.join("log")).unwrap())
                .kill_on_drop(true)
                .spawn()
                .expect("prometheus starts");
            let mut server = Self {
                url: format!("http://{address}"),
                folder: folder.clone(),
                process,
            };
            if server.is_ready().await {
                return server;
            }
        }
        let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
        panic!("prometheus does not start:\n{log}");
    }

    /// Whether it is, before it ends.
    async fn is_ready(&mut self) -> bool {
        let since = Instant::now();
        while since.elapsed() < LONGEST && matches!(self.process.try_wait(), Ok(None)) {
            let answer = reqwest::get(format!("{}/-/ready", self.url)).await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return true;
            }
            pause().await;
        }
        false
    }

    /// What its API answers.
    pub(crate) async fn api(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let url = format!("{}/api/v1/{path}", self.url);
        let url = reqwest::Url::parse_with_params(&url, parameters).unwrap();
        let text = reqwest::get(url).await.unwrap().text().await.unwrap();
        let answer: Value = serde_json::from_str(&text).expect(&text);
        assert_eq!(answer["status"], "success", "{parameters:?}: {text}");
        answer["data"].clone()
    }

    /// The numbers that an expression has now.
    pub(crate) async fn numbers(&self, expression: &str) -> Vec<f64> {
        let data = self.api("query", &[("query", expression)]).await;
        let number = |sample: &Value| {
            let text = sample["value"][1].as_str().expect("a sample has a value");
            text.parse().expect("a value is a number")
        };
        let samples = data["result"].as_array().expect("a vector");
        samples.iter().map(number).collect()
    }

    /// Waits until an expression has one number, and this holds of it.
    pub(crate) async fn until(&self, expression: &str, holds: impl Fn(f64) -> bool) -> f64 {
        let since = Instant::now();
        loop {
            let numbers = self.numbers(expression).await;
            match numbers[..] {
                [number] if holds(number) => return number,
                _ => assert!(since.elapsed() < LONGEST, "{expression} is {numbers:?}"),
            }
            pause().await;
        }
    }

    /// Waits until an expression is this number.
    pub(crate) async fn until_is(&self, expression: &str, expected: u32) {
        let expected = f64::from(expected);
        let is = |number: f64| (number - expected).abs() < 1e-9;
        self.until(expression, is).await;
    }

    /// Waits until an expression has some number.
    pub(crate) async fn until_some(&self, expression: &str) {
        let since = Instant::now();
        while self.numbers(expression).await.is_empty() {
            assert!(since.elapsed() < LONGEST, "{expression} has no value");
            pause().await;
        }
    }

    /// The label names of a metric, each with its values.
    pub(crate) async fn series(&self, metric: &str) -> Vec<Value> {
        let data = self.api("series", &[("match[]", metric)]).await;
        data.as_array().expect("a list of series").clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // Best effort: the process may still write there.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Between two looks at a process that tells nobody when something changes.
pub(crate) async fn pause() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

/// An empty folder.
pub(crate) fn folder() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("prometheus-{}-{number}", std::process::id());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}
