//! One process of the history: it runs what it is told, many orders at a time, and says how each ended.

use crate::support::process::{orders, say};
use millpond::{Entry, Error, Lookup, Millpond, SessionId, Tag, cached, invalidates, ttl, updates};
use millpond_gateway::{Database, Reply};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is true, beside the cache and past every fault: a version for each name, which only rises.
#[derive(Clone)]
pub(crate) struct Truth(Database);

impl Truth {
    async fn read(&self, name: &str) -> u64 {
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

#[cached(prefix = "history", key = "<name>", ttl = "long", skip(load))]
async fn read(name: &str, load: &Load<'_>) -> u64 {
    load.load(name).await
}

/// The group of all pages of a name.
#[millpond::tag("group:<name>")]
fn group(name: &str) -> Tag;

/// One page of a group, whose version is that of the name.
#[cached(
    prefix = "paged",
    key = "<name>:<page>",
    ttl = "long",
    tags(group(name)),
    skip(load)
)]
async fn read_page(name: &str, page: u128, load: &Load<'_>) -> u64 {
    load.load(name).await
}

#[invalidates(group(name))]
async fn change_group(name: &str) -> Result<(), Infallible> {
    Ok(())
}

/// Stores one page, and moves the tag that this one and the others have.
#[updates(read_page(name, page), group(name))]
async fn replace_page(name: &str, page: u128, version: u64) -> u64 {
    version
}

struct Load<'a> {
    truth: &'a Truth,
    pause: Duration,
}

impl Load<'_> {
    async fn load(&self, name: &str) -> u64 {
        let version = self.truth.read(name).await;
        // A load that takes a while, so that changes happen meanwhile.
        tokio::time::sleep(self.pause).await;
        version
    }
}

#[invalidates(read(name))]
async fn change(name: &str) -> Result<(), Infallible> {
    Ok(())
}

#[updates(read(name))]
async fn replace(name: &str, version: u64) -> u64 {
    version
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
}

/// What an order came to: a version that was found, nothing that was found, or that it was done.
enum Found {
    Version(u64),
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
        const TRUE_FIRST: [&str; 8] = [
            "invalidate",
            "update",
            "put",
            "set",
            "set_many",
            "delete",
            "invalidate_group",
            "update_page",
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
            Ok(Found::Nothing) => "nothing".to_owned(),
            Ok(Found::Done) => "done".to_owned(),
            Ok(Found::Gone) => "gone".to_owned(),
            Err(error) if error.may_have_run() => "unknown".to_owned(),
            Err(_) => "failed".to_owned(),
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
        match order.verb.as_str() {
            "read" => {
                let load = Load {
                    truth: &self.truth,
                    pause: order.pause,
                };
                let version = read(name, &load).await;
                // A version from a body says nothing about the cache; the rules hold for it too.
                Ok(Found::Version(version))
            }
            "read_page" => {
                let load = Load {
                    truth: &self.truth,
                    pause: order.pause,
                };
                Ok(Found::Version(read_page(name, page, &load).await))
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
