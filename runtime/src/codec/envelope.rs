//! The stored form of a value that is compressed or encrypted, or of which more is known than the value: a
//! header line, which is a JSON object, and the payload, in base64 where it is no text, since REST
//! carries only that. Every other value is stored as plain JSON.
//!
//! The form is a public format, see `docs/interop.md`.

#[cfg(all(test, feature = "compress", feature = "encrypt"))]
mod tests;

use super::cipher::Cipher;
use super::gzip;
use crate::error::Error;
use crate::keyring::{self, Keyring};
use crate::value::MARK;
use bytes::Bytes;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What the envelopes begin with that can be opened here.
const VERSION: &[u8] = b"{\"millpond\":1,";

/// Values shorter than this, in bytes of JSON, are not compressed.
const WORTH_COMPRESSING: usize = 1024;

/// What is known of a value beside its plain form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Members {
    /// The tags that it was stored under, each with its nonce.
    pub(crate) tags: BTreeMap<String, String>,
    /// How long it is fresh, where it may be used for longer.
    pub(crate) times: Option<Times>,
}

/// When a value was loaded, and until when it is fresh, by the clock of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    /// The ms since the Unix epoch until which it is fresh.
    pub(crate) until: u64,
    /// The ms since the Unix epoch at which its load began.
    pub(crate) from: Option<u64>,
    /// How many ms its body took.
    pub(crate) took: Option<u64>,
}

impl Times {
    fn push(&self, line: &mut String) {
        // Writing to a string does not fail.
        let _ = write!(line, ",\"until\":{}", self.until);
        for (name, value) in [("from", self.from), ("took", self.took)] {
            if let Some(value) = value {
                let _ = write!(line, ",\"{name}\":{value}");
            }
        }
    }
}

impl Members {
    fn is_empty(&self) -> bool {
        self.tags.is_empty() && self.times.is_none()
    }

    fn push(&self, line: &mut String) {
        if let Some(times) = &self.times {
            times.push(line);
        }
        if self.tags.is_empty() {
            return;
        }
        // A map of strings is JSON.
        let tags = serde_json::to_string(&self.tags).unwrap_or_default();
        line.push_str(",\"tags\":");
        line.push_str(&tags);
    }
}

/// What an envelope held.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) plain: Bytes,
    /// Nothing for a value that is stored as it is.
    pub(crate) members: Option<Box<Members>>,
}

impl Opened {
    /// The tags that the value was stored under.
    pub(crate) fn tags(&self) -> Option<&BTreeMap<String, String>> {
        let members = self.members.as_deref()?;
        (!members.tags.is_empty()).then_some(&members.tags)
    }

    /// Until when it is fresh; nothing for as long as it is there.
    pub(crate) fn times(&self) -> Option<Times> {
        self.members.as_deref()?.times
    }
}

impl From<Bytes> for Opened {
    fn from(plain: Bytes) -> Self {
        Self {
            plain,
            members: None,
        }
    }
}

/// What the header says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    #[serde(rename = "millpond")]
    _version: u8,
    /// Whether the payload is compressed.
    #[serde(default)]
    gzip: bool,
    /// The id of the key with which it is encrypted, if it is.
    #[serde(borrow, default)]
    aes256gcm: Option<&'a str>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    until: Option<u64>,
    from: Option<u64>,
    took: Option<u64>,
}

impl<'a> Header<'a> {
    fn read(line: &'a [u8]) -> Result<Self, String> {
        if !line.starts_with(VERSION) {
            return Err("an envelope of another version".to_owned());
        }
        let header: Self =
            serde_json::from_slice(line).map_err(|_| "an envelope with a broken header")?;
        match header.aes256gcm {
            Some(id) if !keyring::is_id(id) => Err("an envelope with a broken key id".to_owned()),
            None if !header.gzip && header.tags.is_empty() && header.until.is_none() => {
                Err("an envelope of nothing".to_owned())
            }
            _ => Ok(header),
        }
    }

    fn into_members(self) -> Members {
        let times = self.until.map(|until| Times {
            until,
            from: self.from,
            took: self.took,
        });
        Members {
            tags: self.tags,
            times,
        }
    }
}

/// The header line of an envelope, without its end.
fn header(gzip: bool, id: Option<&str>, members: &Members) -> String {
    let mut line = String::from("{\"millpond\":1");
    if gzip {
        line.push_str(",\"gzip\":true");
    }
    if let Some(id) = id {
        line.push_str(",\"aes256gcm\":\"");
        line.push_str(id);
        line.push('"');
    }
    members.push(&mut line);
    line.push('}');
    line
}

