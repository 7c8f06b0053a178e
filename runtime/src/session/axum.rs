//! The session of a request, as an extractor of axum.

use super::{SessionId, Sessions};
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::Arc;

/// Which cookie holds the id of the session, and where its sessions are. An `Extension` layer puts it into requests,
/// where [`CurrentSession`] finds it.
///
/// The name should begin with `__Host-`: browsers then take the cookie from this host alone, over TLS.
///
/// ```
/// use axum::{Extension, Router};
/// use millpond::{Millpond, SessionCookie, ttl};
///
/// let sessions = Millpond::memory().sessions::<u64>(ttl::EXTENDED).hashed();
/// let app: Router = Router::new().layer(Extension(SessionCookie::new("__Host-sid", sessions)));
/// ```
pub struct SessionCookie<T> {
    name: Arc<str>,
    sessions: Sessions<T>,
}

impl<T> SessionCookie<T> {
    /// The cookie of this name, and these sessions.
    ///
    /// ```
    /// use millpond::{Millpond, SessionCookie, ttl};
    /// let cookie = SessionCookie::new("__Host-sid", Millpond::memory().sessions::<u64>(ttl::EXTENDED));
    /// ```
    pub fn new(name: impl Into<String>, sessions: Sessions<T>) -> Self {
        let name = name.into().into();
        Self { name, sessions }
    }

    /// The id in the cookie. If the cookie is there more than once, the client or another host of the domain put
    /// one of them there: none is believed.
    fn id(&self, headers: &HeaderMap) -> Option<SessionId> {
        let lines = headers.get_all(COOKIE).iter();
        let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
        let mut values = pairs.filter_map(|pair| {
            let (name, value) = std::str::from_utf8(pair).ok()?.trim().split_once('=')?;
            (name == &*self.name).then_some(value)
        });
        match (values.next(), values.next()) {
            (Some(value), None) => value.parse().ok(),
            _ => None,
        }
    }
}

impl<T> Clone for SessionCookie<T> {
    fn clone(&self) -> Self {
        Self {
            name: Arc::clone(&self.name),
            sessions: self.sessions.clone(),
        }
    }
}

impl<T> fmt::Debug for SessionCookie<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCookie")
            .field("name", &self.name)
            .field("sessions", &self.sessions)
            .finish()
    }
}

/// The session of the caller, as an extractor: read by the id in the cookie of the [`SessionCookie`] that an
/// `Extension` layer puts into requests, which costs what [`Sessions::get`] costs.
///
/// Without a session the request is answered with 401; `Option<CurrentSession<T>>` is `None` instead. Where the
/// store does not answer, either is 503, and 500 for a session that is no `T` or a missing `SessionCookie`.
///
/// The [`SessionId`] is then in the extensions of the request too, where a layer further inside finds whom to count:
/// [`limit::CallerSession`](crate::limit::CallerSession).
///
/// ```
/// use axum::{Extension, Router, routing::get};
/// use millpond::{CurrentSession, Millpond, SessionCookie, ttl};
///
/// async fn whoami(CurrentSession { value: user_id, .. }: CurrentSession<u64>) -> String {
///     format!("user {user_id}")
/// }
///
/// let sessions = Millpond::memory().sessions::<u64>(ttl::EXTENDED).hashed();
/// let app: Router = Router::new()
///     .route("/whoami", get(whoami))
///     .layer(Extension(SessionCookie::new("__Host-sid", sessions)));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct CurrentSession<T> {
    /// The id, to update, rotate or destroy the session.
    pub id: SessionId,
    /// What the session holds.
    pub value: T,
}

/// Without what the session holds.
impl<T> fmt::Debug for CurrentSession<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CurrentSession")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

type Rejection = (StatusCode, &'static str);

impl<T: DeserializeOwned + 'static> CurrentSession<T> {
    async fn find(parts: &mut Parts) -> Result<Option<Self>, Rejection> {
        let Some(cookie) = parts.extensions.get::<SessionCookie<T>>().cloned() else {
            return Err((
                StatusCode::INTERNAL_SERVER_ERROR,
                "it is not known where sessions are; put a layer of Extension(SessionCookie::new(..)) around the router",
            ));
        };
        let Some(id) = cookie.id(&parts.headers) else {
            return Ok(None);
        };
        let value = cookie.sessions.get(&id).await.map_err(|error| {
            tracing::debug!(%error, "a session could not be read");
            let status = if error.is_retryable() {
                StatusCode::SERVICE_UNAVAILABLE
            } else {
                StatusCode::INTERNAL_SERVER_ERROR
            };
            (status, "the session cannot be read")
        })?;
        Ok(value.map(|value| {
            parts.extensions.insert(id.clone());
            Self { id, value }
        }))
    }
}

impl<T: DeserializeOwned + 'static, S: Sync> FromRequestParts<S> for CurrentSession<T> {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let found = Self::find(parts).await?;
        found.ok_or((StatusCode::UNAUTHORIZED, "there is no session; log in"))
    }
}

impl<T: DeserializeOwned + 'static, S: Sync> OptionalFromRequestParts<S> for CurrentSession<T> {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        Self::find(parts).await
    }
}
