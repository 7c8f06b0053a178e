//! Why a key is found or missed: what the server holds under it and what this process knows of it,
//! and never the content.

use crate::error::Error;
use crate::key::{FullKey, Key};
use crate::pond::{self, Millpond};
use crate::store::command::{Command, Effect, Reply};
use crate::value;
use crate::values::TimeLeft;
use bytes::Bytes;
use serde::de::IgnoredAny;
use std::fmt;
use std::time::Duration;

/// So many bytes of a value are looked at, to tell what kind it is.
const SAMPLE: usize = 1024;

/// What the header of an envelope begins with.
const ENVELOPE: &[u8] = br#"{"millpond":"#;

/// What a key holds and what is known of it; made by [`Millpond::explain`]. As text it says in a few
/// lines what that means and what to do. It holds the key, but nothing of the value.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{Millpond, ttl};
///
/// let pond = Millpond::builder().namespace("staging").build()?;
/// pond.set("user:42", "Ada", ttl::MEDIUM).await?;
/// pond.delete("user:42").await?;
/// let why = pond.explain("user:42").await?;
/// assert_eq!(why.key(), "staging:user:42");
/// assert!(why.to_string().contains("invalidated or written within the last 5 min"));
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    key: String,
    /// What `TYPE` answers; nothing for a key that is not there.
    redis_type: Option<String>,
    left: TimeLeft,
    /// Bytes of a string, members of anything else.
    size: Option<u64>,
    value: Option<ValueKind>,
    guard: TimeLeft,
    guard_life: Duration,
    loading: bool,
    undelivered: bool,
}

/// What the bytes of a stored value look like; see [`Explanation::value`].
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{Millpond, ValueKind, ttl};
///
/// let pond = Millpond::memory();
/// pond.set("user:42", &None::<u8>, ttl::SHORT).await?;
/// assert_eq!(pond.explain("user:42").await?.value(), Some(ValueKind::Null));
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueKind {
    /// JSON: what millpond stores, and most other clients.
    Json,
    /// A cached `None`: known to be nothing.
    Null,
    /// Text that is no JSON; it reads as a `String`, which is how `@upstash/redis` writes strings.
    Text,
    /// A header of millpond's with the value behind it, compressed or encrypted.
    Envelope,
    /// None of these. A read of it fails, and the next load overwrites it.
    Unknown,
}

impl Millpond {
    /// Looks into a key and into what this process knows of it: for the question why a value that was
    /// stored is not found. One request of commands that only read, which changes nothing and
    /// delivers nothing; of the value, its first kilobyte at the most.
    ///
    /// This version keeps no copies of values in the process beside the embedded engine, so there is
    /// none to look into.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidKey`](crate::ErrorKind::InvalidKey), and what can go wrong on the way.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, TimeLeft};
    ///
    /// let pond = Millpond::memory();
    /// let why = pond.explain("user:42").await?;
    /// assert!(!why.exists());
    /// assert_eq!(why.guard(), TimeLeft::Missing);   // nobody invalidated it lately
    /// println!("{why}");
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn explain(&self, key: impl Into<Key>) -> Result<Explanation, Error> {
        let key = key.into();
        key.check()?;
        let full = self.full(&key);
        let name = pond::text(&full);
        let loading = self.0.flights.is_loading(&name);
        let undelivered = self.0.pending.ticket(&full).is_some();
        let commands = questions(&full);
        let tally = self.0.ledger.tally(key.prefix());
        tally.commands.add(commands.len() as u64);
        let replies = self.send(commands, self.0.settings.budget).await;
        let found = Found::read(replies).inspect_err(|_| tally.errors.add(1))?;
        Ok(Explanation {
            key: name,
            redis_type: found.redis_type,
            left: found.left,
            size: found.size,
            value: found.value,
            guard: found.guard,
            guard_life: self.0.settings.guard_life,
            loading,
            undelivered,
        })
    }
}

/// All that could be asked about a key of any type, since its type is not known before the answer.
fn questions(key: &FullKey) -> Vec<Command> {
    let ask = |name: &'static str, key: &Bytes, rest: &[String]| {
        let rest = rest.iter().map(|arg| Bytes::from(arg.clone()));
        let args = [Bytes::from_static(name.as_bytes()), key.clone()];
        Command::new(Effect::Read, args.into_iter().chain(rest))
    };
    let sample = ["0".to_owned(), (SAMPLE - 1).to_string()];
    vec![
        ask("TYPE", &key.value, &[]),
        ask("PTTL", &key.value, &[]),
        ask("PTTL", &key.guard, &[]),
        ask("STRLEN", &key.value, &[]),
        ask("GETRANGE", &key.value, &sample),
        ask("HLEN", &key.value, &[]),
        ask("LLEN", &key.value, &[]),
        ask("SCARD", &key.value, &[]),
        ask("ZCARD", &key.value, &[]),
    ]
}

