//! Sessions: what a service remembers of a caller between requests, under an id that nobody can guess.

mod id;
mod lifetime;

use crate::client::Client;
use crate::client::guard::{self, Change};
use crate::client::write::Unanswered;
use crate::encoding::Encoding;
use crate::error::{Error, ErrorKind};
use crate::hex::hex;
use crate::key::Key;
use crate::prefix;
use crate::reply::{bulk, int};
use crate::store::command::{Command, Effect, Reply};
use crate::time_left::TimeLeft;
use crate::ttl;
use crate::value;
use crate::value::plain_form;
use bytes::Bytes;
pub use id::SessionId;
use lifetime::{Left, Lifetime};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// Sessions that each hold a `T`. Created by [`Millpond::sessions`](crate::Millpond::sessions); cheap to
/// create and to clone.
///
/// Begin with [`hashed`](Self::hashed), so that whoever reads the database cannot act as its users. Without it a
/// session is JSON under `session:<id>`, where services in other languages find it by its id; with it they hash
/// the id first. A [sliding](Self::sliding) session should have an [absolute](Self::absolute) end as well.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{Millpond, ttl};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct Session { user_id: Option<u64> }
///
/// let sessions = Millpond::memory().sessions::<Session>(ttl::EXTENDED).hashed();
/// let anonymous = sessions.create(&Session { user_id: None }).await?;
///
/// // At login: another id, so that one which somebody planted before is worth nothing.
/// let id = sessions.rotate(&anonymous).await?.expect("it was there a moment ago");
/// sessions.update(&id, &Session { user_id: Some(7) }).await?;
/// assert_eq!(sessions.get(&anonymous).await?, None);
/// assert_eq!(sessions.get(&id).await?, Some(Session { user_id: Some(7) }));
///
/// sessions.destroy(&id).await?;   // at logout
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
pub struct Sessions<T> {
    client: Arc<Client>,
    prefix: String,
    lifetime: Lifetime,
    sliding: bool,
    hashed: bool,
    encoding: Encoding,
    value: PhantomData<fn() -> T>,
}

impl<T> Clone for Sessions<T> {
    fn clone(&self) -> Self {
        Self {
            client: Arc::clone(&self.client),
            prefix: self.prefix.clone(),
            value: PhantomData,
            ..*self
        }
    }
}

impl<T> fmt::Debug for Sessions<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("prefix", &self.prefix)
            .field("lifetime", &self.lifetime)
            .field("sliding", &self.sliding)
            .finish_non_exhaustive()
    }
}

impl<T> Sessions<T> {
    pub(crate) fn new(client: Arc<Client>, ttl: Duration) -> Self {
        Self {
            client,
            prefix: prefix::SESSION.to_owned(),
            lifetime: Lifetime { ttl, longest: None },
            sliding: false,
            hashed: false,
            encoding: Encoding::default(),
            value: PhantomData,
        }
    }

    /// Every [`get`](Self::get) and [`update`](Self::update) restarts the lifetime of the session, without an
    /// additional command. Without this, a session ends a fixed time after it was created, unless it is
    /// [touched](Self::touch).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{ManualClock, Millpond};
    /// # use std::time::Duration;
    /// let clock = ManualClock::new();
    /// let pond = Millpond::builder().memory().clock(clock.clone()).build()?;
    /// let sessions = pond.sessions::<u32>(Duration::from_secs(60)).sliding();
    /// let id = sessions.create(&7).await?;
    /// for _ in 0..10 {
    ///     clock.advance(Duration::from_secs(59));
    ///     assert_eq!(sessions.get(&id).await?, Some(7));
    /// }
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn sliding(self) -> Self {
        Self {
            sliding: true,
            ..self
        }
    }

