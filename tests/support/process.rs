//! Another process: this test binary once more, where one ignored test plays a part that is told to
//! it line by line.

use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;

/// What a line of the other process begins with; the test harness prints lines of its own.
const MARK: &str = "said: ";

pub(crate) const CONFIGURATION: [&str; 8] = [
    "UPSTASH_REDIS_REST_URL",
    "UPSTASH_REDIS_REST_TOKEN",
    "KV_REST_API_URL",
    "KV_REST_API_TOKEN",
    "UPSTASH_REDIS_URL",
    "UPSTASH_REDIS_TOKEN",
    "REDIS_URL",
    "MILLPOND_ENCRYPTION_KEY",
];

/// The other process, as the test that started it holds it. It dies with its owner.
pub(crate) struct Process {
    child: Child,
    orders: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts the ignored test of this name with nothing configured but this.
    pub(crate) fn start(part: &str, environment: &[(&str, &str)]) -> Self {
        let itself = std::env::current_exe().expect("a process knows its binary");
        let mut command = Command::new(itself);
        command
            .args([
                part,
                "--exact",
                "--ignored",
                "--nocapture",
                "--test-threads=1",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        for name in CONFIGURATION {
            command.env_remove(name);
        }
        let mut child = command
            .envs(environment.iter().copied())
            .spawn()
            .expect("the test binary starts again");
        let orders = child.stdin.take().expect("its input is a pipe");
        let output = child.stdout.take().expect("its output is a pipe");
        Self {
            child,
            orders,
            lines: BufReader::new(output).lines(),
        }
    }

    /// Sends one line.
    pub(crate) async fn tell(&mut self, order: &str) {
        let order = format!("{order}\n");
        self.orders
            .write_all(order.as_bytes())
            .await
            .expect("the other process listens");
    }

    /// Sends it a signal by name: `STOP`, `CONT`, `KILL`.
    pub(crate) async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let kill = Command::new("kill").args(["-s", name, &id]).status().await;
        assert!(kill.expect("kill starts").success());
    }

    /// Waits for the next line that it says.
    pub(crate) async fn says(&mut self) -> String {
        while let Some(line) = self.lines.next_line().await.expect("its output is text") {
            if let Some((_, said)) = line.split_once(MARK) {
                return said.to_owned();
            }
        }
        panic!("the other process ended without a word")
    }

    /// Lets it end, and checks that it ended well.
    pub(crate) async fn end(mut self) {
        drop(self.orders);
        // It must be able to print its last words.
        while let Ok(Some(_)) = self.lines.next_line().await {}
        let status = self.child.wait().await.expect("a child can be waited for");
        assert!(status.success(), "the other process failed");
    }
}

/// The lines that the other process is told, until the test has no more.
pub(crate) fn orders() -> mpsc::UnboundedReceiver<String> {
    let (order, orders) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            // A part that has failed hears nothing more.
            let _ = order.send(line);
        }
    });
    orders
}

/// Says one line to the test.
pub(crate) fn say(text: &str) {
    println!("\n{MARK}{text}");
}
