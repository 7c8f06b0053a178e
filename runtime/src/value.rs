//! Values and their plain form: JSON text, the bare word `__NULL__` for null, and raw text as other
//! clients of the database write strings.

mod erased;

use crate::error::{Error, ErrorKind};
use crate::json::{self, JsonError, JsonText, Order};
use bytes::Bytes;
pub(crate) use erased::{ErasedValue, Read, Share, Shared, TypedValue, Write, read, write};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::borrow::Cow;

/// What envelopes of every version begin with. No plain value does: see [`plain_form`].
pub(crate) const MARK: &[u8] = b"{\"millpond\":";

/// What a cached `null` is stored as, so that "known to be nothing" differs from "not cached".
///
/// ```
/// assert_eq!(millpond::NULL_SENTINEL, "__NULL__");
/// ```
pub const NULL_SENTINEL: &str = "__NULL__";

/// The plain form of a value: JSON.
pub(crate) fn plain_form<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, Error> {
    finish(json::write(value, Order::Declared))
}

/// The plain form of what JSON was written for.
fn finish(written: Result<Vec<u8>, JsonError>) -> Result<Bytes, Error> {
    let mut text = written.map_err(|error| {
        Error::with_source(
            ErrorKind::InvalidValue,
            "the value cannot be represented as JSON; an infinity, a NaN, a map key that is no string and a \
             `Some(None)` cannot be stored",
            error,
        )
    })?;
    if text.starts_with(MARK) {
        // JSON as before, and no envelope.
        text.insert(0, b' ');
    }
    Ok(stored_form(text))
}

/// What JSON is stored as. The npm client takes a number that JavaScript would write differently for a
/// string, so a number is written as there.
pub(crate) fn stored_form(json: Vec<u8>) -> Bytes {
    match json.first() {
        Some(b'n') if json == b"null" => Bytes::from_static(NULL_SENTINEL.as_bytes()),
        Some(b'-' | b'0'..=b'9') => {
            let number = std::str::from_utf8(&json).ok();
            let number = number.and_then(json::number::as_javascript);
            number.map_or_else(|| json.into(), Into::into)
        }
        _ => json.into(),
    }
}

/// Whether these bytes stand for JSON null.
pub(crate) fn is_null(bytes: &[u8]) -> bool {
    bytes == NULL_SENTINEL.as_bytes() || bytes == b"null"
}

/// What the plain form means as a `T`; the error names what is wrong, never the content.
pub(crate) fn decode<T: DeserializeOwned>(plain: &[u8]) -> Result<T, String> {
    let mut value = None;
    read_plain(plain, &mut |json| erased::read(json, &mut value))?;
    value.ok_or_else(|| "nothing was read".to_owned())
}

