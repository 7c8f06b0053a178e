//! The published `@upstash/ratelimit` in a Node process, one JSON line for each call.

use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

pub struct Npm {
    _process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Npm {
    /// `None` where Node or the packages are missing and may be.
    pub fn start(url: &str, token: &str) -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop");
        if !millpond_gateway::program::present_or_required("node") {
            return None;
        }
        if !folder.join("node_modules/@upstash/ratelimit").exists() {
            let required = millpond_gateway::program::required();
            assert!(!required, "run `npm ci` in tests/interop first");
            return None;
        }
        let mut process = Command::new("node")
            .arg(folder.join("limit_driver.mjs"))
            .env("UPSTASH_REDIS_REST_URL", url)
            .env("UPSTASH_REDIS_REST_TOKEN", token)
            .env("UPSTASH_DISABLE_TELEMETRY", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node starts");
        let input = process.stdin.take().expect("stdin is piped");
        let output = BufReader::new(process.stdout.take().expect("stdout is piped")).lines();
        Some(Self {
            _process: process,
            input,
            output,
        })
    }

    pub async fn call(&mut self, step: &Value) -> Value {
        self.input
            .write_all(format!("{step}\n").as_bytes())
            .await
            .expect("node reads");
        let line = self
            .output
            .next_line()
            .await
            .expect("node writes")
            .expect("node lives");
        let answer: Value = serde_json::from_str(&line).expect("node writes JSON");
        assert_eq!(answer.get("error"), None, "{step}");
        answer
    }
}
