//! Which engine a `Millpond` uses.

use super::Builder;
use crate::secret::Secret;
use crate::settings::Engine;
use crate::store;

impl Builder {
    /// The embedded engine, which lives in this process and ends with it. Values age by the wall clock or the
    /// monotonic one, whichever says more, so a step of the wall clock costs a miss at most; locks, sessions
    /// and budgets of limits go by the monotonic clock alone. Its size is bounded by
    /// [`memory_bytes`](Self::memory_bytes). The default.
    ///
    /// ```
    /// let pond = millpond::Millpond::builder().memory().build()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn memory(mut self) -> Self {
        self.engine = Engine::Memory;
        self.open = store::open;
        self
    }

    /// Upstash Redis over HTTP, or anything that speaks its REST protocol. The address must be
    /// `https`, or `http` on this machine, unless [`allow_plain_http`](Self::allow_plain_http) says otherwise.
    /// Needs the feature `upstash`, which is on by default.
    ///
    /// ```
    /// # #[cfg(feature = "upstash")] {
    /// let pond = millpond::Millpond::builder()
    ///     .upstash("https://example-12345.upstash.io", "token")
    ///     .build()?;
    /// # }
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn upstash(mut self, url: impl Into<String>, token: impl Into<String>) -> Self {
        self.engine = Engine::Upstash {
            url: Secret::new(url),
            token: Secret::new(token),
            names: None,
        };
        self
    }

    /// Allows [`upstash`](Self::upstash) an address that is plain `http` to another machine, for example an
    /// emulator in the same docker-compose file (`http://srh:80`). Everybody on the way can read the token and
    /// the values, so a warning is logged. Off by default. [`from_env`](crate::Millpond::from_env) reads
    /// `MILLPOND_ALLOW_PLAIN_HTTP=1`.
    ///
    /// ```
    /// # #[cfg(feature = "upstash")] {
    /// use millpond::Millpond;
    ///
    /// let srh = || Millpond::builder().upstash("http://srh:80", "token");
    /// assert!(srh().build().is_err());
    /// let pond = srh().allow_plain_http(true).build()?;
    /// # }
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn allow_plain_http(mut self, allow: bool) -> Self {
        self.settings.plain_http = allow;
        self
    }

    /// Any Redis or Valkey over RESP: `redis://host:port/db`, `rediss://` for TLS. Needs the
    /// feature `redis`. It connects on first use.
    ///
    /// ```
    /// # #[cfg(feature = "redis")] {
    /// let pond = millpond::Millpond::builder().redis("redis://127.0.0.1:6379").build()?;
    /// # }
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn redis(mut self, url: impl Into<String>) -> Self {
        self.engine = Engine::Redis {
            urls: vec![Secret::new(url)],
            cluster: false,
        };
        self
    }

    /// Redis Cluster, by the addresses of some of its nodes. Needs the feature `redis`.
    ///
    /// ```
    /// # #[cfg(feature = "redis")] {
    /// let pond = millpond::Millpond::builder()
    ///     .redis_cluster(["redis://10.0.0.1:6379", "redis://10.0.0.2:6379"])
    ///     .build()?;
    /// # }
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn redis_cluster<U: Into<String>>(mut self, urls: impl IntoIterator<Item = U>) -> Self {
        let urls = urls.into_iter().map(|url| Secret::new(url)).collect();
        self.engine = Engine::Redis {
            urls,
            cluster: true,
        };
        self
    }
}
