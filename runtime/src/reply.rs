//! What a server answers, and how it becomes a Rust value.

use crate::error::{Cause, Error, ErrorKind};
use crate::value;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasher, Hash};

/// What a server answers to one command, in the forms of RESP2.
///
/// [`parse`](Self::parse) and [`json`](Self::json) convert it to Rust values.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{Millpond, Reply};
///
/// let pond = Millpond::memory();
/// assert_eq!(pond.command(["INCR", "visits"]).await?, Reply::Int(1));
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// Nil: there is no value.
    Nil,
    /// A number.
    Int(i64),
    /// A text or bytes, including a status such as `OK`.
    Bulk(Bytes),
    /// Several replies.
    Array(Vec<Reply>),
    /// An error inside an array. A command that fails by itself is an `Err`.
    Error(Error),
}

/// The shape of the reply, without what is in it: that may be anything, secrets included.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("Nil"),
            Self::Int(_) => f.write_str("Int(..)"),
            Self::Bulk(bytes) => write!(f, "Bulk({} bytes)", bytes.len()),
            Self::Array(items) => f.debug_tuple("Array").field(items).finish(),
            Self::Error(error) => f.debug_tuple("Error").field(error).finish(),
        }
    }
}

impl Reply {
    /// Converts the reply to a Rust value: a number, a text, an `Option` for a reply that may be nil, and a
    /// `Vec`, a tuple or a map for an array. Implement [`FromReply`] for types of your own.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] if the reply has another form, [`ErrorKind::Decode`] if a text is not a value
    /// of the type. The error does not contain the text.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use std::collections::HashMap;
    ///
    /// let pond = millpond::Millpond::memory();
    /// let length: u64 = pond.command(["RPUSH", "jobs", "a", "b"]).await?.parse()?;
    /// let jobs: Vec<String> = pond.command(["LRANGE", "jobs", "0", "-1"]).await?.parse()?;
    /// let nobody: Option<String> = pond.command(["GET", "nobody"]).await?.parse()?;
    /// assert_eq!((length, jobs.join("+"), nobody), (2, "a+b".to_owned(), None));
    ///
    /// pond.command(["HSET", "ages", "ada", "36", "alan", "41"]).await?;
    /// let ages: HashMap<String, u8> = pond.command(["HGETALL", "ages"]).await?.parse()?;
    /// assert_eq!(ages["alan"], 41);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn parse<T: FromReply>(self) -> Result<T, Error> {
        T::from_reply(self)
    }

    /// The replies of an array.
    pub(crate) fn into_items(self) -> Option<Vec<Self>> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// Decodes the stored value in the reply, as [`Millpond::get`](crate::Millpond::get) does; `None` if
    /// there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if it is not a `T`, [`ErrorKind::Protocol`] if it is not a text.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, ttl};
    /// let pond = Millpond::memory();
    /// pond.set("sizes", &["small", "large"], ttl::LONG).await?;
    /// let sizes: Option<Vec<String>> = pond.command(["GET", "sizes"]).await?.json()?;
    /// assert_eq!(sizes.unwrap(), ["small", "large"]);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn json<T: DeserializeOwned>(self) -> Result<Option<T>, Error> {
        let Some(bytes) = self.parse::<Option<Bytes>>()? else {
            return Ok(None);
        };
        value::decode(&bytes)
            .map(Some)
            .map_err(|what| no_value::<T>(&what))
    }

    fn shape(&self) -> &'static str {
        match self {
            Self::Nil => "nothing",
            Self::Int(_) => "a number",
            Self::Bulk(_) => "a text",
            Self::Array(_) => "an array",
            Self::Error(_) => "an error",
        }
    }

    /// The error for a reply that is no `T`.
    fn unlike<T>(self) -> Error {
        if let Self::Error(error) = self {
            return error;
        }
        let (shape, kind) = (self.shape(), std::any::type_name::<T>());
        Error::new(
            ErrorKind::Protocol,
            format!(
                "the reply is {shape}, not a {kind}; ask for the type that the command returns"
            ),
        )
    }

    fn items<T>(self) -> Result<Vec<Self>, Error> {
        match self {
            Self::Array(items) => Ok(items),
            other => Err(other.unlike::<T>()),
        }
    }
}

fn no_value<T>(what: &str) -> Error {
    let kind = std::any::type_name::<T>();
    Error::new(
        ErrorKind::Decode,
        format!("the reply is not a {kind} ({what})"),
    )
}

pub(crate) fn no_reply() -> Error {
    Error::new(ErrorKind::Protocol, "no reply to a command")
}

fn unexpected() -> Error {
    Error::new(
        ErrorKind::Protocol,
        "the reply does not have the form that the command returns",
    )
}

pub(crate) fn bulk(reply: Reply) -> Result<Option<Bytes>, Error> {
    match reply {
        Reply::Nil => Ok(None),
        Reply::Bulk(bytes) => Ok(Some(bytes)),
        Reply::Int(number) => Ok(Some(number.to_string().into())),
        Reply::Array(_) | Reply::Error(_) => Err(unexpected()),
    }
}

