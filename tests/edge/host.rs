//! A process that runs the Worker: workerd, or Node or Deno with the same module.

use millpond_gateway::{Gateway, program};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

/// What runs the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Workerd,
    Node,
    Deno,
}

/// A Worker that runs, until it is dropped.
pub(crate) struct Worker {
    url: String,
    client: Client,
    /// How long it took until it answered for the first time.
    pub(crate) cold: Duration,
    _input: ChildStdin,
    _process: Child,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
    headers: reqwest::header::HeaderMap,
}

impl Answer {
    /// A header field, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }

    /// The status and the text.
    pub(crate) fn said(&self) -> (u16, &str) {
        (self.status, &self.text)
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/edge")
}

/// The program that npm has installed for this machine, beside the package that would look for it.
fn deno() -> Option<PathBuf> {
    let packages = std::fs::read_dir(folder().join("node_modules/@deno")).ok()?;
    let programs = packages
        .flatten()
        .map(|package| package.path().join("deno"));
    programs.into_iter().find(|program| program.is_file())
}

/// Whether the machine has what builds and runs the Worker.
pub(crate) fn is_ready() -> bool {
    let folder = folder();
    let ready = program::found("node")
        && folder.join("node_modules/miniflare").is_dir()
        && deno().is_some()
        && edge().join("bin/wasm-bindgen").is_file();
    assert!(
        ready || !program::required(),
        "what builds or runs the Worker is missing; tests/run installs it"
    );
    ready
}

/// What of the Worker is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    Plain,
    /// With the feature `one-load`.
    OneLoad,
}

/// The folder of the Worker, built once.
pub(crate) fn built(what: Build) -> &'static Path {
    static PLAIN: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    static ONE_LOAD: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = match what {
        Build::Plain => PLAIN.get_or_init(|| build(None)),
        Build::OneLoad => ONE_LOAD.get_or_init(|| build(Some("one-load"))),
    };
    match built {
        Ok(folder) => folder,
        Err(said) => panic!("the Worker was not built without a warning:\n{said}"),
    }
}

/// Where everything is that is built or unpacked.
fn edge() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../edge")
}

fn build(feature: Option<&str>) -> Result<PathBuf, String> {
    // Both builds put the module into the same place before it is made smaller.
    static BUILDS: Mutex<()> = Mutex::new(());
    let _alone = BUILDS.lock().unwrap_or_else(PoisonError::into_inner);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("..");
    let mut build = std::process::Command::new(folder().join("build"));
    // Of the package that is being tested; they would confuse the other one.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG") || text.starts_with("CARGO_MANIFEST") {
            build.env_remove(&name);
        }
    }
    let build = build.args(feature).env("CARGO_TARGET_DIR", target);
    let output = build.output();
    let output = output.map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() || said.contains("warning") {
        return Err(said);
    }
    let name = feature.map_or("worker".to_owned(), |feature| format!("worker-{feature}"));
    Ok(edge().join(name))
}

/// The bindings for this gateway.
pub(crate) fn bindings(gateway: &Gateway, origin: &str) -> Value {
    json!({
        "UPSTASH_REDIS_REST_URL": gateway.url(),
        "UPSTASH_REDIS_REST_TOKEN": gateway.token(),
        "MILLPOND_BUDGET_MS": "20000",
        "ORIGIN": origin,
    })
}

impl Worker {
    /// Starts the Worker with these bindings, and KV namespaces under these names.
    pub(crate) async fn start(host: Host, bindings: &Value, namespaces: &[&str]) -> Self {
        Self::start_built(Build::Plain, host, bindings, namespaces).await
    }

    /// The same, of this build.
    pub(crate) async fn start_built(
        build: Build,
        host: Host,
        bindings: &Value,
        namespaces: &[&str],
    ) -> Self {
        let module = built(build);
        let mut command = Command::new(match host {
            Host::Workerd | Host::Node => "node".into(),
            Host::Deno => deno().expect("npm has installed it"),
        });
        let environment = bindings.as_object().expect("bindings have names");
        match host {
            Host::Workerd => {
                let options = json!({
                    "folder": module,
                    "bindings": bindings,
                    "namespaces": namespaces,
                });
                command.arg(folder().join("miniflare.mjs"));
                command.arg(options.to_string());
            }
            Host::Node => {
                command.arg(module.join("node.mjs"));
            }
            Host::Deno => {
                command.args(["run", "--quiet", "--no-lock", "--no-config", "--allow-net"]);
                command
                    .args(["--allow-env", "--allow-read"])
                    .arg(module.join("deno.mjs"));
            }
        }
        for (name, value) in environment {
            command.env(name, value.as_str().expect("a binding is a text"));
        }
        let mut process = command
            // workerd finds no module outside of the folder that it is started in.
            .current_dir(module)
            .env("PORT", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Killed, it would leave workerd behind, which it ends when its input does.
            .kill_on_drop(host != Host::Workerd)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let started = lines.next_line();
        let started = tokio::time::timeout(Duration::from_secs(60), started).await;
        let url = started.unwrap().unwrap().expect("the Worker started");
        let url = url.trim_end_matches('/').to_owned();
        let client = Client::builder().no_proxy().build().unwrap();
        let began = Instant::now();
        client.get(format!("{url}/")).send().await.unwrap();
        Self {
            cold: began.elapsed(),
            url,
            client,
            _input: process.stdin.take().unwrap(),
            _process: process,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.send(Method::POST, path, &[], body).await
    }

    pub(crate) async fn put(&self, path: &str, body: &str) -> Answer {
        self.send(Method::PUT, path, &[], body).await
    }

    /// Sends a request; fails if it hangs.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answered = async {
            let response = request.body(body.to_owned()).send().await.unwrap();
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let text = response.text().await.unwrap();
            Answer {
                status,
                text,
                headers,
            }
        };
        let answered = tokio::time::timeout(Duration::from_secs(60), answered).await;
        answered.unwrap_or_else(|_| panic!("{path} hangs"))
    }
}