/// What the server answered.
struct Found {
    redis_type: Option<String>,
    left: TimeLeft,
    guard: TimeLeft,
    size: Option<u64>,
    value: Option<ValueKind>,
}

impl Found {
    /// The replies to [`questions`]. Those for other types than the key's are errors, and no matter.
    fn read(replies: Vec<Result<Reply, Error>>) -> Result<Self, Error> {
        let Ok(
            [
                kind,
                left,
                guard,
                bytes,
                sample,
                fields,
                items,
                members,
                scored,
            ],
        ) = <[_; 9]>::try_from(replies)
        else {
            return Err(pond::no_reply());
        };
        let kind = pond::bulk(kind?)?.unwrap_or_default();
        let (left, guard) = (TimeLeft::read(&left?)?, TimeLeft::read(&guard?)?);
        let kind = String::from_utf8_lossy(&kind).into_owned();
        let count = |reply: Result<Reply, Error>| {
            let count = pond::int(&reply.ok()?).ok()?;
            u64::try_from(count).ok()
        };
        let mut value = None;
        let size = match kind.as_str() {
            "string" => {
                let bytes = count(bytes);
                let sample = sample.ok().and_then(|reply| pond::bulk(reply).ok()?);
                value = sample.map(|sample| {
                    let whole = bytes == u64::try_from(sample.len()).ok();
                    kind_of(&sample, whole)
                });
                bytes
            }
            "hash" => count(fields),
            "list" => count(items),
            "set" => count(members),
            "zset" => count(scored),
            _ => None,
        };
        // Its time may have been up between two of the questions.
        let is_there = kind != "none" && left != TimeLeft::Missing;
        Ok(Self {
            redis_type: is_there.then_some(kind),
            left: if is_there { left } else { TimeLeft::Missing },
            guard,
            size: size.filter(|_| is_there),
            value: value.filter(|_| is_there),
        })
    }
}

/// What these bytes are, judged by the first of them where they are not the whole.
fn kind_of(sample: &[u8], whole: bool) -> ValueKind {
    if whole && value::is_null(sample) {
        return ValueKind::Null;
    }
    if sample.starts_with(ENVELOPE) {
        return ValueKind::Envelope;
    }
    let text = match std::str::from_utf8(sample) {
        Ok(text) => text,
        // A character may have been cut in two.
        Err(error) if !whole && error.error_len().is_none() => {
            let (text, _) = sample.split_at(error.valid_up_to());
            std::str::from_utf8(text).unwrap_or_default()
        }
        Err(_) => return ValueKind::Unknown,
    };
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => ValueKind::Json,
        Err(_) if !whole && begins_json(text) => ValueKind::Json,
        Err(_) if value::looks_like_json(text) => ValueKind::Unknown,
        Err(_) => ValueKind::Text,
    }
}

/// Whether nothing but the rest is missing.
fn begins_json(text: &str) -> bool {
    // A number may have been cut where none may end.
    let numeral = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    let text = text.trim_end_matches(numeral);
    !text.is_empty() && serde_json::from_str::<IgnoredAny>(text).is_err_and(|error| error.is_eof())
}

impl Explanation {
    /// The key as the server knows it, the namespace included.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let pond = millpond::Millpond::builder().namespace("staging").build()?;
    /// assert_eq!(pond.explain("user:42").await?.key(), "staging:user:42");
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether the server holds anything under the key.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// assert!(!millpond::Millpond::memory().explain("user:42").await?.exists());
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn exists(&self) -> bool {
        self.redis_type.is_some()
    }