/// Reads a plain form; how, knows the caller, so that there is one deserializer for a type, whatever
/// has to be tried.
pub(crate) fn read_plain(
    plain: &[u8],
    read: &mut dyn FnMut(&mut JsonText<'_>) -> Result<(), serde_json::Error>,
) -> Result<(), String> {
    // Checking the whole at once costs less than checking each string.
    match std::str::from_utf8(plain) {
        Ok(text) => read_text(text, is_null(plain), read),
        Err(_) => Err("not UTF-8".to_owned()),
    }
}

/// The same for one that is known to be UTF-8, and whether it stands for null.
pub(crate) fn read_text(
    plain: &str,
    is_null: bool,
    read: &mut dyn FnMut(&mut JsonText<'_>) -> Result<(), serde_json::Error>,
) -> Result<(), String> {
    let text = if is_null { "null" } else { plain };
    let mut parse = |text: &str| {
        let mut json = serde_json::Deserializer::from_str(text);
        read(&mut json)?;
        json.end()
    };
    let Err(error) = parse(text) else {
        return Ok(());
    };
    if let Some(whole) = whole_surrogates(text)
        && parse(&whole).is_ok()
    {
        return Ok(());
    }
    if is_raw_text(text)
        && let Ok(quoted) = serde_json::to_string(text)
        && parse(&quoted).is_ok()
    {
        return Ok(());
    }
    let what = if error.is_data() {
        "JSON of another shape"
    } else {
        "not JSON"
    };
    // The text of a data error may quote the content, so only its class and place are kept.
    let (line, column) = (error.line(), error.column());
    Err(format!("{what}, line {line} column {column}"))
}

/// Whether another client may have meant this text as a plain string: a JSON number or boolean, or
/// no JSON at all, whatever it begins with (`[INFO] started`).
/// Source: `@upstash/redis` writes strings as they are.
pub(crate) fn is_raw_text(text: &str) -> bool {
    if text.as_bytes().starts_with(MARK) {
        return false;
    }
    // Ignoring a value has no limit of depth: what is too deep is JSON nevertheless.
    if serde_json::from_str::<IgnoredAny>(text).is_ok() {
        return text.trim_start().starts_with(['-', 't', 'f'])
            || text.trim_start().starts_with(|c: char| c.is_ascii_digit());
    }
    matches!(readable(text.as_bytes()), Cow::Borrowed(_))
}

/// Whether a text that is no JSON may be the beginning of some.
pub(crate) fn looks_like_json(text: &str) -> bool {
    text.starts_with(['{', '[', '"'])
}

/// The same with whole characters, if that makes it JSON.
pub(crate) fn readable(plain: &[u8]) -> Cow<'_, [u8]> {
    std::str::from_utf8(plain)
        .ok()
        .and_then(whole_surrogates)
        .filter(|whole| serde_json::from_str::<IgnoredAny>(whole).is_ok())
        .map_or(Cow::Borrowed(plain), |whole| Cow::Owned(whole.into()))
}

/// The JSON with U+FFFD in the place of each escape that is half a character, which JavaScript writes
/// for a string that was cut in the middle; nothing where there is none.
fn whole_surrogates(json: &str) -> Option<String> {
    /// The code unit of an escape at the beginning of this.
    fn unit(text: &str) -> Option<u32> {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        u32::from_str_radix(digits, 16).ok()
    }
    const ESCAPE: usize = 6;
    let mut whole = String::new();
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        whole.push_str(before);
        let taken = match unit(escape) {
            Some(0xD800..=0xDBFF) if matches!(unit(&escape[ESCAPE..]), Some(0xDC00..=0xDFFF)) => {
                2 * ESCAPE
            }
            Some(0xD800..=0xDFFF) => {
                whole.push('\u{FFFD}');
                rest = &escape[ESCAPE..];
                continue;
            }
            // The character behind a backslash may be another backslash.
            _ => 1 + escape[1..].chars().next().map_or(0, char::len_utf8),
        };
        whole.push_str(&escape[..taken]);
        rest = &escape[taken..];
    }
    whole.push_str(rest);
    (whole != json).then_some(whole)
}

/// The plain form of a value of a cached function.
pub(crate) fn plain_form_of(value: &dyn ErasedValue) -> Result<Bytes, Error> {
    finish(json::write_with(Order::Declared, &mut |writer| {
        value.write(writer)
    }))
}

/// Whether what would be stored reads back, and `exactly` as the same value.
pub(crate) fn survives(value: &dyn ErasedValue, plain: &[u8], exactly: bool) -> Result<(), String> {
    let mut again = Ok(None);
    value.lend_empty(&mut |copy| {
        again = read_plain(plain, &mut |json| copy.read(json)).and_then(|()| {
            if !exactly {
                return Ok(None);
            }
            let text = json::write_with(Order::Declared, &mut |writer| copy.write(writer));
            let text = finish(text).map_err(|error| error.to_string())?;
            Ok(Some(text))
        });
    });
    let Some(again) = again? else {
        return Ok(());
    };
    if again == plain || unordered(&again) == unordered(plain) {
        Ok(())
    } else {
        Err("the value read back differs from the one that was stored".to_owned())
    }
}