/// What must be the same where an encrypted value is opened: a value that was moved to another key,
/// or that got another header, does not open. A header holds no line break, so the parts stay apart.
fn bound_to(key: &[u8], header: &[u8]) -> Vec<u8> {
    [key, b"\n", header].concat()
}

/// The stored form of a plain one: an envelope only if something was done to it.
pub(crate) fn seal(
    key: &[u8],
    plain: Bytes,
    compress: bool,
    with: Option<(&str, &Cipher)>,
    members: &Members,
) -> Result<Bytes, Error> {
    let id = with.map(|(id, _)| id);
    let header_length = |gzip: bool| header(gzip, id, members).len() + 1;
    let length = |gzip: bool, payload: usize| match with {
        None if !gzip && members.is_empty() => payload,
        None if !gzip => header_length(gzip) + payload,
        None => header_length(gzip) + text_length(payload),
        Some(_) => header_length(gzip) + text_length(payload + Cipher::OVERHEAD),
    };
    let packed = (compress && plain.len() >= WORTH_COMPRESSING)
        .then(|| gzip::pack(&plain))
        .flatten()
        .filter(|packed| length(true, packed.len()) < length(false, plain.len()));
    let gzip = packed.is_some();
    let mut line = header(gzip, id, members);
    let payload = match (packed, with) {
        (None, None) if members.is_empty() => return Ok(plain),
        (None, None) => {
            // A plain form is JSON, so UTF-8.
            line.push('\n');
            line.push_str(&String::from_utf8_lossy(&plain));
            return Ok(line.into());
        }
        (Some(packed), None) => packed,
        (packed, Some((_, cipher))) => {
            let bound_to = bound_to(key, line.as_bytes());
            cipher.seal(packed.as_deref().unwrap_or(&plain), &bound_to)?
        }
    };
    line.push('\n');
    push_text(&payload, &mut line);
    Ok(line.into())
}

/// The plain form of a stored one, of at most so many bytes if it was compressed. The error says
/// what is wrong, never the content.
pub(crate) fn open(
    key: &[u8],
    stored: Bytes,
    encrypted: bool,
    keys: &Keyring,
    most: usize,
) -> Result<Opened, String> {
    if !stored.starts_with(MARK) {
        return if encrypted {
            Err("not encrypted, as values of this function are".to_owned())
        } else {
            Ok(stored.into())
        };
    }
    let mut parts = stored.splitn(2, |&byte| byte == b'\n');
    let (Some(line), Some(text)) = (parts.next(), parts.next()) else {
        return Err("an envelope without a payload".to_owned());
    };
    let header = Header::read(line)?;
    let cipher = match header.aes256gcm {
        None if encrypted => {
            return Err("not encrypted, as values of this function are".to_owned());
        }
        None => None,
        Some(id) => Some(keys.find(id)?),
    };
    let bound_to = bound_to(key, line);
    let gzip = header.gzip;
    let members = header.into_members();
    let plain = if cipher.is_none() && !gzip {
        let start = line.len() + 1;
        stored.slice(start..)
    } else {
        let mut payload = from_text(text)?;
        if let Some(cipher) = cipher {
            payload = cipher.open(payload, &bound_to)?;
        }
        if gzip {
            payload = gzip::unpack(&payload, most)?;
        }
        payload.into()
    };
    Ok(Opened {
        plain,
        members: (!members.is_empty()).then(|| Box::new(members)),
    })
}

/// How many characters of base64 so many bytes take.
fn text_length(bytes: usize) -> usize {
    bytes.div_ceil(3).saturating_mul(4)
}

#[cfg(any(feature = "compress", feature = "encrypt"))]
fn push_text(payload: &[u8], out: &mut String) {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode_string(payload, out);
}

#[cfg(any(feature = "compress", feature = "encrypt"))]
fn from_text(text: &[u8]) -> Result<Vec<u8>, String> {
    use base64::Engine;
    let decoded = base64::engine::general_purpose::STANDARD.decode(text);
    // The error of the decoder quotes what it found.
    decoded.map_err(|_| "an envelope whose payload is not base64".to_owned())
}

#[cfg(not(any(feature = "compress", feature = "encrypt")))]
fn push_text(_payload: &[u8], _out: &mut String) {}

#[cfg(not(any(feature = "compress", feature = "encrypt")))]
fn from_text(_text: &[u8]) -> Result<Vec<u8>, String> {
    Err("an envelope, and this build of millpond has neither of the features `compress` and `encrypt`".to_owned())
}
