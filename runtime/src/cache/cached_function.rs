//! What the compiler knows about a cached function: built in a constant, checked there.

use super::staleness::{Ahead, Staleness};
use crate::client::tags::TagsOf;
use crate::encoding::Encoding;
use crate::key::{KeyWriter, Short, ShortKey, Tag};
use crate::local::Within;
use std::time::Duration;

/// The lifetime of the value that has this plain form, if it can be read.
pub(crate) type LifetimeOf = fn(&[u8]) -> Option<Duration>;

/// Whether the value that has this plain form is not to be stored.
pub(crate) type UnlessOf = fn(&[u8]) -> bool;

/// Where values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locality {
    /// In the store.
    Shared,
    /// In the store, and in this process for at most so long.
    Near(Duration),
    /// In this process, and nowhere else.
    Only,
}

/// The description of one cached function.
#[derive(Debug)]
pub struct CachedFunction {
    /// Its path, and where it is written.
    pub(crate) name: &'static str,
    pub(crate) prefix: &'static str,
    pub(crate) template: &'static str,
    pub(crate) ttl: Duration,
    pub(crate) null_ttl: Option<Duration>,
    pub(crate) version: Option<u32>,
    /// What its keys begin with, where that is short.
    head: Option<Short>,
    pub(crate) flight: bool,
    pub(crate) encoding: Encoding,
    pub(crate) jitter: Option<f32>,
    pub(crate) ttl_of: Option<LifetimeOf>,
    pub(crate) unless: Option<UnlessOf>,
    pub(crate) tags_of: Option<TagsOf>,
    /// Whether values have a guard.
    pub(crate) guard: bool,
    /// For how long values are used after their lifetime, if they are.
    pub(crate) staleness: Option<Staleness>,
    /// Whether all entries can be invalidated at once.
    pub(crate) all: bool,
    pub(crate) locality: Locality,
    /// Another function whose keys this one uses on purpose.
    shared: Option<fn() -> &'static Self>,
}

/// A hundred years.
const MAX_LIFE: u64 = crate::ttl::CENTURY.as_secs();

const fn check_life(life: Duration) {
    assert!(
        life.as_millis() > 0,
        "the lifetime is under 1 ms; write a longer ttl"
    );
    assert!(
        life.as_secs() <= MAX_LIFE,
        "the lifetime is over 100 years; write a shorter ttl"
    );
}

const fn check_window(window: Duration) {
    assert!(
        window.as_millis() > 0,
        "a stale window or a soft timeout is under 1 ms; write a longer one, or leave it out"
    );
    assert!(
        window.as_secs() <= MAX_LIFE,
        "a stale window or a soft timeout is over 100 years; write a shorter one"
    );
}

/// Stops the build of a function with an option that this build of millpond does not have.
const fn check_feature(is_on: bool, otherwise: &str) {
    assert!(is_on, "{}", otherwise);
}

/// Whether a prefix can be the first segment of a key; a constant that is not stops the build.
///
/// # Panics
/// If it cannot, which in a constant is an error of the build.
pub const fn check_prefix(prefix: &str) {
    let bytes = prefix.as_bytes();
    assert!(
        !bytes.is_empty(),
        "the prefix is empty; write the first segment of the key"
    );
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        assert!(
            byte != b':',
            "the prefix holds a `:`; it is one segment of the key"
        );
        assert!(
            byte != b'@',
            "the prefix holds an `@`; that is where the version stands"
        );
        assert!(
            byte > b' ' && byte != 0x7f,
            "the prefix holds white space or a control character; write one word"
        );
        assert!(
            byte != b'{' && byte != b'}',
            "the prefix holds a brace; hash tags go into the key"
        );
        at += 1;
    }
}

