//! A JSON string as Upstash reads it: half of a surrogate pair becomes U+FFFD instead of an error, since
//! that is what Go's `encoding/json` makes of it.

use bytes::Bytes;
use serde::de::{Deserializer, Error, Visitor};
use std::fmt;

const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// The bytes of a JSON string, always UTF-8.
pub(crate) fn read(json: &str) -> serde_json::Result<Bytes> {
    serde_json::Deserializer::from_str(json).deserialize_bytes(Text)
}

struct Text;

impl Visitor<'_> for Text {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    // A lone surrogate arrives as its three bytes, ED A0..BF xx, which are no UTF-8; nothing else does.
    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
        let mut text = bytes.to_vec();
        while let Err(error) = std::str::from_utf8(&text) {
            let start = error.valid_up_to();
            let lone = text.get_mut(start..start + REPLACEMENT.len());
            let lone = lone.ok_or_else(|| E::custom("a string that is no Unicode"))?;
            lone.copy_from_slice(REPLACEMENT);
        }
        Ok(text.into())
    }
}
