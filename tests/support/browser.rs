//! The machine's own browser in one Node process: a JSON line in for a JSON line out.

use millpond_gateway::program;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// The folder of the driver.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser")
}

pub(crate) struct Browser {
    _process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Browser {
    /// The browser, or nothing where the machine lacks one; said in one line.
    pub(crate) fn start() -> Option<Self> {
        let packages = folder().join("node_modules/.package-lock.json").is_file();
        assert!(
            packages || !program::required(),
            "tests/browser/node_modules is missing; tests/run installs it"
        );
        let programs = ["chromium", "node"].map(program::present_or_required);
        if !packages || programs.contains(&false) {
            eprintln!(
                "left out: the test of the live page needs chromium, node and `npm ci` in tests/browser"
            );
            return None;
        }
        let mut process = Command::new("node")
            .args(["driver.mjs", "/usr/bin/chromium"])
            .current_dir(folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node starts");
        let input = process.stdin.take().expect("stdin is piped");
        let output = process.stdout.take().expect("stdout is piped");
        Some(Self {
            _process: process,
            input,
            output: BufReader::new(output).lines(),
        })
    }

    async fn act(&mut self, act: &str, mut step: Value) -> Value {
        step["act"] = act.into();
        let line = format!("{step}\n");
        let written = self.input.write_all(line.as_bytes()).await;
        written.expect("node reads");
        let line = self.output.next_line().await.expect("node writes");
        let answer: Value = line
            .and_then(|line| serde_json::from_str(&line).ok())
            .expect("a line of JSON");
        assert_eq!(answer.get("error"), None, "{step}");
        answer["value"].clone()
    }

    pub(crate) async fn open(&mut self, url: &str, with: Value) {
        let mut step = with;
        step["url"] = url.into();
        self.act("open", step).await;
    }

    /// Waits until this is true in the page.
    pub(crate) async fn wait(&mut self, expression: &str) -> Value {
        self.act("wait", json!({ "expression": expression })).await
    }

    pub(crate) async fn evaluate(&mut self, expression: &str) -> Value {
        self.act("evaluate", json!({ "expression": expression }))
            .await
    }

    pub(crate) async fn press(&mut self, key: &str) {
        self.act("press", json!({ "key": key })).await;
    }

    pub(crate) async fn type_text(&mut self, text: &str) {
        self.act("type", json!({ "text": text })).await;
    }

    pub(crate) async fn click(&mut self, selector: &str) {
        self.act("click", json!({ "selector": selector })).await;
    }

    pub(crate) async fn screenshot(&mut self, path: &Path) {
        self.act("screenshot", json!({ "path": path })).await;
    }

    /// Errors of scripts, what the policy refused, and requests to anywhere else.
    pub(crate) async fn complains_of_nothing(&mut self) {
        assert_eq!(self.act("complaints", json!({})).await, json!([]));
    }
}