impl CachedFunction {
    /// A function by its name, its prefix, template and lifetime.
    pub const fn new(
        name: &'static str,
        prefix: &'static str,
        template: &'static str,
        ttl: Duration,
    ) -> Self {
        check_prefix(prefix);
        check_life(ttl);
        let null_ttl = Some(crate::ttl::SHORT);
        Self {
            name,
            prefix,
            template,
            ttl,
            null_ttl,
            version: None,
            head: Short::head(prefix, None),
            flight: true,
            encoding: Encoding {
                compress: false,
                encrypt: false,
            },
            jitter: None,
            ttl_of: None,
            unless: None,
            tags_of: None,
            guard: true,
            staleness: None,
            all: false,
            locality: Locality::Shared,
            shared: None,
        }
    }

    /// The lifetime of a cached `None`.
    #[must_use]
    pub const fn null_ttl(mut self, ttl: Duration) -> Self {
        check_life(ttl);
        self.null_ttl = Some(ttl);
        self
    }

    /// `None` is not cached.
    #[must_use]
    pub const fn no_null(mut self) -> Self {
        self.null_ttl = None;
        self
    }

    /// The version in the key.
    #[must_use]
    pub const fn version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self.head = Short::head(self.prefix, Some(version));
        self
    }

    /// Every caller loads for itself.
    #[must_use]
    pub const fn no_flight(mut self) -> Self {
        self.flight = false;
        self
    }

    /// Up to this fraction is taken off each lifetime.
    #[must_use]
    pub const fn jitter(mut self, fraction: f32) -> Self {
        self.jitter = Some(fraction);
        self
    }

    /// The lifetime comes from the value, of which this gets the plain form.
    #[must_use]
    pub const fn ttl_of(mut self, of: fn(&[u8]) -> Option<Duration>) -> Self {
        self.ttl_of = Some(of);
        self
    }

    /// Some values are not stored, of which this gets the plain form.
    #[must_use]
    pub const fn unless(mut self, of: fn(&[u8]) -> bool) -> Self {
        self.unless = Some(of);
        self
    }

    /// More tags come from the value, of which this gets the plain form.
    #[must_use]
    pub const fn tags_of(mut self, of: fn(&[u8]) -> Option<Vec<Tag>>) -> Self {
        self.tags_of = Some(of);
        self
    }

    /// Values are read, stored and removed by plain commands.
    #[must_use]
    pub const fn no_guard(mut self) -> Self {
        self.guard = false;
        self
    }

    const fn staleness(&self) -> Staleness {
        match self.staleness {
            Some(staleness) => staleness,
            None => Staleness::NONE,
        }
    }

    /// For so long after the lifetime the old value is returned while one load runs in the background.
    #[must_use]
    pub const fn stale_while_revalidate(mut self, window: Duration) -> Self {
        check_window(window);
        self.staleness = Some(Staleness {
            while_revalidate: window,
            ..self.staleness()
        });
        self
    }

    /// For so long after the lifetime the old value is returned if the body fails.
    #[must_use]
    pub const fn stale_if_error(mut self, window: Duration) -> Self {
        check_window(window);
        self.staleness = Some(Staleness {
            if_error: window,
            ..self.staleness()
        });
        self
    }

    /// A call that has an old value waits for so long for the body.
    #[must_use]
    pub const fn soft_timeout(mut self, timeout: Duration) -> Self {
        check_window(timeout);
        self.staleness = Some(Staleness {
            soft_timeout: Some(timeout),
            ..self.staleness()
        });
        self
    }

    /// From this fraction of the lifetime on, the value is loaded again in the background.
    #[must_use]
    pub const fn refresh_ahead(mut self, fraction: f64) -> Self {
        self.staleness = Some(Staleness {
            ahead: Ahead::From(fraction),
            ..self.staleness()
        });
        self
    }

    /// The value is loaded again in the background at random before its lifetime ends.
    #[must_use]
    pub const fn refresh_ahead_at_random(mut self) -> Self {
        self.staleness = Some(Staleness {
            ahead: Ahead::AtRandom,
            ..self.staleness()
        });
        self
    }

    /// All entries can be invalidated at once.
    #[must_use]
    pub const fn all(mut self) -> Self {
        self.all = true;
        self
    }

    /// Values stay in this process.
    #[must_use]
    pub const fn local_only(mut self) -> Self {
        self.locality = Locality::Only;
        self
    }

    /// Values stay in this process for at most so long, too.
    ///
    /// # Panics
    /// In a `const`, the build fails instead: the time is under 1 ms, or longer than the lifetime.
    #[must_use]
    pub const fn local(mut self, time: Duration) -> Self {
        assert!(
            time.as_millis() > 0,
            "`local` is under 1 ms; write a longer one, or leave it out"
        );
        assert!(
            time.as_nanos() <= self.ttl.as_nanos(),
            "`local` is longer than the lifetime; write a shorter one, or a longer ttl"
        );
        self.locality = Locality::Near(time);
        self
    }

    /// For how long values stay in this process, where they are in the store too.
    #[inline]
    pub(crate) const fn near(&self) -> Option<Duration> {
        match self.locality {
            Locality::Near(time) => Some(time),
            Locality::Shared | Locality::Only => None,
        }
    }

    /// Up to which age it uses what this process keeps.
    #[inline]
    pub(crate) const fn within(&self) -> Within {
        match self.locality {
            Locality::Near(time) => Within::of(time),
            Locality::Shared | Locality::Only => Within::ANY,
        }
    }

    /// The tag of all entries: the prefix and the template, without the names in it.
    pub(crate) fn all_tag(&self) -> Tag {
        let mut name = match self.version {
            Some(version) => format!("@all:{}@{version}", self.prefix),
            None => format!("@all:{}", self.prefix),
        };
        name.push(':');
        let mut depth = false;
        for c in self.template.chars() {
            depth &= c != '>';
            if !depth {
                name.push(c);
            }
            depth |= c == '<';
        }
        Tag::new(name)
    }

    /// Large values are compressed.
    #[must_use]
    pub const fn compress(mut self) -> Self {
        check_feature(
            cfg!(feature = "compress"),
            "`compress` needs a feature of millpond; add `compress` to its features in Cargo.toml",
        );
        self.encoding.compress = true;
        self
    }

    /// All values are encrypted.
    #[must_use]
    pub const fn encrypt(mut self) -> Self {
        check_feature(
            cfg!(feature = "encrypt"),
            "`encrypt` needs a feature of millpond; add `encrypt` to its features in Cargo.toml",
        );
        self.encoding.encrypt = true;
        self
    }

    /// The keys of this function on purpose.
    #[must_use]
    pub const fn sharing(mut self, other: fn() -> &'static Self) -> Self {
        self.shared = Some(other);
        self
    }

    /// Whether this one uses the keys of the other on purpose.
    pub(crate) fn shares(&self, other: &Self) -> bool {
        self.shares_with()
            .is_some_and(|shared| shared.name == other.name)
    }

    /// The function whose keys this one uses on purpose.
    pub(crate) fn shares_with(&self) -> Option<&'static Self> {
        self.shared.map(|shared| shared())
    }
}

impl ShortKey {
    /// The beginning of the key of a call.
    #[expect(clippy::inline_always, reason = "it is known at compile time")]
    #[inline(always)]
    #[must_use]
    pub fn new(function: &CachedFunction) -> Self {
        Self::beginning(function.head)
    }
}

impl KeyWriter {
    /// The writer for the key of a call.
    pub fn new(function: &CachedFunction) -> Self {
        Self::under(function.prefix, function.version)
    }

    /// The same for a key that most calls only look at.
    pub fn on_scratch(function: &CachedFunction) -> Self {
        Self::on_scratch_under(function.prefix, function.version)
    }

    /// The writer for `key!`.
    pub fn bare(prefix: &str) -> Self {
        Self::under(prefix, None)
    }
}
