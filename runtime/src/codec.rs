//! The two forms of a value: the plain one, which is JSON, and the one that is stored, which differs
//! where it is compressed or encrypted.

use crate::cache::cipher::Cipher;
use crate::cache::envelope;
use crate::encoding::Encoding;
use crate::error::{Error, ErrorKind};
use crate::key::FullKey;
use crate::keyring;
use crate::pond::{Inner, Millpond};
use bytes::Bytes;

/// How many times larger than the largest stored value one may be before it is compressed.
const MOST_PACKED: usize = 8;

impl Millpond {
    /// The stored form of a plain one, if it may be stored.
    pub(crate) fn stored_form(
        &self,
        full: &FullKey,
        plain: Bytes,
        encoding: Encoding,
    ) -> Result<Bytes, Error> {
        let most = self.0.settings.max_value;
        if encoding.compress && plain.len() > self.most_plain() {
            let length = plain.len();
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "the value takes {length} bytes before it is compressed, over {MOST_PACKED} times \
                     the limit of {most}; raise max_value_bytes or store a reference"
                ),
            ));
        }
        let key = if encoding.encrypt {
            Some(self.writer()?)
        } else {
            None
        };
        let stored = envelope::seal(&full.value, plain, encoding.compress, key)?;
        if stored.len() > most {
            let length = stored.len();
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "the value takes {length} bytes, over the limit of {most}; raise max_value_bytes \
                     or store a reference"
                ),
            ));
        }
        Ok(stored)
    }

    /// The plain form of a stored one. It must be an encrypted one where `encrypted` says so.
    pub(crate) fn open(
        &self,
        name: &[u8],
        stored: Bytes,
        encrypted: bool,
    ) -> Result<Bytes, String> {
        let keys = &self.0.settings.keys;
        envelope::open(name, stored, encrypted, keys, self.most_plain())
    }

    /// The most bytes that a value may have before it is compressed and after it is unpacked.
    fn most_plain(&self) -> usize {
        self.0.settings.max_value.saturating_mul(MOST_PACKED)
    }

    /// What encrypts. Where the whole configuration is wrong, that is what there is to say.
    fn writer(&self) -> Result<(&str, &Cipher), Error> {
        let Inner {
            store, settings, ..
        } = &*self.0;
        let missing = || {
            store
                .as_ref()
                .err()
                .cloned()
                .unwrap_or_else(keyring::no_key)
        };
        settings.keys.writer().ok_or_else(missing)
    }

    /// Whether nothing can be encrypted, though everything else is as it should be.
    pub(crate) fn lacks_key(&self) -> bool {
        self.0.store.is_ok() && self.0.settings.keys.writer().is_none()
    }
}