    /// How long the key has left.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, TimeLeft};
    /// assert_eq!(Millpond::memory().explain("user:42").await?.ttl(), TimeLeft::Missing);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn ttl(&self) -> TimeLeft {
        self.left
    }

    /// What Redis calls the type of what is there: `string` for a cached value, else `hash`, `list`,
    /// `set`, `zset`, `stream` or whatever the server has.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let pond = millpond::Millpond::memory();
    /// pond.command(["RPUSH", "jobs", "a", "b"]).await?;
    /// assert_eq!(pond.explain("jobs").await?.redis_type(), Some("list"));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn redis_type(&self) -> Option<&str> {
        self.redis_type.as_deref()
    }

    /// How many bytes a string has.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, ttl};
    /// # let pond = Millpond::memory();
    /// pond.set("user:42", "Ada", ttl::SHORT).await?;
    /// assert_eq!(pond.explain("user:42").await?.bytes(), Some(5));   // the quotes of the JSON too
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn bytes(&self) -> Option<u64> {
        self.size.filter(|_| self.is_string())
    }

    /// How many fields, items or members a hash, a list, a set or a sorted set has.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let pond = millpond::Millpond::memory();
    /// pond.command(["RPUSH", "jobs", "a", "b"]).await?;
    /// assert_eq!(pond.explain("jobs").await?.members(), Some(2));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn members(&self) -> Option<u64> {
        self.size.filter(|_| !self.is_string())
    }

    /// What kind of value a string is, judged by its first kilobyte.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, ValueKind};
    /// # let pond = Millpond::memory();
    /// pond.command(["SET", "greeting", "hello"]).await?;   // as another client would write it
    /// assert_eq!(pond.explain("greeting").await?.value(), Some(ValueKind::Text));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn value(&self) -> Option<ValueKind> {
        self.value
    }

    /// How long the guard of the key has left. It is there for the time of
    /// [`Builder::guard_life`](crate::Builder::guard_life) after the key was invalidated or written
    /// by hand or by `#[updates]`; loads leave none.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, TimeLeft};
    /// # let pond = Millpond::memory();
    /// pond.delete("user:42").await?;
    /// assert!(matches!(pond.explain("user:42").await?.guard(), TimeLeft::Left(_)));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn guard(&self) -> TimeLeft {
        self.guard
    }

    /// Whether a call in this process was looking the key up or loading it; those that do not wait for
    /// each other (`flight = "off"`) are not known.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// assert!(!millpond::Millpond::memory().explain("user:42").await?.is_loading());
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn is_loading(&self) -> bool {
        self.loading
    }

    /// Whether an invalidation of the key by this process still waited to be delivered. Until it is
    /// through, calls in this process do not believe what the server holds.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let why = millpond::Millpond::memory().explain("user:42").await?;
    /// assert!(!why.has_undelivered_invalidation());
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn has_undelivered_invalidation(&self) -> bool {
        self.undelivered
    }

    fn is_string(&self) -> bool {
        self.redis_type() == Some("string")
    }

    /// What is there.
    fn write_found(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, size, .. } = self;
        let Some(redis_type) = self.redis_type() else {
            return writeln!(f, "{key} is not there.");
        };
        match (self.value, size) {
            (Some(kind), Some(bytes)) => write!(f, "{key} holds {bytes} bytes, {kind}; ")?,
            (None, Some(members)) => write!(f, "{key} is a {redis_type} of {members}; ")?,
            _ => write!(f, "{key} is a {redis_type}; ")?,
        }
        match self.left {
            TimeLeft::Left(left) => writeln!(f, "it has {} left.", Lasting(left)),
            TimeLeft::Forever | TimeLeft::Missing => writeln!(
                f,
                "it does not expire, as what a cache stores does: other software wrote it."
            ),
        }
    }

    /// What follows from that.
    fn advice(&self) -> Option<&'static str> {
        Some(match (self.exists(), self.value) {
            (false, _) if self.guard == TimeLeft::Missing => {
                "If it was stored: its time was up, the server needed the room, or it is under \
                 another key. Compare this one, namespace included, with the one that is written; \
                 Millpond::stats counts values that could not be stored."
            }
            (false, _) => return None,
            (true, None) => {
                "Reads of a cached value fail with WrongType here: use another key, or delete it."
            }
            (true, Some(ValueKind::Json)) => {
                "If calls miss all the same, they want another type: `decode_failures` of \
                 Millpond::stats counts them, and the next load overwrites it."
            }
            (true, Some(ValueKind::Null)) => {
                "Calls return `None` without a load, until it expires or is invalidated."
            }
            (true, Some(ValueKind::Text)) => "It reads as a String and as nothing else.",
            (true, Some(ValueKind::Envelope)) => {
                "Only a function with the same options, and the same key, opens it."
            }
            (true, Some(ValueKind::Unknown)) => {
                "No call can read it; the next load of a cached function overwrites it."
            }
        })
    }

    /// Whether it was changed lately.
    fn write_guard(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let life = Lasting(self.guard_life);
        match self.guard {
            TimeLeft::Missing => writeln!(
                f,
                "It was not invalidated, nor written by hand, within the last {life}: there is no \
                 guard."
            ),
            TimeLeft::Left(left) => writeln!(
                f,
                "It was invalidated or written within the last {life}: its guard has {} left.",
                Lasting(left)
            ),
            TimeLeft::Forever => writeln!(
                f,
                "Its guard does not expire: other software wrote that, and should give it {life}."
            ),
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_found(f)?;
        if let Some(advice) = self.advice() {
            writeln!(f, "{advice}")?;
        }
        self.write_guard(f)?;
        if self.undelivered {
            writeln!(
                f,
                "This process could not deliver an invalidation yet, and does not believe what is \
                 there until it has; Millpond::flush tries at once and says what is wrong."
            )?;
        }
        f.write_str(if self.loading {
            "This process is looking it up or loading it right now; other callers wait for that."
        } else {
            "This process is not loading it."
        })
    }
}

impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "JSON",
            Self::Null => "a cached `None`",
            Self::Text => "plain text",
            Self::Envelope => "compressed or encrypted",
            Self::Unknown => "nothing that millpond knows",
        })
    }
}

/// A time for people: its two largest units.
struct Lasting(Duration);

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let two = |f: &mut fmt::Formatter<'_>, large: u64, units: [&str; 2]| {
            let small = match units[1] {
                "h" => seconds / 3_600 % 24,
                "min" => seconds / 60 % 60,
                _ => seconds % 60,
            };
            match small {
                0 => write!(f, "{large} {}", units[0]),
                small => write!(f, "{large} {} {small} {}", units[0], units[1]),
            }
        };
        match seconds {
            0 => write!(f, "{} ms", self.0.as_millis()),
            1..60 => write!(f, "{seconds} s"),
            60..3_600 => two(f, seconds / 60, ["min", "s"]),
            3_600..86_400 => two(f, seconds / 3_600, ["h", "min"]),
            86_400..172_800 => two(f, 1, ["day", "h"]),
            _ => two(f, seconds / 86_400, ["days", "h"]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lasting, SAMPLE, ValueKind, kind_of};
    use std::time::Duration;

    #[test]
    fn a_value_is_known_by_its_first_bytes() {
        use ValueKind::{Envelope, Json, Null, Text, Unknown};
        let whole: [(&[u8], ValueKind); 14] = [
            (b"__NULL__", Null),
            (b"null", Null),
            (b"{\"a\":[1,2.5]}", Json),
            (b"12", Json),
            (b"\"__NULL__\"", Json),
            (b"{\"millpond\":1}\n\xff\xfe", Envelope),
            (b"{\"a\":{\"millpond\":1}}", Json),
            (b"hello", Text),
            (b"", Text),
            (b"12 monkeys", Text),
            (b"{cut", Unknown),
            (b"\"cut", Unknown),
            (b"\xff\xfe", Unknown),
            (b"ab\xc3", Unknown),
        ];
        for (bytes, kind) in whole {
            assert_eq!(kind_of(bytes, true), kind, "{bytes:?}");
        }
        let begun: [(&[u8], ValueKind); 7] = [
            (b"{\"a\":[1,2.", Json),
            (b"\"ab\xc3", Json),
            (b"null", Json),
            (b"__NULL__ and more", Text),
            (b"hello \xc3", Text),
            (b"{cut", Unknown),
            (b"\xff\xfe", Unknown),
        ];
        for (bytes, kind) in begun {
            assert_eq!(kind_of(bytes, false), kind, "{bytes:?}");
        }
        let long = format!("[{}]", "7,".repeat(SAMPLE));
        assert_eq!(kind_of(&long.as_bytes()[..SAMPLE], false), Json);
    }

    #[test]
    fn a_time_is_told_in_its_two_largest_units() {
        for (ms, told) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (59_999, "59 s"),
            (300_000, "5 min"),
            (299_500, "4 min 59 s"),
            (7_260_000, "2 h 1 min"),
            (86_400_000, "1 day"),
            (180_000_000, "2 days 2 h"),
        ] {
            assert_eq!(Lasting(Duration::from_millis(ms)).to_string(), told);
        }
    }
}
