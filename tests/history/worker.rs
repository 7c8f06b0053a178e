//! One process of the history: it runs what it is told, many orders at a time, and says how each ended.

use crate::functions::{
    Load, change, change_group, change_old, read, read_many, read_old, read_page, read_pages,
    replace, replace_old, replace_page,
};
use crate::support::process::{orders, say};
use millpond::{CallStatus, Entry, Error, Lookup, Millpond, SessionId, ttl, with_status};
use millpond_gateway::{Database, Reply};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is true, beside the cache and past every fault: a version for each name, which only rises.
#[derive(Clone)]
pub(crate) struct Truth(Database);

impl Truth {
    pub(crate) async fn read(&self, name: &str) -> u64 {
        let reply = self.0.command(["GET", &format!("truth:{name}")]).await;
        let text = reply.expect("the database answers").text();
        text.map_or(0, |text| text.parse().expect("a version"))
    }

    async fn raise(&self, name: &str, version: u64) {
        const RAISE: &str = "if tonumber(redis.call('GET', KEYS[1]) or 0) < tonumber(ARGV[1]) \
                             then redis.call('SET', KEYS[1], ARGV[1]) end return 1";
        let (key, version) = (format!("truth:{name}"), version.to_string());
        let reply = self.0.command(["EVAL", RAISE, "1", &key, &version]).await;
        assert_eq!(reply.expect("the database answers"), Reply::Int(1));
    }
}

/// What a worker is told: `number verb name version pause drop`, the last two in milliseconds.
struct Order {
    verb: String,
    name: String,
    version: u64,
    pause: Duration,
    /// After this time the caller goes away.
    drop: Option<Duration>,
}

impl Order {
    fn parse(line: &str) -> (String, Self) {
        let words: Vec<&str> = line.split(' ').collect();
        let [number, verb, name, version, pause, drop] = words[..] else {
            panic!("an order of six words: {line}");
        };
        let number_of = |word: &str| word.parse::<u64>().expect("a number");
        let order = Self {
            verb: verb.to_owned(),
            name: name.to_owned(),
            version: number_of(version),
            pause: Duration::from_millis(number_of(pause)),
            drop: Some(number_of(drop))
                .filter(|drop| *drop > 0)
                .map(Duration::from_millis),
        };
        (number.to_owned(), order)
    }
}

#[derive(Clone)]
struct Worker {
    pond: Millpond,
    truth: Truth,
    sessions: Arc<Mutex<HashMap<String, SessionId>>>,
    /// What was read last, for batches.
    recent: Arc<Mutex<VecDeque<String>>>,
}

/// How many items a batch has at most.
const BATCH: usize = 4;

/// What an order came to: a version that was found, nothing that was found, or that it was done.
enum Found {
    Version(u64),
    /// An old value, which is loaded again or stands in for a failure.
    Old(u64),
    Nothing,
    Done,
    /// There was nothing to change.
    Gone,
}

impl From<Option<u64>> for Found {
    fn from(version: Option<u64>) -> Self {
        version.map_or(Self::Nothing, Self::Version)
    }
}

pub(crate) async fn work(pond: Millpond, truth: Database) {
    let worker = Worker {
        pond,
        truth: Truth(truth),
        sessions: Arc::default(),
        recent: Arc::default(),
    };
    let mut orders = orders();
    while let Some(line) = orders.recv().await {
        let worker = worker.clone();
        tokio::spawn(async move {
            let (number, order) = Order::parse(&line);
            let answer = worker.run(&order).await;
            say(&format!("{number} {answer}"));
        });
    }
}

impl Worker {
    async fn run(&self, order: &Order) -> String {
        const TRUE_FIRST: [&str; 10] = [
            "invalidate",
            "update",
            "put",
            "set",
            "set_many",
            "delete",
            "invalidate_group",
            "update_page",
            "invalidate_old",
            "update_old",
        ];
        if TRUE_FIRST.contains(&&*order.verb) {
            // What is true changes first; what is cached of it is what the operation is about.
            self.truth.raise(&order.name, order.version).await;
        }
        let operation = self.pond.scope(self.operate(order));
        let result = match order.drop {
            Some(patience) => match tokio::time::timeout(patience, operation).await {
                Ok(result) => result,
                Err(_) => return "dropped".to_owned(),
            },
            None => operation.await,
        };
        match result {
            Ok(Found::Version(version)) => format!("found {version}"),
            Ok(Found::Old(version)) => format!("old {version}"),
            Ok(Found::Nothing) => "nothing".to_owned(),
            Ok(Found::Done) => "done".to_owned(),
            Ok(Found::Gone) => "gone".to_owned(),
            Err(error) if error.may_have_run() => "unknown".to_owned(),
            Err(_) => "failed".to_owned(),
        }
    }

