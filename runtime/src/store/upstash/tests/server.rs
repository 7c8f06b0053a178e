//! A tiny REST endpoint on loopback in front of the embedded engine, with faults on demand.

use crate::clock::Clock;
use crate::store::command::{Command, Effect, Reply, Script};
use crate::store::memory::Memory;
use crate::store::{Batch, Store};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};

/// What happens to one request instead of an ordinary answer.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// The connection closes without a byte.
    Close,
    /// The commands run, then the connection closes without a byte.
    RunAndClose,
    /// The headers promise more body than comes.
    Truncate,
    /// An ordinary answer, after which the connection closes without notice.
    LastAnswer,
    /// This status and body; nothing runs.
    Answer(u16, String),
}

pub(super) struct Request {
    pub(super) headers: Vec<(String, String)>,
    pub(super) commands: Vec<Vec<String>>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.commands.iter().map(|args| args[0].as_str()).collect()
    }
}

pub(super) struct Server {
    pub(super) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    memory: Memory,
    known: Mutex<HashSet<String>>,
    requests: Mutex<Vec<Request>>,
    faults: Mutex<VecDeque<Fault>>,
    /// Requests are answered as permits come; without `hold` there are plenty.
    gate: Semaphore,
    arrived: Notify,
}

const PLENTY: usize = 1_000_000;

impl Server {
    /// Runs on the current runtime.
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            memory: Memory::new(Clock::System, 64 << 20, Arc::default()),
            known: Mutex::default(),
            requests: Mutex::default(),
            faults: Mutex::default(),
            gate: Semaphore::new(PLENTY),
            arrived: Notify::new(),
        });
        let served = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(Arc::clone(&served), socket));
            }
        });
        Self { url, shared }
    }

    pub(super) fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.faults.lock().unwrap().extend(faults);
    }

    /// From now on each answer waits for a permit of [`Self::release`].
    pub(super) fn hold(&self) {
        self.shared.gate.forget_permits(PLENTY);
    }

    pub(super) fn release(&self, answers: usize) {
        self.shared.gate.add_permits(answers);
    }

    /// Waits until this many requests have arrived since the start.
    pub(super) async fn arrivals(&self, count: usize) {
        loop {
            let arrived = self.shared.arrived.notified();
            if self.requests(<[Request]>::len) >= count {
                return;
            }
            arrived.await;
        }
    }

    pub(super) fn requests<T>(&self, look: impl FnOnce(&[Request]) -> T) -> T {
        look(&self.shared.requests.lock().unwrap())
    }

    /// The names of the commands of each request, in the order of arrival.
    pub(super) fn log(&self) -> Vec<String> {
        self.requests(|requests| requests.iter().map(|it| it.names().join(" ")).collect())
    }
}

async fn serve(shared: Arc<Shared>, mut socket: TcpStream) {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut socket, &mut buffer).await {
        let commands = request.commands.clone();
        let fault = shared.faults.lock().unwrap().pop_front();
        let number = {
            let mut requests = shared.requests.lock().unwrap();
            requests.push(request);
            requests.len()
        };
        shared.arrived.notify_waiters();
        shared.gate.acquire().await.unwrap().forget();
        let truncated = matches!(fault, Some(Fault::Truncate));
        let last = truncated || matches!(fault, Some(Fault::LastAnswer));
        let (status, mut body) = match fault {
            Some(Fault::Close) => return,
            Some(Fault::RunAndClose) => {
                run(&shared, &commands).await;
                return;
            }
            Some(Fault::Answer(status, body)) => (status, body),
            Some(Fault::Truncate | Fault::LastAnswer) | None => {
                (200, run(&shared, &commands).await)
            }
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nupstash-sync-token: t{number}\r\n\r\n",
            body.len()
        );
        if truncated {
            body.truncate(body.len() / 2);
        }
        let _ = socket.write_all((head + &body).as_bytes()).await;
        if last {
            return;
        }
    }
}

async fn read_request(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
            let headers: Vec<(String, String)> = head
                .lines()
                .skip(1)
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
                .collect();
            let length = headers.iter().find(|(name, _)| name == "content-length");
            let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
            if buffer.len() >= end + 4 + length {
                assert!(head.starts_with("POST /pipeline HTTP/1.1"), "{head}");
                let body: Vec<u8> = buffer.drain(..end + 4 + length).skip(end + 4).collect();
                let commands = serde_json::from_slice(&body).unwrap();
                return Some(Request { headers, commands });
            }
        }
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

async fn run(shared: &Shared, commands: &[Vec<String>]) -> String {
    let mut answers = Vec::new();
    for args in commands {
        let Some(command) = understand(shared, args) else {
            answers.push(json!({"error": "NOSCRIPT No matching script. Please use EVAL."}));
            continue;
        };
        let batch = Batch {
            commands: vec![command],
            within: Duration::from_secs(1),
        };
        answers.push(match shared.memory.send(batch).await.remove(0) {
            Ok(reply) => json!({"result": encode(&reply, true)}),
            Err(error) => json!({"error": error.to_string()}),
        });
    }
    Value::Array(answers).to_string()
}

fn understand(shared: &Shared, args: &[String]) -> Option<Command> {
    let bytes = |args: &[String]| -> Vec<Bytes> { args.iter().cloned().map(Bytes::from).collect() };
    let by_source = args[0] == "EVAL";
    if !by_source && args[0] != "EVALSHA" {
        return Some(Command::new(Effect::Once, bytes(args)));
    }
    let script = Script::ALL.into_iter().find(|script| {
        args[1]
            == if by_source {
                script.upstash_source()
            } else {
                script.upstash_sha()
            }
    })?;
    let mut known = shared.known.lock().unwrap();
    if by_source {
        known.insert(script.upstash_sha().to_owned());
    } else if !known.contains(&args[1]) {
        return None;
    }
    let (keys, rest) = args[3..].split_at(args[2].parse().unwrap());
    Some(Command::script(
        script,
        Effect::Once,
        bytes(keys),
        bytes(rest),
    ))
}

fn encode(reply: &Reply, top: bool) -> Value {
    match reply {
        Reply::Nil => Value::Null,
        Reply::Int(number) => json!(number),
        Reply::Bulk(text) if top && text == "OK" => json!("OK"),
        Reply::Bulk(text) => json!(STANDARD.encode(text)),
        Reply::Array(items) => items.iter().map(|item| encode(item, false)).collect(),
        Reply::Error(error) => json!({"error": error.to_string()}),
    }
}
