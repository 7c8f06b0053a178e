//! What can be done with a session.

use super::Sessions;
use super::id::SessionId;
use super::lifetime::Left;
use crate::client::guard;
use crate::client::write::Unanswered;
use crate::error::Error;
use crate::reply::{bulk, int, unread};
use crate::store::command::{Effect, Reply};
use crate::time_left::TimeLeft;
use crate::value::plain_form;
use crate::{ttl, value};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

impl<T> Sessions<T> {
    /// Starts a session and returns its id.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) for a value that cannot be represented as JSON or
    /// a lifetime of zero, [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) over
    /// [`Builder::max_value_bytes`](crate::Builder::max_value_bytes),
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if the system provides no random numbers, and the
    /// errors of [any command](crate::ErrorKind).
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
        let reply = self.change(&id, "SET", args, true).await?;
        int(&reply).map_err(|error| unread(&error))?;
        Ok(id)
    }

    /// What the session holds; `None` if it has ended or never existed.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) if it is not a `T`: then destroy the session, and treat the
    /// caller as new. Also the errors of [any command](crate::ErrorKind).
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
    /// As [`create`](Self::create). On Redis Cluster, and where sessions are [encrypted](Self::encrypted), it takes
    /// three commands; if one of them fails, the old id may still be valid.
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