    /// This name, and what was read before it.
    fn batch_with(&self, name: &str) -> Vec<String> {
        let mut recent = self.recent.lock().unwrap();
        recent.retain(|other| other != name);
        recent.push_front(name.to_owned());
        recent.truncate(BATCH);
        recent.iter().cloned().collect()
    }

    /// What concerns values that are past their lifetime for the most part.
    async fn operate_on_old(&self, order: &Order, load: &Load) -> Result<Found, Error> {
        let (name, version) = (order.name.as_str(), order.version);
        let done = |()| Found::Done;
        match order.verb.as_str() {
            "read_old" => {
                let (read, status) = with_status(read_old(name, load)).await;
                Ok(match (read, status) {
                    (Ok(version), CallStatus::Stale { .. }) => Found::Old(version),
                    (Ok(version), _) => Found::Version(version),
                    // The source is down, and there is no old value.
                    (Err(_), _) => Found::Nothing,
                })
            }
            "get_old" => Ok(match read_old::entry(name).get().await? {
                Lookup::Hit(version) => Found::Version(version),
                Lookup::Stale(version) => Found::Old(version),
                _ => Found::Nothing,
            }),
            "invalidate_old" => {
                let Ok(()) = change_old(name).await;
                self.pond.flush().await.map(done)
            }
            "update_old" => {
                replace_old(name, version).await.expect("it returns one");
                self.pond.flush().await.map(done)
            }
            unknown => panic!("nobody taught me to {unknown}"),
        }
    }

    async fn operate(&self, order: &Order) -> Result<Found, Error> {
        let (name, version) = (order.name.as_str(), &order.version);
        // Two pages of each group, by chance.
        let page = order.pause.as_millis() % 2;
        let entry: Entry<u64> = read::entry(name);
        let key = format!("history:{name}");
        let hash = self.pond.hash(format!("fields:{name}"));
        let sessions = self.pond.sessions::<u64>(ttl::LONG);
        let done = |()| Found::Done;
        let load = Load {
            truth: self.truth.clone(),
            pause: order.pause,
        };
        match order.verb.as_str() {
            "read" => {
                self.batch_with(name);
                let version = read(name, &load).await;
                // A version from a body says nothing about the cache; the rules hold for it too.
                Ok(Found::Version(version))
            }
            "read_many" => {
                let names = self.batch_with(name);
                let versions = read_many(&names, &load).await;
                Ok(versions.get(name).copied().into())
            }
            verb if verb.ends_with("_old") => self.operate_on_old(order, &load).await,
            "read_page" => Ok(Found::Version(read_page(name, page, &load).await)),
            "read_pages" => {
                let versions = read_pages(name, &[0, 1], &load).await;
                assert_eq!(versions.len(), 2, "a page is missing");
                // What is too old is seen by the older one.
                Ok(versions.into_values().min().into())
            }
            "get_page" => {
                let page: Entry<u64> = read_page::entry(name, page);
                Ok(match page.get().await? {
                    Lookup::Hit(version) => Found::Version(version),
                    _ => Found::Nothing,
                })
            }
            "invalidate_group" => {
                let Ok(()) = change_group(name).await;
                self.pond.flush().await.map(done)
            }
            "update_page" => {
                replace_page(name, page, *version).await;
                self.pond.flush().await.map(done)
            }
            "get" => Ok(match entry.get().await? {
                Lookup::Hit(version) => Found::Version(version),
                _ => Found::Nothing,
            }),
            "invalidate" => {
                // It never fails its caller; whether it was delivered is what `flush` says.
                let Ok(()) = change(name).await;
                self.pond.flush().await.map(done)
            }
            "update" => {
                replace(name, *version).await;
                self.pond.flush().await.map(done)
            }
            "put" => entry.put(version).await.map(done),
            "set" => self.pond.set(key, version, ttl::LONG).await.map(done),
            "set_many" => {
                let entries = [(key, version)];
                self.pond.set_many(entries, ttl::LONG).await.map(done)
            }
            "delete" => self.pond.delete(key).await.map(|_| Found::Done),
            "hget" => Ok(hash.get::<u64>("field").await?.into()),
            "hset" => hash.set("field", version).await.map(|_| Found::Done),
            "hdelete" => hash.delete(["field"]).await.map(|_| Found::Done),
            "screate" => {
                let id = sessions.create(version).await?;
                self.sessions.lock().unwrap().insert(name.to_owned(), id);
                Ok(Found::Done)
            }
            verb => {
                let id = self.sessions.lock().unwrap().get(name).cloned();
                let Some(id) = id else {
                    return Ok(Found::Gone);
                };
                match verb {
                    "sget" => Ok(sessions.get(&id).await?.into()),
                    "supdate" => Ok(if sessions.update(&id, version).await? {
                        Found::Done
                    } else {
                        Found::Gone
                    }),
                    "sdestroy" => sessions.destroy(&id).await.map(|_| Found::Done),
                    "flush" => self.pond.flush().await.map(done),
                    unknown => panic!("nobody taught me to {unknown}"),
                }
            }
        }
    }
}
