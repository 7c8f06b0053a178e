//! The stored form of a value that is compressed or encrypted: a header line, which is a JSON
//! object, and the payload in base64, since REST carries only text. Every other value is stored as
//! plain JSON.
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

/// What the envelopes begin with that can be opened here.
const VERSION: &[u8] = b"{\"millpond\":1,";

/// Values shorter than this, in bytes of JSON, are not compressed.
const WORTH_COMPRESSING: usize = 1024;

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
            None if !header.gzip => Err("an envelope of nothing".to_owned()),
            _ => Ok(header),
        }
    }
}

/// The header line of an envelope, without its end.
fn header(gzip: bool, id: Option<&str>) -> String {
    let mut line = String::from("{\"millpond\":1");
    if gzip {
        line.push_str(",\"gzip\":true");
    }
    if let Some(id) = id {
        line.push_str(",\"aes256gcm\":\"");
        line.push_str(id);
        line.push('"');
    }
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
) -> Result<Bytes, Error> {
    let id = with.map(|(id, _)| id);
    let length = |gzip: bool, payload: usize| match with {
        None if !gzip => payload,
        None => header(gzip, id).len() + 1 + text_length(payload),
        Some(_) => header(gzip, id).len() + 1 + text_length(payload + Cipher::OVERHEAD),
    };
    let packed = (compress && plain.len() >= WORTH_COMPRESSING)
        .then(|| gzip::pack(&plain))
        .flatten()
        .filter(|packed| length(true, packed.len()) < length(false, plain.len()));
    let gzip = packed.is_some();
    let mut line = header(gzip, id);
    let payload = match (packed, with) {
        (None, None) => return Ok(plain),
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
) -> Result<Bytes, String> {
    if !stored.starts_with(MARK) {
        return if encrypted {
            Err("not encrypted, as values of this function are".to_owned())
        } else {
            Ok(stored)
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
    let mut payload = from_text(text)?;
    if let Some(cipher) = cipher {
        payload = cipher.open(payload, &bound_to(key, line))?;
    }
    if header.gzip {
        payload = gzip::unpack(&payload, most)?;
    }
    Ok(payload.into())
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
