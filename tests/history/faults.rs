//! What goes wrong, and when.

use crate::PROCESSES;
use crate::dice::Dice;
use millpond_gateway::{Database, Fault, Gateway, Matcher, RedisServer, Stall, StallingProxy};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;

/// A database behind a proxy for each process, over REST or RESP.
pub(crate) struct Server {
    gateway: Option<Gateway>,
    database: Database,
    proxies: Vec<StallingProxy>,
    truth: String,
}

impl Server {
    pub(crate) async fn rest(redis: &RedisServer) -> Self {
        let gateway = Gateway::start(&redis.database()).await.unwrap();
        let database = gateway.database().clone();
        Self {
            proxies: proxies(gateway.port()).await,
            gateway: Some(gateway),
            database,
            truth: truth(redis),
        }
    }

    pub(crate) async fn resp(redis: &RedisServer) -> Self {
        Self {
            gateway: None,
            database: redis.database(),
            proxies: proxies(redis.port()).await,
            truth: truth(redis),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        if self.gateway.is_some() {
            "REST"
        } else {
            "RESP"
        }
    }

    /// What a process is told about itself.
    pub(crate) fn environment(&self, number: usize) -> [(&'static str, String); 3] {
        let proxy = &self.proxies[number];
        let (url, token) = match &self.gateway {
            Some(gateway) => (proxy.url(), gateway.token().to_owned()),
            None => (self.database.behind(proxy.port()).url(), String::new()),
        };
        [
            ("HISTORY_URL", url),
            ("HISTORY_TOKEN", token),
            ("HISTORY_TRUTH", self.truth.clone()),
        ]
    }
}

async fn proxies(port: u16) -> Vec<StallingProxy> {
    let mut proxies = Vec::new();
    for _ in 0..PROCESSES {
        proxies.push(StallingProxy::start(port).await.unwrap());
    }
    proxies
}

/// A database of its own, past every proxy: `port/number`.
fn truth(redis: &RedisServer) -> String {
    let url = redis.database().url();
    url.rsplit(':').next().unwrap().to_owned()
}

pub(crate) enum Next {
    OnServer(OnServer),
    Signal(usize, &'static str),
    Kill(usize),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum OnServer {
    Stall(usize),
    StallAnswers(usize),
    /// The oldest stall ends: its bytes arrive, or are lost.
    Release,
    Drop,
    Cut(usize),
    LoseAnswer,
    Refuse,
    Slow,
    /// The nonces of tags are gone, which costs misses.
    EvictTags,
}

struct Stalled {
    end: Instant,
    number: usize,
    stall: Stall,
}

pub(crate) struct Faults {
    dice: Dice,
    next: Instant,
    stalls: Vec<Stalled>,
    /// When the latest stall of each process ended.
    released: [Option<Instant>; PROCESSES],
    stopped: BTreeMap<usize, Instant>,
    counts: BTreeMap<&'static str, usize>,
}

impl Faults {
    pub(crate) fn new(dice: Dice) -> Self {
        Self {
            dice,
            next: Instant::now() + Duration::from_millis(200),
            stalls: Vec::new(),
            released: [None; PROCESSES],
            stopped: BTreeMap::new(),
            counts: BTreeMap::new(),
        }
    }

    fn milliseconds(&mut self, from: usize, to: usize) -> Duration {
        Duration::from_millis((from + self.dice.below(to - from)) as u64)
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Waits until something goes wrong, or ends going wrong. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> Next {
        let released = self.stalls.first().map_or(self.next, |first| first.end);
        let resumed = self.stopped.iter().min_by_key(|(_, end)| **end);
        let resumed = resumed.map_or(self.next, |(_, end)| *end);
        tokio::time::sleep_until(self.next.min(released).min(resumed)).await;
        let now = Instant::now();
        if released <= now && !self.stalls.is_empty() {
            return Next::OnServer(if self.dice.below(4) == 0 {
                OnServer::Drop
            } else {
                OnServer::Release
            });
        }
        let ready = self.stopped.iter().find(|(_, end)| **end <= now);
        if let Some((&number, _)) = ready {
            self.stopped.remove(&number);
            return Next::Signal(number, "CONT");
        }
        self.next = now + self.milliseconds(20, 220);
        let number = self.dice.below(PROCESSES);
        match self.dice.below(22) {
            0..=6 => Next::OnServer(OnServer::Stall(number)),
            7..=8 => Next::OnServer(OnServer::StallAnswers(number)),
            9..=10 => Next::OnServer(OnServer::Cut(number)),
            11..=13 => Next::OnServer(OnServer::LoseAnswer),
            14 => Next::OnServer(OnServer::Refuse),
            15..=16 => Next::OnServer(OnServer::Slow),
            17..=18 => Next::OnServer(OnServer::EvictTags),
            19..=20 => {
                self.count("processes stopped");
                let end = now + self.milliseconds(50, 500);
                self.stopped.insert(number, end);
                Next::Signal(number, "STOP")
            }
            _ => {
                self.stopped.remove(&number);
                self.count("processes killed");
                Next::Kill(number)
            }
        }
    }

    pub(crate) fn act(&mut self, fault: OnServer, server: &Server) {
        let any = ["EVALSHA", "SET", "MGET", "DEL", "GET"];
        let gateway = server.gateway.as_ref();
        match fault {
            OnServer::Stall(number) => {
                self.count("connections stalled");
                let end = Instant::now() + self.milliseconds(30, 700);
                let stall = server.proxies[number].stall();
                self.stalls.push(Stalled { end, number, stall });
            }
            OnServer::StallAnswers(number) => {
                self.count("answers stalled");
                let end = Instant::now() + self.milliseconds(30, 500);
                let stall = server.proxies[number].stall_answers();
                self.stalls.push(Stalled { end, number, stall });
            }
            // Without waiting for answers: what is late arrives among what is new.
            OnServer::Release => drop(self.take_stall()),
            OnServer::Drop => {
                self.count("stalls cut");
                self.take_stall().cut();
            }
            OnServer::Cut(number) => {
                self.count("connections cut");
                server.proxies[number].cut();
            }
            OnServer::LoseAnswer => {
                if let Some(gateway) = gateway {
                    self.count("answers lost");
                    let command = any[self.dice.below(any.len())];
                    gateway.inject(command, Fault::ResetAfter);
                }
            }
            OnServer::Refuse => {
                if let Some(gateway) = gateway {
                    self.count("requests refused");
                    let command = any[self.dice.below(any.len())];
                    gateway.inject(Matcher::command(command).times(2), Fault::status(503));
                }
            }
            OnServer::EvictTags => {
                const EVICT: &str = "for _, key in ipairs(redis.call('KEYS', '@tag:*')) do \
                                     redis.call('DEL', key) end";
                self.count("tags evicted");
                let database = server.database.clone();
                tokio::spawn(async move { database.command(["EVAL", EVICT, "0"]).await });
            }
            OnServer::Slow => {
                if let Some(gateway) = gateway {
                    self.count("answers slow");
                    let late = self.milliseconds(50, 400);
                    gateway.inject(any[self.dice.below(any.len())], Fault::Slow(late));
                }
            }
        }
        self.stalls.sort_by_key(|stalled| stalled.end);
    }

    /// The stall that ends first.
    fn take_stall(&mut self) -> Stall {
        let Stalled { number, stall, .. } = self.stalls.remove(0);
        self.released[number] = Some(Instant::now());
        stall
    }

    /// Whether a connection of this process was stalled for some of the time since then: what was sent on it
    /// may arrive after it was sent again, and acknowledged, on another.
    pub(crate) fn has_stalled(&self, number: usize, since: Instant) -> bool {
        self.stalls.iter().any(|stalled| stalled.number == number)
            || self.released[number].is_some_and(|released| released >= since)
    }

    /// Ends what is wrong with the server.
    pub(crate) fn end(&mut self, server: &Server) {
        while !self.stalls.is_empty() {
            drop(self.take_stall());
        }
        if let Some(gateway) = &server.gateway {
            gateway.heal();
        }
    }

    /// The processes that are stopped.
    pub(crate) fn stopped(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.stopped).into_keys().collect()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> = self
            .counts
            .iter()
            .map(|(what, count)| format!("{what} {count}"))
            .collect();
        f.write_str(&counts.join(", "))
    }
}
