//! The two forms of a value: the plain one, which is JSON, and the one that is stored, which differs
//! where it is compressed or encrypted.

pub(crate) mod cipher;
pub(crate) mod envelope;
mod gzip;

use crate::encoding::Encoding;
use crate::error::{Error, ErrorKind};
use crate::key::{self, FullKey};
use crate::keyring::{self, Keyring};
use crate::runtime;
use crate::settings::Settings;
use crate::value::MARK;
use bytes::Bytes;
use cipher::Cipher;
pub(crate) use envelope::{Members, Opened, Times};

/// How many times larger than the largest stored value one may be before it is compressed.
const MOST_PACKED: usize = 8;

/// Turns plain forms into stored ones and back, with the keys and the limit of one `Millpond`. Large ones are
/// packed and unpacked on another thread.
#[derive(Clone)]
pub(crate) struct Codec {
    keys: Keyring,
    /// The largest stored value, in bytes.
    most: usize,
    /// Why nothing works at all, if so: a missing key is then not the thing to say.
    unconfigured: Option<Error>,
}

impl Codec {
    pub(crate) fn new(settings: &Settings, unconfigured: Option<Error>) -> Self {
        Self {
            keys: settings.keys.clone(),
            most: settings.max_value,
            unconfigured,
        }
    }

    /// The stored form of a plain one, if it may be stored.
    pub(crate) async fn stored_form(
        &self,
        full: &FullKey,
        plain: Bytes,
        encoding: Encoding,
        members: Members,
    ) -> Result<Bytes, Error> {
        if !encoding.compress && !encoding.encrypt {
            return self.packed(full, plain, encoding, &members);
        }
        let (codec, full, length) = (self.clone(), full.clone(), plain.len());
        let work = move || codec.packed(&full, plain, encoding, &members);
        let packed = runtime::offload(length, work).await;
        packed.unwrap_or_else(|| {
            Err(Error::new(
                ErrorKind::Unavailable,
                "the runtime is shutting down",
            ))
        })
    }

    /// The stored form where nothing is done to a value: its length is checked.
    pub(crate) fn as_it_is(&self, full: &FullKey, plain: Bytes) -> Result<Bytes, Error> {
        self.packed(full, plain, Encoding::default(), &Members::default())
    }

    fn packed(
        &self,
        full: &FullKey,
        plain: Bytes,
        encoding: Encoding,
        members: &Members,
    ) -> Result<Bytes, Error> {
        if std::str::from_utf8(&full.value).is_ok_and(key::is_beside) {
            return Err(Error::new(
                ErrorKind::InvalidKey,
                "the key ends in `:guard`, `:fence`, `:doubt` or `:lease` behind a hash tag, which is the name of a \
                 key that belongs to another one; end the key differently",
            ));
        }
        let most = self.most;
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
        let stored = envelope::seal(&full.value, plain, encoding.compress, key, members)?;
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
    pub(crate) async fn open(
        &self,
        name: &Bytes,
        stored: Bytes,
        encrypted: bool,
    ) -> Result<Opened, String> {
        // A plain form is what it is.
        if !stored.starts_with(MARK) {
            return self.unpacked(name, stored, encrypted);
        }
        let (codec, name, length) = (self.clone(), name.clone(), stored.len());
        let work = move || codec.unpacked(&name, stored, encrypted);
        let opened = runtime::offload(length, work).await;
        opened.unwrap_or_else(|| Err("the runtime is shutting down".to_owned()))
    }

    /// The same at once, for what takes no time.
    pub(crate) fn open_now(
        &self,
        name: &[u8],
        stored: Bytes,
        encrypted: bool,
    ) -> Option<Result<Opened, String>> {
        let is_quick = !stored.starts_with(MARK) || stored.len() <= runtime::MUCH;
        is_quick.then(|| self.unpacked(name, stored, encrypted))
    }

    fn unpacked(&self, name: &[u8], stored: Bytes, encrypted: bool) -> Result<Opened, String> {
        envelope::open(name, stored, encrypted, &self.keys, self.most_plain())
    }

    /// The most bytes that a value may have before it is compressed and after it is unpacked.
    fn most_plain(&self) -> usize {
        self.most.saturating_mul(MOST_PACKED)
    }

    /// What encrypts. Where the whole configuration is wrong, that is what there is to say.
    fn writer(&self) -> Result<(&str, &Cipher), Error> {
        let missing = || self.unconfigured.clone().unwrap_or_else(keyring::no_key);
        self.keys.writer().ok_or_else(missing)
    }

    /// Whether nothing can be encrypted, though everything else is as it should be.
    pub(crate) fn lacks_key(&self) -> bool {
        self.unconfigured.is_none() && self.keys.writer().is_none()
    }
}
