//! The published `@upstash/ratelimit` in one Node process: a JSON line in for a JSON line out.

use millpond_gateway::Gateway;
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

pub(crate) struct Npm {
    _process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Npm {
    pub(crate) fn start(gateway: &Gateway) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop");
        let mut process = Command::new("node")
            .arg("limit_driver.mjs")
            .current_dir(folder)
            .env("UPSTASH_REDIS_REST_URL", gateway.url())
            .env("UPSTASH_REDIS_REST_TOKEN", gateway.token())
            .env("UPSTASH_DISABLE_TELEMETRY", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node starts");
        let input = process.stdin.take().expect("stdin is piped");
        let output = process.stdout.take().expect("stdout is piped");
        Self {
            _process: process,
            input,
            output: BufReader::new(output).lines(),
        }
    }

    pub(crate) async fn call(&mut self, step: &Value) -> Value {
        let line = format!("{step}\n");
        self.input
            .write_all(line.as_bytes())
            .await
            .expect("node reads");
        let line = self.output.next_line().await.expect("node writes");
        let answer: Value = line
            .and_then(|line| serde_json::from_str(&line).ok())
            .expect("a line of JSON");
        assert_eq!(answer.get("error"), None, "{step}");
        answer
    }
}
