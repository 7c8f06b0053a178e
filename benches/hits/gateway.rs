//! The REST protocol in front of Redis, in a process of its own, so that its allocations are not ours.

use crate::Outcome;
use millpond_gateway::{Database, Gateway};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, Command, Stdio};

pub(crate) struct Served {
    pub(crate) port: u16,
    pub(crate) token: String,
    process: Child,
    // The process ends with this pipe.
    _stdin: ChildStdin,
}

impl Served {
    pub(crate) fn start(redis: u16, number: u32) -> Outcome<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["gateway", &redis.to_string(), &number.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = process.stdin.take().ok_or("no stdin")?;
        let stdout = process.stdout.take().ok_or("no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let (port, token) = line.trim().split_once(' ').ok_or("no gateway")?;
        Ok(Self {
            port: port.parse()?,
            token: token.to_owned(),
            process,
            _stdin: stdin,
        })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The other side: serves until standard input ends.
pub(crate) async fn serve(redis: u16, number: u32) -> Outcome {
    let gateway = Gateway::start(&Database::at(redis, number)).await?;
    let port = gateway
        .url()
        .rsplit(':')
        .next()
        .unwrap_or_default()
        .to_owned();
    println!("{port} {}", gateway.token());
    // It has a thread of its own.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
