//! Sessions: what a service remembers of a caller between requests, under an id that nobody can guess.

#[cfg(feature = "axum")]
mod axum;
mod id;
mod lifetime;
mod operations;

use crate::client::Client;
use crate::client::guard::Change;
use crate::client::write::Unanswered;
use crate::codec::Members;
use crate::encoding::Encoding;
use crate::error::{Error, ErrorKind};
use crate::hex::hex;
use crate::key::Key;
use crate::prefix;
use crate::reply::unread;
use crate::store::command::{Command, Effect, Purpose, Reply};
#[cfg(feature = "axum")]
pub use axum::{CurrentSession, SessionCookie};
use bytes::Bytes;
pub use id::SessionId;
use lifetime::{Left, Lifetime};
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
        let members = Members::default();
        codec
            .stored_form(&full, plain, self.encoding, members)
            .await
    }

    /// The plain form of it.
    async fn opened(&self, id: &SessionId, stored: Bytes) -> Result<Bytes, Error> {
        let full = self.client.full(&self.key(id));
        let opened = self
            .client
            .codec
            .open(&full.value, stored, self.encoding.encrypt)
            .await;
        opened
            .map(|opened| opened.plain)
            .map_err(|what| self.unreadable(&what))
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
        self.client.steady_ms()
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
            purpose: Purpose::Held,
        };
        self.client.change(&key, &full, change, removes).await
    }

    /// Removes the session: now, or in the background if no answer comes. Whether it was there.
    async fn removed(&self, id: &SessionId) -> Result<bool, Error> {
        let full = self.client.full(&self.key(id));
        let writer = self.client.writes.next();
        let unanswered = Unanswered::new(&self.client, &writer, [full], true);
        let removed = self.send(id, Effect::Repeatable, "DEL", []).await?;
        let removed = removed.parse().map_err(|error| unread(&error))?;
        unanswered.answered();
        Ok(removed)
    }
}