    /// The longest lifetime of a session, however often it is used: counted from
    /// [`create`](Self::create), kept by [`rotate`](Self::rotate). Without it a [sliding](Self::sliding)
    /// session that somebody stole can be kept alive for ever.
    ///
    /// The end is part of the id (`…_until_1767225600`), so it costs no command. Whoever changes it has
    /// the id of no session. A session whose id has no end, because it was made without this setting or by
    /// another service, is read until it expires, and not extended.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{ManualClock, Millpond};
    /// # use std::time::Duration;
    /// let clock = ManualClock::new();
    /// let pond = Millpond::builder().memory().clock(clock.clone()).build()?;
    /// let (idle, longest) = (Duration::from_secs(60), Duration::from_secs(150));
    /// let sessions = pond.sessions::<u32>(idle).sliding().absolute(longest);
    /// let id = sessions.create(&7).await?;
    /// for _ in 0..3 {
    ///     assert_eq!(sessions.get(&id).await?, Some(7));
    ///     clock.advance(Duration::from_secs(50));
    /// }
    /// assert_eq!(sessions.get(&id).await?, None);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn absolute(self, longest: Duration) -> Self {
        Self {
            lifetime: Lifetime {
                longest: Some(longest),
                ..self.lifetime
            },
            ..self
        }
    }

    /// Keys contain the SHA-256 of the id instead of the id, so that somebody who can read the database, a
    /// backup or `MONITOR` cannot take over a session. Other services must then hash ids too (the hash of the
    /// text, in lower-case hexadecimal).
    ///
    /// ```
    /// # use millpond::{Millpond, ttl};
    /// let sessions = Millpond::memory().sessions::<u32>(ttl::EXTENDED).hashed();
    /// ```
    #[must_use]
    pub fn hashed(self) -> Self {
        Self {
            hashed: true,
            ..self
        }
    }

    /// The first part of the keys instead of `session`, to keep two kinds of sessions in one database.
    ///
    /// ```
    /// # use millpond::{Millpond, ttl};
    /// let admins = Millpond::memory().sessions::<u32>(ttl::SHORT).prefix("admin-session");
    /// ```
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
            ..self
        }
    }

    /// Encrypts what sessions hold, as `encrypt` of [`macro@cached`](crate::cached) does: with the key of
    /// [`Builder::encryption_key`](crate::Builder::encryption_key), and bound to the session. Needs the
    /// feature `encrypt`, which is on by default.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, ttl};
    /// # let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=";
    /// let pond = Millpond::builder().encryption_key("2026-11", key).build()?;
    /// let sessions = pond.sessions::<String>(ttl::EXTENDED).hashed().encrypted();
    /// let id = sessions.create("Ada").await?;
    /// assert_eq!(sessions.get(&id).await?.as_deref(), Some("Ada"));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    #[cfg(feature = "encrypt")]
    #[must_use]
    pub fn encrypted(mut self) -> Self {
        self.encoding.encrypt = true;
        self
    }

    /// The stored form of what a session holds.
    async fn stored(&self, id: &SessionId, plain: Bytes) -> Result<Bytes, Error> {
        let full = self.client.full(&self.key(id));
        let codec = &self.client.codec;
        codec.stored_form(&full, plain, self.encoding).await
    }

    /// The plain form of it.
    async fn opened(&self, id: &SessionId, stored: Bytes) -> Result<Bytes, Error> {
        let full = self.client.full(&self.key(id));
        let opened = self
            .client
            .codec
            .open(&full.value, stored, self.encoding.encrypt)
            .await;
        opened.map_err(|what| self.unreadable(&what))
    }

    /// The error for what cannot be read, without the id.
    fn unreadable(&self, what: &str) -> Error {
        self.client
            .registry
            .counters(&self.prefix)
            .decode_failures
            .add(1);
        let kind = std::any::type_name::<T>();
        Error::new(
            ErrorKind::Decode,
            format!("the value of the session is not a {kind} ({what}); destroy the session"),
        )
    }

    fn now(&self) -> u64 {
        self.client.settings.clock.unix_ms()
    }

    fn left(&self, id: &SessionId) -> Left {
        self.lifetime.left(id.end(), self.now())
    }

    fn key(&self, id: &SessionId) -> Key {
        let (prefix, id) = (&self.prefix, id.as_str());
        if self.hashed {
            format!("{prefix}:{}", hex(&Sha256::digest(id))).into()
        } else {
            format!("{prefix}:{id}").into()
        }
    }

    /// Sends a command whose arguments behind the key are these.
    async fn send<const N: usize>(
        &self,
        id: &SessionId,
        effect: Effect,
        name: &'static str,
        args: [Bytes; N],
    ) -> Result<Reply, Error> {
        let key = self.key(id);
        let full = self.client.full(&key);
        let words = [Bytes::from_static(name.as_bytes()), full.value.clone()];
        let command = Command::new(effect, words.into_iter().chain(args));
        self.client.on_key(&key, &full, command).await
    }

    /// Sends a command that changes the session; `removes` says what is to be done if no answer comes.
    async fn change<const N: usize>(
        &self,
        id: &SessionId,
        name: &'static str,
        args: [Bytes; N],
        removes: bool,
    ) -> Result<Reply, Error> {
        let key = self.key(id);
        let full = self.client.full(&key);
        let change = Change {
            name,
            args: args.into(),
            life: None,
        };
        self.client.change(&key, &full, change, removes).await
    }

    /// Removes the session: now, or in the background if no answer comes. Whether it was there.
    async fn removed(&self, id: &SessionId) -> Result<bool, Error> {
        let full = self.client.full(&self.key(id));
        let writer = self.client.writes.next();
        let unanswered = Unanswered::new(&self.client, &writer, [full], true);
        let removed = self.send(id, Effect::Repeatable, "DEL", []).await?;
        unanswered.answered();
        removed.parse()
    }

    /// Starts a session and returns its id.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`] for a value that cannot be represented as JSON or a lifetime of zero,
    /// [`ErrorKind::TooLarge`] over [`Builder::max_value_bytes`](crate::Builder::max_value_bytes),
    /// [`ErrorKind::Unsupported`] if the system provides no random numbers, and the errors of [any
    /// command](crate::ErrorKind).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, ttl};
    /// let sessions = Millpond::memory().sessions::<String>(ttl::EXTENDED);
    /// let id = sessions.create("Ada").await?;
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn create<V>(&self, value: &V) -> Result<SessionId, Error>
    where
        V: Serialize + ?Sized,
        T: std::borrow::Borrow<V>,
    {
        let id = SessionId::random(self.lifetime.end(self.now()))?;
        let args = [
            self.stored(&id, plain_form(value)?).await?,
            Bytes::from_static(b"PX"),
            ttl::lifetime(self.lifetime.first())?,
        ];
        // Not repeated by the engine: a first copy that arrives late would bring back what was destroyed. If no
        // answer comes, nobody learns the id, so it goes.
        self.change(&id, "SET", args, true).await?;
        Ok(id)
    }

    /// What the session holds; `None` if it has ended or never existed.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if it is not a `T`: then destroy the session, and treat the caller as new. Also
    /// the errors of [any command](crate::ErrorKind).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, ttl};
    /// let sessions = Millpond::memory().sessions::<String>(ttl::EXTENDED);
    /// let id = sessions.create("Ada").await?;
    /// assert_eq!(sessions.get(&id).await?.as_deref(), Some("Ada"));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn get(&self, id: &SessionId) -> Result<Option<T>, Error>
    where
        T: DeserializeOwned,
    {
        let reply = match self.left(id) {
            Left::Over => Reply::Nil,
            Left::For(life) if self.sliding => {
                let life = [Bytes::from_static(b"PX"), ttl::lifetime(life)?];
                self.send(id, Effect::Repeatable, "GETEX", life).await?
            }
            Left::For(_) | Left::AsItIs => self.send(id, Effect::Read, "GET", []).await?,
        };
        let counters = self.client.registry.counters(&self.prefix);
        let Some(bytes) = bulk(reply)? else {
            counters.misses.add(1);
            return Ok(None);
        };
        let plain = self.opened(id, bytes).await?;
        let value = value::decode(&plain).map_err(|what| self.unreadable(&what))?;
        counters.hit(value::is_null(&plain));
        Ok(Some(value))
    }

    /// Replaces what the session holds. Returns false, and stores nothing, if the session has ended: a
    /// destroyed session does not come back. Of two concurrent updates, the later one wins.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, ttl};
    /// let sessions = Millpond::memory().sessions::<String>(ttl::EXTENDED);
    /// let id = sessions.create("Ada").await?;
    /// assert!(sessions.update(&id, "Ada Lovelace").await?);
    /// sessions.destroy(&id).await?;
    /// assert!(!sessions.update(&id, "Ada").await?);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn update<V>(&self, id: &SessionId, value: &V) -> Result<bool, Error>
    where
        V: Serialize + ?Sized,
        T: std::borrow::Borrow<V>,
    {
        let value = self.stored(id, plain_form(value)?).await?;
        let only_if_there = Bytes::from_static(b"XX");
        let reply = match self.left(id) {
            Left::Over => Reply::Nil,
            Left::For(life) if self.sliding => {
                let (px, life) = (Bytes::from_static(b"PX"), ttl::lifetime(life)?);
                let args = [value, only_if_there, px, life];
                self.change(id, "SET", args, false).await?
            }
            Left::For(_) | Left::AsItIs => {
                let args = [value, only_if_there, Bytes::from_static(b"KEEPTTL")];
                self.change(id, "SET", args, false).await?
            }
        };
        Ok(reply != Reply::Nil)
    }

    /// Restarts the lifetime of the session (sliding expiration), up to its [absolute](Self::absolute) end.
    /// Returns false if it has ended.
    ///
    /// # Errors
    /// The errors of [any command](crate::ErrorKind).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, ttl};
    /// let sessions = Millpond::memory().sessions::<String>(ttl::EXTENDED);
    /// let id = sessions.create("Ada").await?;
    /// assert!(sessions.touch(&id).await?);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn touch(&self, id: &SessionId) -> Result<bool, Error> {
        let reply = match self.left(id) {
            Left::Over => return Ok(false),
            Left::For(life) => {
                self.change(id, "PEXPIRE", [ttl::lifetime(life)?], false)
                    .await?
            }
            Left::AsItIs => self.send(id, Effect::Read, "EXISTS", []).await?,
        };
        reply.parse()
    }

    /// Moves the session to a new id and restarts its lifetime; the old id becomes worthless. `None` if the
    /// session has ended. Call it whenever a caller logs in or gains rights, because an attacker may have
    /// made the caller use an id that the attacker knows (session fixation).
    ///
    /// # Errors
    /// As [`create`](Self::create). On Redis Cluster, and where sessions are [encrypted](Self::encrypted), it
    /// takes three commands; if one of them fails, the old id may still be valid.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, ttl};
    /// let sessions = Millpond::memory().sessions::<String>(ttl::EXTENDED);
    /// let old = sessions.create("Ada").await?;
    /// let new = sessions.rotate(&old).await?.unwrap();
    /// assert_eq!(sessions.get(&new).await?.as_deref(), Some("Ada"));
    /// assert_eq!(sessions.rotate(&old).await?, None);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn rotate(&self, id: &SessionId) -> Result<Option<SessionId>, Error> {
        let life = match self.left(id) {
            Left::Over => return Ok(None),
            Left::For(life) => life,
            Left::AsItIs => self.lifetime.first(),
        };
        let end = id.end().or_else(|| self.lifetime.end(self.now()));
        let (new, life) = (SessionId::random(end)?, ttl::lifetime(life)?);
        // Two ids are in two slots, and what is encrypted is bound to its key.
        if self.client.cluster || self.encoding.encrypt {
            return self.copied(id, new, life).await;
        }
        let (old, key) = (self.key(id), self.key(&new));
        let (full, target) = (self.client.full(&old), self.client.full(&key));
        let (client, counters) = (&self.client, self.client.registry.counters(&self.prefix));
        old.check()?;
        loop {
            let writer = client.writes.next();
            let unanswered = Unanswered::new(client, &writer, [full.clone()], false);
            let command = guard::rotate(&writer, &full, &target, life.clone());
            let moved = client.on_key(&old, &full, command).await;
            match moved.and_then(|reply| int(&reply)) {
                Ok(-1) => unanswered.answered(),
                Ok(moved) => {
                    unanswered.answered();
                    return Ok((moved == 1).then_some(new));
                }
                Err(error) => {
                    counters.errors.add(1);
                    return Err(error);
                }
            }
        }
    }

    /// Rotates in three commands; nothing is lost before the last one.
    async fn copied(
        &self,
        id: &SessionId,
        new: SessionId,
        life: Bytes,
    ) -> Result<Option<SessionId>, Error> {
        let Some(value) = bulk(self.send(id, Effect::Read, "GET", []).await?)? else {
            return Ok(None);
        };
        let value = self.stored(&new, self.opened(id, value).await?).await?;
        let args = [value, Bytes::from_static(b"PX"), life];
        self.change(&new, "SET", args, true).await?;
        if self.removed(id).await? {
            return Ok(Some(new));
        }
        // It was destroyed meanwhile, and must not go on under another id.
        self.destroy(&new).await?;
        Ok(None)
    }

    /// Ends the session. Returns whether it existed; also false if the first answer was lost and the retry
    /// found nothing.
    ///
    /// # Errors
    /// What can go wrong on the way; the session may then still exist.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, ttl};
    /// let sessions = Millpond::memory().sessions::<String>(ttl::EXTENDED);
    /// let id = sessions.create("Ada").await?;
    /// assert!(sessions.destroy(&id).await?);
    /// assert_eq!(sessions.get(&id).await?, None);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn destroy(&self, id: &SessionId) -> Result<bool, Error> {
        self.removed(id).await
    }

    /// The remaining lifetime of the session.
    ///
    /// # Errors
    /// The errors of [any command](crate::ErrorKind).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, ttl};
    /// let sessions = Millpond::memory().sessions::<String>(ttl::EXTENDED);
    /// let id = sessions.create("Ada").await?;
    /// assert!(sessions.ttl(&id).await?.duration() > Some(ttl::LONG));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn ttl(&self, id: &SessionId) -> Result<TimeLeft, Error> {
        TimeLeft::read(&self.send(id, Effect::Read, "PTTL", []).await?)
    }
}
