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

/// Whether a byte is a character that needs no encoding. Those that are no ASCII are looked at as characters.
#[inline]
pub(super) fn is_plain(byte: u8) -> bool {
    const PLAIN: [bool; 256] = {
        let mut plain = [false; 256];
        let mut byte = b'!';
        while byte <= b'~' {
            plain[byte as usize] = !matches!(
                byte,
                b':' | b'%' | b'{' | b'}' | b'*' | b'?' | b'[' | b']' | b'\\'
            );
            byte += 1;
        }
        plain
    };
    PLAIN[usize::from(byte)]
}

/// Whether nothing of a part has to be encoded, by a look at its bytes: most parts are like that.
#[inline]
pub(super) fn stays_as_it_is(raw: &[u8]) -> bool {
    raw.len() <= MAX_PART && raw.iter().all(|byte| is_plain(*byte)) && !is_reserved(raw)
}

/// Encodes what stands behind `start`, in place.
pub(super) fn encode_from(text: &mut String, start: usize) {
    let raw = &text[start..];
    if stays_as_it_is(raw.as_bytes()) {
        return;
    }
    if raw.len() > MAX_PART {
        let digest = hex(&Sha256::digest(raw.as_bytes()));
        text.truncate(start);
        text.push_str("%~");
        text.push_str(&digest);
    } else if is_reserved(raw.as_bytes()) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_that_are_plain_are_the_characters_that_are_not_special() {
        for byte in 0..=u8::MAX {
            let plain = byte.is_ascii() && !is_special(char::from(byte));
            assert_eq!(is_plain(byte), plain, "{byte:#x}");
        }
    }
}
