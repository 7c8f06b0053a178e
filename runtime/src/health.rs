//! Whether the cache works at the moment, for readiness checks and for people.

#[cfg(feature = "axum")]
mod response;

use crate::client::Client;
use crate::client::backplane::BackplaneState;
use crate::error::{Error, ErrorKind};
use crate::store::command::{Command, Effect};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// The state of one part of a [`Millpond`](crate::Millpond), or of all of it. The worse state is the greater one.
///
/// ```
/// use millpond::HealthState;
/// assert!(HealthState::Up < HealthState::Degraded && HealthState::Degraded < HealthState::Down);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum HealthState {
    /// It works.
    Up,
    /// It works with a restriction, which ends by itself.
    Degraded,
    /// It does not work. Cached functions run their bodies; limits do what `on_outage` says.
    Down,
}

impl fmt::Display for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
        })
    }
}

/// The state of one part, and a sentence about it. `Display` gives both.
///
/// ```
/// use millpond::{HealthState, Millpond};
///
/// let health = Millpond::memory().health();
/// assert_eq!(health.circuit().state(), HealthState::Up);
/// assert_eq!(health.circuit().sentence(), "commands are sent");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    state: HealthState,
    sentence: String,
    error: Option<ErrorKind>,
}

impl HealthCheck {
    fn up(sentence: impl Into<String>) -> Self {
        Self {
            state: HealthState::Up,
            sentence: sentence.into(),
            error: None,
        }
    }

    fn down(sentence: impl Into<String>, error: &Error) -> Self {
        Self {
            state: HealthState::Down,
            sentence: sentence.into(),
            error: Some(error.kind()),
        }
    }

    /// How it is.
    ///
    /// ```
    /// use millpond::{HealthState, Millpond};
    /// assert_eq!(Millpond::memory().health().engine().state(), HealthState::Up);
    /// ```
    pub fn state(&self) -> HealthState {
        self.state
    }

    /// Why, for a person. It holds no secret, no key and no value; its wording may change.
    ///
    /// ```
    /// let health = millpond::Millpond::memory().health();
    /// assert_eq!(health.engine().sentence(), "embedded in this process");
    /// ```
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// The kind of the error that the sentence tells of, if it tells of one: what to do about a token that is refused is
    /// something else than about a server that is away.
    ///
    /// ```
    /// assert_eq!(millpond::Millpond::memory().health().engine().error_kind(), None);
    /// ```
    pub fn error_kind(&self) -> Option<ErrorKind> {
        self.error
    }
}

impl fmt::Display for HealthCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.state, self.sentence)
    }
}

/// Whether the cache works at the moment, from [`Millpond::health`](crate::Millpond::health): what this process
/// knows without asking the server. [`probe`](Self::probe) asks.
///
/// A cache that is [`Down`](HealthState::Down) does not make a service unable to answer: cached functions run
/// their bodies. Whether the service counts as ready then is for the service to decide.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{HealthState, Millpond};
///
/// let pond = Millpond::memory();
/// let health = pond.health().probe().await;
/// assert_eq!(health.state(), HealthState::Up);
/// println!("{health}");   // a line for each part
/// # });
/// ```
#[derive(Clone)]
pub struct Health {
    client: Arc<Client>,
    engine: HealthCheck,
    circuit: HealthCheck,
    invalidations: HealthCheck,
    backplane: HealthCheck,
}

impl Health {
    pub(crate) fn of(client: Arc<Client>) -> Self {
        Self {
            engine: engine(&client),
            circuit: circuit(&client),
            invalidations: invalidations(&client),
            backplane: backplane(&client),
            client,
        }
    }

    /// Sends one `PING`, through the circuit breaker and within [`Builder::budget`](crate::Builder::budget), and
    /// returns the health after its answer. A service that is probed every second pays for one command a second.
    ///
    /// # Cancel safety
    /// Nothing is changed by dropping the future.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let health = millpond::Millpond::memory().health().probe().await;
    /// assert!(health.engine().sentence().starts_with("embedded in this process; it answered in"));
    /// # });
    /// ```
    pub async fn probe(self) -> Self {
        let client = self.client;
        if self.engine.state == HealthState::Down {
            return Self::of(client);
        }
        let clock = &client.settings.clock;
        let before = clock.monotonic();
        let ping = Command::new(Effect::Read, [Bytes::from_static(b"PING")]);
        let answer = client.one(ping).await;
        let took = clock.monotonic().saturating_sub(before).as_millis();
        let place = self.engine.sentence;
        let engine = match answer {
            Ok(_) => HealthCheck::up(format!("{place}; it answered in {took} ms")),
            Err(error) => HealthCheck::down(format!("{place}; a PING failed: {error}"), &error),
        };
        Self {
            engine,
            ..Self::of(client)
        }
    }