/// The document with its arrays sorted: sets come back in another order and still are equal.
fn unordered(bytes: &[u8]) -> Option<serde_json::Value> {
    fn sort(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Array(items) => {
                items.iter_mut().for_each(sort);
                items.sort_by_cached_key(ToString::to_string);
            }
            serde_json::Value::Object(members) => members.values_mut().for_each(sort),
            _ => {}
        }
    }
    let bytes = if is_null(bytes) { b"null" } else { bytes };
    let mut value = serde_json::from_slice(bytes).ok()?;
    sort(&mut value);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<T: Serialize>(value: T) -> Bytes {
        plain_form(&value).unwrap()
    }

    #[test]
    fn null_is_the_sentinel_and_a_string_of_that_text_is_not() {
        assert_eq!(bytes(None::<u8>), "__NULL__");
        assert_eq!(bytes(()), "__NULL__");
        assert_eq!(bytes("__NULL__"), "\"__NULL__\"");
        assert_eq!(decode::<Option<u8>>(b"__NULL__"), Ok(None));
        assert_eq!(decode::<Option<u8>>(b"null"), Ok(None));
        assert_eq!(decode::<String>(b"\"__NULL__\""), Ok("__NULL__".to_owned()));
        assert!(decode::<String>(b"__NULL__").is_err());
    }

    #[test]
    fn raw_text_is_a_string_only_where_it_cannot_be_a_mistake() {
        for raw in ["abc", "123", "true", "1.50", "", "héllo", "007"] {
            assert_eq!(
                decode::<String>(raw.as_bytes()),
                Ok(raw.to_owned()),
                "{raw}"
            );
        }
        for raw in ["{cut", "\"cut", "[INFO] started"] {
            assert_eq!(decode::<String>(raw.as_bytes()), Ok(raw.to_owned()));
            assert!(decode::<Vec<String>>(raw.as_bytes()).is_err(), "{raw}");
        }
        for wrong in ["{\"a\":1}", "[1]", "{\"a\":\"\\ud800\"}"] {
            assert!(decode::<String>(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(decode::<u64>(b"abc").is_err());
        assert_eq!(decode::<Option<String>>(b"123"), Ok(Some("123".to_owned())));
    }

    #[test]
    fn half_a_character_reads_as_the_replacement_character() {
        for (json, text) in [
            (r#""a\ud83d""#, "a\u{FFFD}"),
            (r#""\uDE00b""#, "\u{FFFD}b"),
            (r#""\ud83d\ud83d\ude00""#, "\u{FFFD}\u{1F600}"),
            (r#""\\ud83d""#, r"\ud83d"),
            (r#""\\\ud83d""#, "\\\u{FFFD}"),
        ] {
            assert_eq!(
                decode::<String>(json.as_bytes()),
                Ok(text.to_owned()),
                "{json}"
            );
        }
        let list = decode::<Vec<Option<String>>>(br#"["\ud83d",null]"#);
        assert_eq!(list, Ok(vec![Some("\u{FFFD}".to_owned()), None]));
    }

    #[test]
    fn an_error_holds_nothing_of_the_content() {
        let error = decode::<u64>(b"\"hunter2\"").unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_value_that_does_not_survive_is_noticed() {
        #[derive(Serialize, serde::Deserialize)]
        struct Lossy {
            #[serde(rename(serialize = "out", deserialize = "in"), default)]
            turned: u8,
        }
        #[derive(Serialize, serde::Deserialize)]
        #[serde(into = "u32", try_from = "String")]
        struct Unread;
        impl From<Unread> for u32 {
            fn from(_: Unread) -> Self {
                7
            }
        }
        impl TryFrom<String> for Unread {
            type Error = &'static str;
            fn try_from(_: String) -> Result<Self, Self::Error> {
                Err("never")
            }
        }
        impl Clone for Unread {
            fn clone(&self) -> Self {
                Self
            }
        }
        fn typed<T: Serialize + DeserializeOwned>(value: T) -> TypedValue<T> {
            let mut typed = TypedValue::new(read, write);
            typed.set(value);
            typed
        }
        fn is_same<T: Serialize + DeserializeOwned>(value: T, exactly: bool) -> bool {
            let typed = typed(value);
            survives(&typed, &plain_form_of(&typed).unwrap(), exactly).is_ok()
        }
        assert!(!is_same(Lossy { turned: 2 }, true));
        assert!(is_same(Lossy { turned: 2 }, false));
        assert!(!is_same(Unread, false));
        let set: std::collections::HashSet<u32> = (0..100).collect();
        assert!(is_same(set, true));
        assert!(is_same(None::<u32>, true));
        assert!(is_same(1.0, true));
    }
}
