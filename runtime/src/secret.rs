//! A text that is never printed, and is overwritten when it is dropped.

use std::fmt;
use std::hash::{Hash, Hasher};
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// A token, a password, an encryption key or the id of a session.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Zeroizing<String>);

impl ZeroizeOnDrop for Secret {}

impl Hash for Secret {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.reveal().hash(state);
    }
}

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for the one place that sends it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    #[cfg_attr(
        not(feature = "upstash"),
        expect(dead_code, reason = "only its engine quotes what a server says")
    )]
    /// The other text with every occurrence of this one blotted out.
    pub(crate) fn redact(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        text.replace(self.reveal(), "***")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