    /// The worst state of all parts.
    ///
    /// ```
    /// use millpond::{HealthState, Millpond};
    /// assert_eq!(Millpond::memory().health().state(), HealthState::Up);
    /// ```
    pub fn state(&self) -> HealthState {
        let parts = [
            &self.engine,
            &self.circuit,
            &self.invalidations,
            &self.backplane,
        ];
        let states = parts.map(|part| part.state);
        states.into_iter().max().unwrap_or(HealthState::Up)
    }

    /// Which engine is in use, and whether it is configured; after a [`probe`](Self::probe) also whether it answered.
    ///
    /// ```
    /// # #[cfg(feature = "upstash")] {
    /// let pond = millpond::Millpond::builder().upstash("https://example.upstash.io", "token").build()?;
    /// assert_eq!(pond.health().engine().sentence(), "Upstash at example.upstash.io");
    /// # }
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn engine(&self) -> &HealthCheck {
        &self.engine
    }

    /// Whether the circuit breaker lets commands pass. If not, the sentence has the reason: the error of the last
    /// attempt, or what the provider asked for (`429` with `Retry-After`, a plan that is used up).
    ///
    /// ```
    /// use millpond::{HealthState, Millpond};
    /// assert_eq!(Millpond::memory().health().circuit().state(), HealthState::Up);
    /// ```
    pub fn circuit(&self) -> &HealthCheck {
        &self.circuit
    }

    /// Whether invalidations wait to be delivered. Until they are, this process ignores the stored values of
    /// their keys; other processes may still return them.
    ///
    /// ```
    /// let health = millpond::Millpond::memory().health();
    /// assert_eq!(health.invalidations().sentence(), "none is waiting to be delivered");
    /// ```
    pub fn invalidations(&self) -> &HealthCheck {
        &self.invalidations
    }

    /// Whether this process hears of the invalidations of others, where it keeps values with `local`. While it does
    /// not, such values are used up to the age of [`Builder::local_unverified`](crate::Builder::local_unverified), and
    /// otherwise read from the store.
    ///
    /// ```
    /// let health = millpond::Millpond::memory().health();
    /// assert_eq!(health.backplane().sentence(), "not needed: this process keeps no values (`local`)");
    /// ```
    pub fn backplane(&self) -> &HealthCheck {
        &self.backplane
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "engine {}", self.engine)?;
        writeln!(f, "circuit {}", self.circuit)?;
        writeln!(f, "invalidations {}", self.invalidations)?;
        write!(f, "backplane {}", self.backplane)
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health")
            .field("engine", &self.engine)
            .field("circuit", &self.circuit)
            .field("invalidations", &self.invalidations)
            .field("backplane", &self.backplane)
            .finish_non_exhaustive()
    }
}

fn engine(client: &Client) -> HealthCheck {
    match &client.store {
        Ok(store) => HealthCheck::up(store.place()),
        Err(error) => HealthCheck::down(format!("not configured: {error}"), error),
    }
}

fn circuit(client: &Client) -> HealthCheck {
    match client.outage() {
        None => HealthCheck::up("commands are sent"),
        Some(error) => HealthCheck::down(error.to_string(), &error),
    }
}

fn invalidations(client: &Client) -> HealthCheck {
    match client.pending.len() {
        0 => HealthCheck::up("none is waiting to be delivered"),
        number => HealthCheck {
            state: HealthState::Degraded,
            error: None,
            sentence: format!(
                "{number} waiting to be delivered; until then this process ignores the stored values of their keys"
            ),
        },
    }
}

fn backplane(client: &Client) -> HealthCheck {
    match client.backplane.state() {
        BackplaneState::Unused if client.settings.backplane == Some(false) => {
            HealthCheck::up("off (`Builder::backplane`): others' invalidations are not heard")
        }
        BackplaneState::Unused => {
            HealthCheck::up("not needed: this process keeps no values (`local`)")
        }
        BackplaneState::Trusted => HealthCheck::up("invalidations of other processes are heard"),
        BackplaneState::Untrusted(error) => {
            let age = client.settings.local_unverified;
            let kind = error.as_ref().map(Error::kind);
            let why = error.map(|error| format!(" ({error})")).unwrap_or_default();
            HealthCheck {
                state: HealthState::Degraded,
                error: kind,
                sentence: format!(
                    "nothing proves that invalidations of other processes are heard{why}; local values are used up to \
                     an age of {age:?}"
                ),
            }
        }
    }
}
