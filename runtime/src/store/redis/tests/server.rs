//! A tiny RESP server on loopback in front of the embedded engine, with faults on demand.

use crate::clock::Clock;
use crate::error::Error;
use crate::store::command::{Command, Effect, Reply, Script};
use crate::store::memory::Memory;
use crate::store::{Batch, Store};
use bytes::Bytes;
use std::collections::{HashSet, VecDeque};
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};

/// What happens to one command instead of an ordinary answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// The connection closes without a byte.
    Close,
    /// The command runs, then the connection closes without a byte.
    RunAndClose,
    /// These bytes; nothing runs.
    Answer(&'static str),
}

pub(super) struct Server {
    pub(super) address: String,
    shared: Arc<Shared>,
}

struct Shared {
    memory: Memory,
    known: Mutex<HashSet<String>>,
    log: Mutex<Vec<String>>,
    faults: Mutex<VecDeque<Fault>>,
    gate: Semaphore,
    /// New connections are served as permits come.
    door: Semaphore,
    arrived: Notify,
    connections: Mutex<usize>,
}

const PLENTY: usize = 1_000_000;

impl Server {
    /// Runs on the current runtime.
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            memory: Memory::new(Clock::System, 64 << 20, Arc::default()),
            known: Mutex::default(),
            log: Mutex::default(),
            faults: Mutex::default(),
            gate: Semaphore::new(PLENTY),
            door: Semaphore::new(PLENTY),
            arrived: Notify::new(),
            connections: Mutex::default(),
        });
        let served = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                *served.connections.lock().unwrap() += 1;
                tokio::spawn(serve(Arc::clone(&served), socket));
            }
        });
        Self { address, shared }
    }

    pub(super) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub(super) fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.faults.lock().unwrap().extend(faults);
    }

    pub(super) fn hold(&self) {
        self.shared.gate.forget_permits(PLENTY);
    }

    pub(super) fn release(&self) {
        self.shared.gate.add_permits(PLENTY);
    }

    /// From now on nobody answers the handshake of a new connection.
    pub(super) fn shut(&self) {
        self.shared.door.forget_permits(PLENTY);
    }

    pub(super) fn unlock(&self) {
        self.shared.door.add_permits(PLENTY);
    }

    /// The names of the commands, in the order of arrival; the handshake's are left out.
    pub(super) fn log(&self) -> Vec<String> {
        self.shared.log.lock().unwrap().clone()
    }

    pub(super) fn connections(&self) -> usize {
        *self.shared.connections.lock().unwrap()
    }

    pub(super) async fn arrivals(&self, count: usize) {
        loop {
            let arrived = self.shared.arrived.notified();
            if self.log().len() >= count {
                return;
            }
            arrived.await;
        }
    }
}

async fn serve(shared: Arc<Shared>, mut socket: TcpStream) {
    shared.door.acquire().await.unwrap().forget();
    let mut buffer = Vec::new();
    while let Some(args) = read_command(&mut socket, &mut buffer).await {
        let name = String::from_utf8(args[0].to_vec()).unwrap();
        let answer = if name == "CLIENT" {
            "+OK\r\n".into()
        } else if name == "AUTH" {
            b"-WRONGPASS invalid username-password pair or user is disabled.\r\n".to_vec()
        } else {
            shared.log.lock().unwrap().push(name);
            shared.arrived.notify_waiters();
            shared.gate.acquire().await.unwrap().forget();
            let fault = shared.faults.lock().unwrap().pop_front();
            match fault {
                Some(Fault::Close) => return,
                Some(Fault::RunAndClose) => {
                    run(&shared, args).await;
                    return;
                }
                Some(Fault::Answer(bytes)) => bytes.into(),
                None => run(&shared, args).await,
            }
        };
        if socket.write_all(&answer).await.is_err() {
            return;
        }
    }
}

async fn read_command(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Vec<Bytes>> {
    loop {
        if let Some((args, length)) = parse(buffer) {
            buffer.drain(..length);
            return Some(args);
        }
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

fn parse(buffer: &[u8]) -> Option<(Vec<Bytes>, usize)> {
    let number = |at: usize| -> Option<(usize, usize)> {
        let end = buffer
            .get(at..)?
            .windows(2)
            .position(|two| two == b"\r\n")?
            + at;
        let text = std::str::from_utf8(&buffer[at + 1..end]).unwrap();
        Some((text.parse().unwrap(), end + 2))
    };
    let (count, mut at) = number(0)?;
    let mut args = Vec::new();
    for _ in 0..count {
        let (length, start) = number(at)?;
        args.push(Bytes::copy_from_slice(buffer.get(start..start + length)?));
        at = start + length + 2;
    }
    (at <= buffer.len()).then_some((args, at))
}

async fn run(shared: &Shared, args: Vec<Bytes>) -> Vec<u8> {
    let Some(command) = understand(shared, args) else {
        return b"-NOSCRIPT No matching script. Please use EVAL.\r\n".to_vec();
    };
    let batch = Batch {
        commands: vec![command],
        within: Duration::from_secs(1),
    };
    let mut answer = Vec::new();
    encode(&shared.memory.send(batch).await.remove(0), &mut answer);
    answer
}

fn understand(shared: &Shared, args: Vec<Bytes>) -> Option<Command> {
    let by_source = args[0] == "EVAL";
    if !by_source && args[0] != "EVALSHA" {
        return Some(Command::new(Effect::Once, args));
    }
    let script = Script::ALL.into_iter().find(|script| {
        args[1]
            == if by_source {
                script.source()
            } else {
                script.sha()
            }
    })?;
    let mut known = shared.known.lock().unwrap();
    if by_source {
        known.insert(script.sha().to_owned());
    } else if !known.contains(script.sha()) {
        return None;
    }
    let count: usize = std::str::from_utf8(&args[2]).unwrap().parse().unwrap();
    let (keys, rest) = args[3..].split_at(count);
    Some(Command::script(
        script,
        Effect::Once,
        keys.to_vec(),
        rest.to_vec(),
    ))
}

fn encode(reply: &Result<Reply, Error>, answer: &mut Vec<u8>) {
    let mut head = String::new();
    let mut tail: &[u8] = b"";
    match reply {
        Err(error) | Ok(Reply::Error(error)) => write!(head, "-{error}\r\n").unwrap(),
        Ok(Reply::Nil) => head.push_str("$-1\r\n"),
        Ok(Reply::Int(number)) => write!(head, ":{number}\r\n").unwrap(),
        Ok(Reply::Bulk(text)) if text == "OK" => head.push_str("+OK\r\n"),
        Ok(Reply::Bulk(text)) => {
            write!(head, "${}\r\n", text.len()).unwrap();
            answer.extend_from_slice(head.as_bytes());
            answer.extend_from_slice(text);
            head.clear();
            tail = b"\r\n";
        }
        Ok(Reply::Array(items)) => {
            write!(head, "*{}\r\n", items.len()).unwrap();
            answer.extend_from_slice(head.as_bytes());
            for item in items {
                encode(&Ok(item.clone()), answer);
            }
            return;
        }
    }
    answer.extend_from_slice(head.as_bytes());
    answer.extend_from_slice(tail);
}
