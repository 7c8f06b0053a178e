//! Values and their plain form: JSON text, the bare word `__NULL__` for null, and raw text as other
//! clients of the database write strings.

mod erased;

use crate::error::{Error, ErrorKind};
use crate::json::{self, JsonError, JsonText, Order};
use bytes::Bytes;
pub(crate) use erased::{ErasedValue, Read, TypedValue, Write, read, write};
use serde::Serialize;
use serde::de::DeserializeOwned;

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
    Ok(if text == b"null" {
        Bytes::from_static(NULL_SENTINEL.as_bytes())
    } else {
        text.into()
    })
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
    let plain = if is_null(plain) { b"null" } else { plain };
    // Checking the whole at once costs less than checking each string.
    let Ok(text) = std::str::from_utf8(plain) else {
        return Err("not UTF-8".to_owned());
    };
    let mut parse = |text: &str| {
        let mut json = serde_json::Deserializer::from_str(text);
        read(&mut json)?;
        json.end()
    };
    let Err(error) = parse(text) else {
        return Ok(());
    };
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
/// no JSON at all that does not look like the beginning of some.
/// Source: `@upstash/redis` writes strings as they are.
pub(crate) fn is_raw_text(text: &str) -> bool {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(json) => json.is_number() || json.is_boolean(),
        Err(_) => !looks_like_json(text),
    }
}

/// Whether a text that is no JSON may be the beginning of some.
pub(crate) fn looks_like_json(text: &str) -> bool {
    text.starts_with(['{', '[', '"'])
}

/// The plain form of a value of a cached function. In debug builds, one that would not be read back as
/// the same value is an error.
pub(crate) fn plain_form_of(value: &dyn ErasedValue) -> Result<Bytes, Error> {
    let plain = finish(json::write_with(Order::Declared, &mut |writer| {
        value.write(writer)
    }))?;
    if cfg!(debug_assertions) {
        survives(value, &plain).map_err(|what| Error::new(ErrorKind::Decode, what))?;
    }
    Ok(plain)
}

/// Whether another caller can read this, as the type that the value has.
pub(crate) fn reads_back(value: &dyn ErasedValue, plain: &[u8]) -> Result<(), Error> {
    let mut result = Ok(());
    value.lend_empty(&mut |copy| {
        result = read_plain(plain, &mut |json| copy.read(json));
    });
    result.map_err(|what| Error::new(ErrorKind::Decode, what))
}

/// Whether what will be stored reads back as the same value.
fn survives(value: &dyn ErasedValue, plain: &[u8]) -> Result<(), String> {
    let mut again = Ok(Vec::new());
    value.lend_empty(&mut |copy| {
        again = read_plain(plain, &mut |json| copy.read(json)).and_then(|()| {
            let text = json::write_with(Order::Declared, &mut |writer| copy.write(writer));
            text.map_err(|error| error.to_string())
        });
    });
    let again = again?;
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
        for wrong in ["{\"a\":1}", "[1]", "{cut", "\"cut", "[cut"] {
            assert!(decode::<String>(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(decode::<u64>(b"abc").is_err());
        assert_eq!(decode::<Option<String>>(b"123"), Ok(Some("123".to_owned())));
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
        fn typed<T: Serialize + DeserializeOwned>(value: T) -> TypedValue<T> {
            let mut typed = TypedValue::new(read, write);
            typed.set(value);
            typed
        }
        assert!(plain_form_of(&typed(Lossy { turned: 2 })).is_err());
        let set: std::collections::HashSet<u32> = (0..100).collect();
        assert!(plain_form_of(&typed(set)).is_ok());
        assert!(plain_form_of(&typed(None::<u32>)).is_ok());
    }
}
