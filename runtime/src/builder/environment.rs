//! A `Millpond` from the environment, or with defaults.

use super::Builder;
use crate::error::{Error, ErrorKind};
use crate::keyring;
use crate::pond::Millpond;
use crate::secret::Secret;
use crate::settings::{CredentialNames, Engine};
use crate::store;

/// Pairs of environment variables, in the order in which they are looked for.
pub(crate) const ENVIRONMENT: [(&str, &str); 3] = [
    ("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"),
    ("KV_REST_API_URL", "KV_REST_API_TOKEN"),
    ("UPSTASH_REDIS_URL", "UPSTASH_REDIS_TOKEN"),
];

/// The URL of a Redis over RESP, looked for after the pairs.
pub(crate) const REDIS_URL: &str = "REDIS_URL";

/// What [`Builder::allow_plain_http`] says in code.
pub(crate) const PLAIN_HTTP: &str = "MILLPOND_ALLOW_PLAIN_HTTP";

impl Builder {
    /// The builder for credentials that a look-up function finds by name: the bindings of a Worker, a file of
    /// settings, a vault. It asks for the names that [`Millpond::from_env`] reads, in the same order, those of
    /// encryption keys included. An empty text stands for nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if there are no credentials, or one of a pair is missing. Later errors,
    /// of [`build`](Self::build) and of the server, name the variable that has to change.
    ///
    /// ```
    /// # #[cfg(feature = "upstash")] {
    /// use millpond::{Builder, ErrorKind};
    /// use std::collections::HashMap;
    ///
    /// let bindings = HashMap::from([
    ///     ("UPSTASH_REDIS_REST_URL", "https://example-12345.upstash.io"),
    ///     ("UPSTASH_REDIS_REST_TOKEN", "token"),
    /// ]);
    /// let pond = Builder::from_lookup(|name| bindings.get(name).map(|text| (*text).to_owned()))?
    ///     .namespace("edge")
    ///     .build()?;
    ///
    /// let nothing = Builder::from_lookup(|_| None).unwrap_err();
    /// assert_eq!(nothing.kind(), ErrorKind::Config);
    /// assert!(nothing.to_string().contains("UPSTASH_REDIS_REST_URL"));
    /// # }
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        if let Some(found) = found(&lookup)? {
            let builder = Self::opened_by(found.engine, store::open_remote);
            return Ok(builder.looked_up(found.plain_http, lookup));
        }
        let (url, token) = ENVIRONMENT[0];
        Err(Error::new(
            ErrorKind::Config,
            format!("Missing Upstash Redis credentials: neither {url} nor {token} is set"),
        ))
    }

    /// The same, where the embedded engine stands in for missing credentials.
    pub(crate) fn from_environment(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let found = found(&lookup)?;
        let plain_http = found.as_ref().is_some_and(|found| found.plain_http);
        let engine = found.map_or(Engine::Memory, |found| found.engine);
        Ok(Self::opened_by(engine, store::open).looked_up(plain_http, lookup))
    }

    fn looked_up(mut self, plain_http: bool, lookup: impl Fn(&str) -> Option<String>) -> Self {
        let keys = lookup(keyring::VARIABLE).unwrap_or_default();
        self.encryption_keys = Some(Secret::new(keys));
        self.allow_plain_http(plain_http)
    }
}

/// What a look-up has found.
struct Found {
    engine: Engine,
    plain_http: bool,
}

fn found(lookup: impl Fn(&str) -> Option<String>) -> Result<Option<Found>, Error> {
    let set = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
    for (url_name, token_name) in ENVIRONMENT {
        let (there, missing) = match (set(url_name), set(token_name)) {
            (Some(url), Some(token)) => {
                let engine = Engine::Upstash {
                    url: Secret::new(url),
                    token: Secret::new(token),
                    names: Some(CredentialNames {
                        url: url_name,
                        token: token_name,
                    }),
                };
                let plain_http = set(PLAIN_HTTP).is_some_and(|value| is_yes(&value));
                return Ok(Some(Found { engine, plain_http }));
            }
            (Some(_), None) => (url_name, token_name),
            (None, Some(_)) => (token_name, url_name),
            (None, None) => continue,
        };
        return Err(Error::new(
            ErrorKind::Config,
            format!(
                "Missing Upstash Redis credentials: {there} is set but {missing} is not; set \
                 both, or neither to use the embedded engine"
            ),
        ));
    }
    Ok(set(REDIS_URL)
        .filter(|_| cfg!(feature = "redis"))
        .map(|url| Found {
            engine: Engine::Redis {
                urls: vec![Secret::new(url)],
                cluster: false,
            },
            plain_http: false,
        }))
}

fn is_yes(value: &str) -> bool {
    matches!(
        value.trim().to_ascii_lowercase().as_str(),
        "1" | "true" | "yes" | "on"
    )
}

/// What a process is told that found nothing to use in its environment.
pub(super) fn what_is_missing(has_redis_url: bool) -> &'static str {
    if has_redis_url {
        "Missing Upstash Redis credentials: neither UPSTASH_REDIS_REST_URL nor UPSTASH_REDIS_REST_TOKEN is set, \
         and REDIS_URL, which is, needs the feature `redis` of millpond, which this build lacks; until it is \
         added in Cargo.toml, millpond caches in this process only"
    } else {
        "Missing Upstash Redis credentials: neither UPSTASH_REDIS_REST_URL nor UPSTASH_REDIS_REST_TOKEN is set; \
         millpond caches in this process only"
    }
}

impl Millpond {
    /// Starts from the defaults.
    ///
    /// ```
    /// let pond = millpond::Millpond::builder().namespace("test").build()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// A new embedded cache with default settings, for example for a test. If the variable
    /// `MILLPOND_ENCRYPTION_KEY` is wrong, an error is logged, and every operation of the result fails with
    /// it.
    ///
    /// ```
    /// let pond = millpond::Millpond::memory();
    /// ```
    pub fn memory() -> Self {
        Builder::new().build().unwrap_or_else(Self::unconfigured)
    }

    /// The cache that the environment describes: Upstash with `UPSTASH_REDIS_REST_URL` and
    /// `UPSTASH_REDIS_REST_TOKEN`, else `KV_REST_API_URL` and `KV_REST_API_TOKEN`, else `UPSTASH_REDIS_URL`
    /// and `UPSTASH_REDIS_TOKEN`; else, with the feature `redis`, the Redis at `REDIS_URL`; with none of them
    /// the embedded engine, and one warning in the log that begins with `Missing Upstash Redis credentials`.
    /// `MILLPOND_ENCRYPTION_KEY` holds the keys of [`Builder::encryption_key`], if any.
    ///
    /// `cargo run --example doctor`, in the repository, checks what the environment says.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if one variable of a pair is missing, or if a URL or a key is invalid.
    ///
    /// ```no_run
    /// let pond = millpond::Millpond::from_env()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn from_env() -> Result<Self, Error> {
        let builder = Builder::from_environment(|name| std::env::var(name).ok())?;
        if builder.is_memory() {
            let redis_url = std::env::var(REDIS_URL).unwrap_or_default();
            tracing::warn!("{}", what_is_missing(!redis_url.trim().is_empty()));
        }
        builder.build()
    }
}
