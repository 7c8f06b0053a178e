//! HTTP request -> what it asks for: one command, a pipeline, a transaction, or a stream of events.

use crate::resp::Command;
use crate::text;
use bytes::Bytes;
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::value::RawValue;

/// What a request asks for.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    One(Command),
    Pipeline(Vec<Command>),
    Transaction(Vec<Command>),
    /// `SUBSCRIBE`, `PSUBSCRIBE` or `MONITOR`.
    Stream(Command),
}

impl Call {
    pub(crate) fn commands(&self) -> &[Command] {
        match self {
            Self::One(command) | Self::Stream(command) => std::slice::from_ref(command),
            Self::Pipeline(commands) | Self::Transaction(commands) => commands,
        }
    }
}

/// How the answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Base64,
    Resp2,
}

/// A request that is answered without asking Redis.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

impl Refusal {
    fn bad(text: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            text: text.into(),
        }
    }
}

/// Checks method, token and headers.
pub(crate) fn admit(parts: &Parts, token: &str) -> Result<Format, Refusal> {
    if ![Method::GET, Method::POST, Method::PUT, Method::HEAD].contains(&parts.method) {
        let text = "ERR method not allowed".to_owned();
        return Err(Refusal {
            status: StatusCode::METHOD_NOT_ALLOWED,
            text,
        });
    }
    let in_query = query(parts)
        .find(|(name, _)| name == "_token")
        .map(|(_, value)| value.unwrap_or_default());
    let in_header = || {
        let value = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
        Some(value.strip_prefix("Bearer ").unwrap_or(value).to_owned())
    };
    if in_query.or_else(in_header).as_deref() != Some(token) {
        let text = "WRONGPASS invalid or missing auth token".to_owned();
        return Err(Refusal {
            status: StatusCode::UNAUTHORIZED,
            text,
        });
    }
    format(parts)
}

fn format(parts: &Parts) -> Result<Format, Refusal> {
    let header = |name| parts.headers.get(name).map(HeaderValue::as_bytes);
    let base64 = match header("upstash-encoding") {
        None => false,
        Some(b"base64") => true,
        Some(_) => return Err(Refusal::bad("ERR unsupported encoding")),
    };
    match header("upstash-response-format") {
        None | Some(b"json") => Ok(if base64 { Format::Base64 } else { Format::Json }),
        Some(b"resp2") if base64 => Err(Refusal::bad(
            "ERR resp2 format cannot be combined with base64 encoding",
        )),
        Some(b"resp2") => Ok(Format::Resp2),
        Some(_) => Err(Refusal::bad("ERR unsupported response format")),
    }
}

/// Reads path and body.
pub(crate) fn read(parts: &Parts, body: &Bytes, format: Format) -> Result<Call, Refusal> {
    let path = parts.uri.path().trim_start_matches('/');
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    let batch = |what| {
        if parts.method == Method::POST {
            batch(body, what)
        } else {
            Err(Refusal {
                status: StatusCode::METHOD_NOT_ALLOWED,
                text: "ERR method not allowed".to_owned(),
            })
        }
    };
    match first {
        "" if parts.method == Method::GET || parts.method == Method::HEAD => {
            Err(Refusal::bad("ERR empty command"))
        }
        "" => one(body).map(Call::One),
        "pipeline" => batch("pipeline").map(Call::Pipeline),
        "multi-exec" if format == Format::Resp2 => Err(Refusal::bad(
            "ERR resp2 format is not supported for multi-exec",
        )),
        "multi-exec" => batch("multi-exec").map(Call::Transaction),
        "subscribe" | "psubscribe" | "monitor" => {
            let mut command = vec![Bytes::from(first.to_uppercase())];
            command.extend(rest.split('/').filter(|part| !part.is_empty()).map(decode));
            Ok(Call::Stream(command))
        }
        _ => Ok(Call::One(from_path(path, parts, body))),
    }
}

// The body follows the path, so that a large value need not stand in a URL; options follow as a query.
fn from_path(path: &str, parts: &Parts, body: &Bytes) -> Command {
    let mut command: Command = path.split('/').map(decode).collect();
    if !body.is_empty() {
        command.push(body.clone());
    }
    for (name, value) in query(parts).filter(|(name, _)| name != "_token") {
        command.push(name.into());
        command.extend(value.map(Bytes::from));
    }
    command
}

fn one(body: &[u8]) -> Result<Command, Refusal> {
    if body.is_empty() {
        return Err(Refusal::bad("EOF"));
    }
    let raw: &RawValue =
        serde_json::from_slice(body).map_err(|_| Refusal::bad("ERR failed to parse command"))?;
    command(raw)
}

fn batch(body: &[u8], what: &str) -> Result<Vec<Command>, Refusal> {
    if body.is_empty() {
        return Err(Refusal::bad("EOF"));
    }
    let commands: Vec<&RawValue> = serde_json::from_slice(body)
        .map_err(|_| Refusal::bad(format!("ERR failed to parse {what} request")))?;
    if commands.is_empty() {
        return Err(Refusal::bad(format!("ERR empty {what} request")));
    }
    commands.into_iter().map(command).collect()
}

fn command(raw: &RawValue) -> Result<Command, Refusal> {
    let arguments: Vec<&RawValue> =
        serde_json::from_str(raw.get()).map_err(|_| Refusal::bad("expected JSON array"))?;
    if arguments.is_empty() {
        return Err(Refusal::bad("ERR empty command"));
    }
    arguments.into_iter().map(argument).collect()
}

// A number is taken as it was written: `1e+21` stays `1e+21`.
fn argument(raw: &RawValue) -> Result<Bytes, Refusal> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'"') => text::read(text).map_err(|_| Refusal::bad("ERR failed to parse command")),
        Some(b'[') => Err(Refusal::bad("ERR unsupported arg type: \"[\": json.Delim")),
        Some(b'{') => Err(Refusal::bad("ERR unsupported arg type: \"{\": json.Delim")),
        Some(b'n') => Err(Refusal::bad("ERR null args are not supported")),
        _ => Ok(Bytes::copy_from_slice(text.as_bytes())),
    }
}

fn decode(part: &str) -> Bytes {
    Bytes::from(percent_decode_str(part).collect::<Vec<u8>>())
}

// `?EX=100&NX`: a name without a value is one argument.
fn query(parts: &Parts) -> impl Iterator<Item = (String, Option<String>)> {
    parts
        .uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = form_urlencoded::parse(pair.as_bytes())
                .next()
                .unwrap_or_default();
            (
                name.into_owned(),
                pair.contains('=').then(|| value.into_owned()),
            )
        })
}
