//! The body of an answer: JSON, with every text of it in base64.

use crate::error::{Error, ErrorKind};
use crate::store::command::Reply;
use crate::store::transport::Answer as Said;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum Answer {
    /// One for each command.
    Each(Vec<Answered>),
    /// One for the request as a whole, which happens when it is refused.
    Whole(Answered),
}

/// `{"result": …}` or `{"error": …}`.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Answered {
    #[serde(default, deserialize_with = "present")]
    result: Option<Json>,
    #[serde(default)]
    error: Option<String>,
}

impl Answered {
    pub(crate) fn into_answer(self) -> Said {
        match (self.error, self.result) {
            (Some(text), _) => Said::Error(text),
            (None, Some(result)) => result
                .into_reply()
                .map_or_else(Said::Unreadable, Said::Reply),
            (None, None) => Said::Unreadable(protocol(
                "an item of the answer holds neither a result nor an error",
            )),
        }
    }

    pub(crate) fn into_error(self) -> Option<String> {
        self.error
    }
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Answer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array or an object")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Answer, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Answer::Each(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Answer, A::Error> {
                Answered::deserialize(MapAccessDeserializer::new(map)).map(Answer::Whole)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A result as it stands in the answer.
#[derive(Debug)]
enum Json {
    Null,
    Int(i64),
    Text(Bytes),
    /// A text that is no base64.
    Unencoded,
    Array(Vec<Json>),
    /// What no reply of Redis looks like; it fails its own command only.
    Odd(&'static str),
}

impl Json {
    fn into_reply(self) -> Result<Reply, Error> {
        Ok(match self {
            Self::Null => Reply::Nil,
            Self::Int(number) => Reply::Int(number),
            Self::Text(text) => Reply::Bulk(text),
            Self::Unencoded => {
                return Err(protocol(
                    "a text of the answer is not base64: the server ignores the header \
                     Upstash-Encoding",
                ));
            }
            Self::Odd(what) => {
                return Err(protocol(format!(
                    "a result of the answer is of an unknown shape ({what})"
                )));
            }
            Self::Array(items) => Reply::Array(
                items
                    .into_iter()
                    .map(Self::into_reply)
                    .collect::<Result<_, _>>()?,
            ),
        })
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("null, an integer, a text or an array")
            }

            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Null)
            }

            fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
                Ok(Json::Int(number))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
                let odd = Json::Odd("an integer over 64 bits");
                Ok(i64::try_from(number).map_or(odd, Json::Int))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
                Ok(Json::Odd("a fraction"))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
                Ok(Json::Odd("a boolean"))
            }

            fn visit_str<E>(self, text: &str) -> Result<Json, E> {
                // The one text that is not encoded; it is no base64 of anything.
                if text == "OK" {
                    return Ok(Json::Text(Bytes::from_static(b"OK")));
                }
                Ok(decoded(text).map_or(Json::Unencoded, Json::Text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Json::Array(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Json::Odd("an object"))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// The bytes of a text in base64, which have no more room than they need: else they would get a second one for that.
fn decoded(text: &str) -> Option<Bytes> {
    let padding = text.len() - text.trim_end_matches('=').len();
    let mut bytes = vec![0; (text.len() / 4 * 3).checked_sub(padding)?];
    let length = STANDARD.decode_slice(text, &mut bytes).ok()?;
    (length == bytes.len()).then(|| bytes.into())
}

/// The answer in this body.
pub(crate) fn decode(body: &[u8]) -> Result<Answer, Error> {
    serde_json::from_slice(body).map_err(|error| {
        use serde_json::error::Category;
        // The text of a serde error can quote the body, so only its class goes on.
        match error.classify() {
            Category::Eof if body.trim_ascii().is_empty() => protocol("the answer is empty"),
            Category::Eof => protocol("the answer is cut short"),
            Category::Data => protocol("the answer is JSON of an unknown shape"),
            Category::Syntax | Category::Io => protocol(
                "the answer is not JSON: this does not look like an Upstash REST endpoint; check \
                 UPSTASH_REDIS_REST_URL",
            ),
        }
    })
}

pub(crate) fn protocol(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Protocol, message)
}