/// A number, which some servers and scripts send as text.
pub(crate) fn int(reply: &Reply) -> Result<i64, Error> {
    match reply {
        Reply::Int(number) => Ok(*number),
        Reply::Bulk(text) => std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(unexpected),
        _ => Err(unexpected()),
    }
}

/// The error for an answer that does not have the form of the command's, where that changes something: it says
/// nothing about whether it ran.
pub(crate) fn unread(error: &Error) -> Error {
    error.clone().caused_by(Cause::Unanswered)
}

/// That a command with nothing to tell was done.
pub(crate) fn done(reply: &Reply) -> Result<(), Error> {
    match reply {
        Reply::Bulk(text) if text.as_ref() == b"OK" => Ok(()),
        _ => Err(unexpected()),
    }
}

/// A type that [`Reply::parse`] can convert a reply to.
///
/// ```
/// use millpond::{Error, FromReply, Reply};
///
/// struct Page {
///     cursor: String,
///     keys: Vec<String>,
/// }
///
/// impl FromReply for Page {
///     fn from_reply(reply: Reply) -> Result<Self, Error> {
///         let (cursor, keys) = reply.parse()?;
///         Ok(Self { cursor, keys })
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let page: Page = millpond::Millpond::memory().command(["SCAN", "0"]).await?.parse()?;
/// assert_eq!((page.cursor.as_str(), page.keys.len()), ("0", 0));
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "a reply cannot become a `{Self}`",
    label = "not a type that a reply can become",
    note = "for a value that was stored as JSON, write `reply.json::<{Self}>()`"
)]
pub trait FromReply: Sized {
    /// Converts the reply.
    ///
    /// # Errors
    /// As [`Reply::parse`].
    fn from_reply(reply: Reply) -> Result<Self, Error>;
}

impl FromReply for Reply {
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        match reply {
            Self::Error(error) => Err(error),
            other => Ok(other),
        }
    }
}

/// Whatever was answered, unless it is an error.
impl FromReply for () {
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        reply.parse::<Reply>().map(drop)
    }
}

impl FromReply for Bytes {
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        match reply {
            Reply::Bulk(bytes) => Ok(bytes),
            Reply::Int(number) => Ok(number.to_string().into()),
            other => Err(other.unlike::<Self>()),
        }
    }
}

impl FromReply for String {
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        Self::from_utf8(reply.parse::<Bytes>()?.into()).map_err(|_| no_value::<Self>("not UTF-8"))
    }
}

/// 1 and 0, and `OK` for what always succeeds.
impl FromReply for bool {
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        match reply {
            Reply::Int(1) => Ok(true),
            Reply::Int(0) | Reply::Nil => Ok(false),
            Reply::Bulk(text) if text == "OK" => Ok(true),
            other => Err(other.unlike::<Self>()),
        }
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {
        $(impl FromReply for $number {
            fn from_reply(reply: Reply) -> Result<Self, Error> {
                // Both a number and a text that is one: replies differ in that between commands.
                let text = match reply {
                    Reply::Int(number) => number.to_string(),
                    Reply::Bulk(_) => reply.parse()?,
                    other => return Err(other.unlike::<Self>()),
                };
                text.parse().map_err(|_| no_value::<Self>("no such number, or one out of range"))
            }
        })*
    };
}

numbers!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64);

impl<T: FromReply> FromReply for Option<T> {
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        match reply {
            Reply::Nil => Ok(None),
            other => other.parse().map(Some),
        }
    }
}

impl<T: FromReply> FromReply for Vec<T> {
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        let items = reply.items::<Self>()?.into_iter();
        items.map(Reply::parse).collect()
    }
}

/// The pairs of a flat array: field, value, field, value.
fn pairs<K: FromReply, V: FromReply, M: FromIterator<(K, V)>>(reply: Reply) -> Result<M, Error> {
    let mut items = reply.items::<M>()?.into_iter();
    std::iter::from_fn(|| Some((items.next()?, items.next().unwrap_or(Reply::Nil))))
        .map(|(key, value)| Ok((key.parse()?, value.parse()?)))
        .collect()
}

impl<K, V, S> FromReply for HashMap<K, V, S>
where
    K: FromReply + Eq + Hash,
    V: FromReply,
    S: BuildHasher + Default,
{
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        pairs(reply)
    }
}

impl<K: FromReply + Ord, V: FromReply> FromReply for BTreeMap<K, V> {
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        pairs(reply)
    }
}

macro_rules! tuples {
    ($(($($part:ident),+))*) => {
        $(impl<$($part: FromReply),+> FromReply for ($($part,)+) {
            fn from_reply(reply: Reply) -> Result<Self, Error> {
                const LENGTH: usize = [$(stringify!($part)),+].len();
                let items = reply.items::<Self>()?;
                if items.len() != LENGTH {
                    return Err(Error::new(
                        ErrorKind::Protocol,
                        format!("the reply has {} items, not {LENGTH}", items.len()),
                    ));
                }
                let mut items = items.into_iter();
                Ok(($(items.next().unwrap_or(Reply::Nil).parse::<$part>()?,)+))
            }
        })*
    };
}

tuples! {
    (A, B)
    (A, B, C)
    (A, B, C, D)
}
