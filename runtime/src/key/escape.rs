//! How text becomes one part of a key.

use super::full::is_reserved;
use crate::hex::hex;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// A part longer than this many bytes is stored as `%~` and its SHA-256.
const MAX_PART: usize = 256;

/// One encoded part, for a namespace.
pub(crate) fn encoded(text: &str) -> String {
    let mut part = text.to_owned();
    encode_from(&mut part, 0);
    part
}

/// Whether this byte of a template can never stand in a rendered part.
pub(crate) fn is_encoded_in_parts(byte: u8) -> bool {
    byte.is_ascii() && byte != b'%' && is_special(char::from(byte))
}

/// Whether a character must be written as `%XX`.
fn is_special(c: char) -> bool {
    matches!(c, ':' | '%' | '{' | '}' | '*' | '?' | '[' | ']' | '\\')
        || c.is_whitespace()
        || c.is_control()
}

/// Encodes what stands behind `start`, in place.
pub(super) fn encode_from(text: &mut String, start: usize) {
    let raw = &text[start..];
    if raw.len() > MAX_PART {
        let digest = hex(&Sha256::digest(raw.as_bytes()));
        text.truncate(start);
        text.push_str("%~");
        text.push_str(&digest);
    } else if is_reserved(raw) {
        let rest = text.split_off(start);
        let (first, rest) = rest.split_at(1);
        let _ = write!(text, "%{:02X}{rest}", first.as_bytes()[0]);
    } else if raw.contains(is_special) {
        let raw = text.split_off(start);
        for c in raw.chars() {
            if is_special(c) {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(text, "%{byte:02X}");
                }
            } else {
                text.push(c);
            }
        }
    }
}
