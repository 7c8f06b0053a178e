//! A real `redis-server` on a free loopback port, without persistence, that dies with its owner.

use crate::ports;
use crate::resp::{Command, Connection, Reply};
use bytes::Bytes;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

// The shell lives until its standard input ends. That pipe is held by the test process alone, so
// the server stops even when the process is killed, and a static that is never dropped leaks nothing.
const WATCHDOG: &str = r#"
trap '' INT
port=$1 directory=$2
shift 2
redis-server --port "$port" --dir "$directory" --bind 127.0.0.1 --save '' --appendonly no --databases 4096 "$@" \
    </dev/null &
server=$!
exec >/dev/null
cat
kill -9 "$server"
wait "$server"
rm -rf "$directory"
"#;

/// The name of a setting, after two dashes, and its value.
pub type Argument = (&'static str, String);

/// A running `redis-server`, stopped when dropped or when this process ends.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    arguments: Vec<Argument>,
    watchdog: Mutex<Option<Child>>,
    next_database: AtomicU32,
}

impl RedisServer {
    /// Whether `redis-server` is on the `PATH`.
    pub fn available() -> bool {
        crate::program::found("redis-server")
    }

    /// Starts a server and returns when it answers.
    ///
    /// # Errors
    ///
    /// When the program cannot be started, or dies at once on several ports.
    pub fn start() -> io::Result<Self> {
        Self::start_with(|| Ok(Vec::new()))
    }

    /// Starts a server with these further arguments, and returns when it answers. They are asked for again when the
    /// server dies at once, since a port among them may be taken.
    ///
    /// # Errors
    ///
    /// Those of [`start`](Self::start), and that of `arguments`.
    pub fn start_with(arguments: impl Fn() -> io::Result<Vec<Argument>>) -> io::Result<Self> {
        let mut last = io::Error::other("no port tried");
        // A port that was free a moment ago may be taken by the time Redis binds it.
        for _ in 0..8 {
            let port = ports::free()?;
            let arguments = arguments()?;
            match launch(port, &arguments) {
                Ok(watchdog) => {
                    return Ok(Self {
                        port,
                        arguments,
                        watchdog: Mutex::new(Some(watchdog)),
                        next_database: AtomicU32::new(0),
                    });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The server that the tests of one binary share; each takes a [`database`](Self::database) of
    /// its own. Channels and loaded scripts are the server's, not the database's.
    ///
    /// `None` where `redis-server` is missing; see [`needs_redis!`](crate::needs_redis).
    ///
    /// # Panics
    ///
    /// When the server cannot be started, or is missing although `CI` or `MILLPOND_TEST_REQUIRE` is
    /// set.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<RedisServer>> = OnceLock::new();
        SHARED
            .get_or_init(|| {
                crate::program::present_or_required("redis-server")
                    .then(|| Self::start().expect("redis-server starts"))
            })
            .as_ref()
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A database that nobody else on this server has been given.
    ///
    /// # Panics
    ///
    /// After 4,096 of them.
    pub fn database(&self) -> Database {
        let number = self.next_database.fetch_add(1, Ordering::Relaxed);
        assert!(number < 4096, "this server has no databases left");
        Database {
            port: self.port,
            number,
        }
    }

    /// Kills the server; its port refuses connections until [`restart`](Self::restart).
    pub fn stop(&self) {
        let watchdog = self
            .watchdog
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(mut watchdog) = watchdog {
            drop(watchdog.stdin.take());
            // Nothing is left to be done if the shell was killed before.
            let _ = watchdog.wait();
        }
    }

    /// Starts an empty server on the same port, after [`stop`](Self::stop).
    ///
    /// # Errors
    ///
    /// When somebody else took the port meanwhile.
    pub fn restart(&self) -> io::Result<()> {
        self.stop();
        let watchdog = launch(self.port, &self.arguments)?;
        *self.watchdog.lock().unwrap_or_else(PoisonError::into_inner) = Some(watchdog);
        Ok(())
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn launch(port: u16, arguments: &[Argument]) -> io::Result<Child> {
    static LAUNCHES: AtomicU32 = AtomicU32::new(0);
    let launch = LAUNCHES.fetch_add(1, Ordering::Relaxed);
    let name = format!("millpond-redis-{}-{launch}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&directory)?;
    let mut watchdog = std::process::Command::new("sh")
        .args(["-c", WATCHDOG, "sh", &port.to_string()])
        .arg(&directory)
        .args(arguments.iter().flat_map(|(name, value)| [*name, value]))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let ready = watchdog
        .stdout
        .take()
        .ok_or(io::ErrorKind::BrokenPipe.into())
        .and_then(ready);
    if let Err(error) = ready {
        drop(watchdog.stdin.take());
        watchdog.wait()?;
        return Err(error);
    }
    Ok(watchdog)
}

// Redis says in its log when it accepts connections; when it dies, the log ends.
fn ready(log: ChildStdout) -> io::Result<()> {
    let mut log = BufReader::new(log);
    let mut line = String::new();
    let mut last = String::new();
    while log.read_line(&mut line)? > 0 {
        if line.contains("Ready to accept connections") {
            // The pipe has to be emptied for as long as the server lives.
            std::thread::spawn(move || io::copy(&mut log, &mut io::sink()));
            return Ok(());
        }
        last = std::mem::take(&mut line);
    }
    Err(io::Error::other(format!(
        "redis-server did not start: {}",
        last.trim()
    )))
}

/// One numbered database of a [`RedisServer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    port: u16,
    number: u32,
}

impl Database {
    /// A database of a Redis that this crate did not start.
    pub fn at(port: u16, number: u32) -> Self {
        Self { port, number }
    }

    /// The same database behind another port, that of a [`StallingProxy`](crate::StallingProxy).
    #[must_use]
    pub fn behind(&self, port: u16) -> Self {
        Self::at(port, self.number)
    }

    /// The port of its server.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address for a RESP client: `redis://127.0.0.1:<port>/<number>`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/{}", self.port, self.number)
    }

    /// Runs one command past every gateway, as other software on the same database would.
    ///
    /// # Errors
    ///
    /// When the connection breaks; an error of the command is a [`Reply::Error`].
    pub async fn command<A: AsRef<[u8]>>(
        &self,
        command: impl IntoIterator<Item = A>,
    ) -> io::Result<Reply> {
        let command: Command = command
            .into_iter()
            .map(|argument| Bytes::copy_from_slice(argument.as_ref()))
            .collect();
        self.connect().await?.call(&command).await
    }

    /// What a channel of this database is called on the server, which knows no databases there. An Upstash database
    /// shares its channels with no other.
    pub(crate) fn channel(&self, name: &Bytes) -> Bytes {
        [&name[..], self.suffix().as_bytes()].concat().into()
    }

    /// What stands behind the names of its channels.
    pub(crate) fn suffix(&self) -> String {
        match self.number {
            0 => String::new(),
            number => format!("@{number}"),
        }
    }

    pub(crate) async fn connect(&self) -> io::Result<Connection> {
        Connection::open(self.port, self.number).await
    }
}
