//! Replies -> the body of the answer: JSON, JSON with base64, or RESP2.

use crate::call::Format;
use crate::resp::Reply;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use hyper::StatusCode;
use serde_json::{Value, json};

/// Status, content type and body.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
    pub(crate) retry_after: Option<String>,
}

impl Answer {
    pub(crate) fn error(status: StatusCode, text: &str) -> Self {
        Self::json(status, &json!({ "error": text }))
    }

    fn json(status: StatusCode, body: &Value) -> Self {
        Self {
            status,
            content_type: "application/json",
            body: body.to_string().into(),
            retry_after: None,
        }
    }

    fn resp2(status: StatusCode, reply: &Reply) -> Self {
        let mut body = BytesMut::new();
        reply.encode(&mut body);
        Self {
            status,
            content_type: "application/octet-stream",
            body: body.freeze(),
            retry_after: None,
        }
    }

    /// To `POST /` and to a command in the path.
    pub(crate) fn one(reply: &Reply, format: Format) -> Self {
        let status = match reply {
            Reply::Error(_) => StatusCode::BAD_REQUEST,
            _ => StatusCode::OK,
        };
        match format {
            Format::Resp2 => Self::resp2(status, reply),
            _ => Self::json(status, &item(reply, format)),
        }
    }

    /// To a pipeline or a transaction that ran: always 200, errors stand beside results.
    pub(crate) fn many(replies: Vec<Reply>, format: Format) -> Self {
        match format {
            Format::Resp2 => Self::resp2(StatusCode::OK, &Reply::Array(replies)),
            _ => Self::json(
                StatusCode::OK,
                &replies.iter().map(|reply| item(reply, format)).collect(),
            ),
        }
    }
}

fn item(reply: &Reply, format: Format) -> Value {
    match reply {
        Reply::Error(text) => json!({ "error": text }),
        // The one string that base64 leaves alone, and only at the top.
        Reply::Status(text) if text == "OK" => json!({ "result": "OK" }),
        other => json!({ "result": value(other, format) }),
    }
}

fn value(reply: &Reply, format: Format) -> Value {
    match reply {
        Reply::Nil | Reply::NilArray => Value::Null,
        Reply::Int(number) => (*number).into(),
        Reply::Status(text) | Reply::Error(text) => string(text.as_bytes(), format),
        Reply::Bulk(bytes) => string(bytes, format),
        Reply::Array(items) => items.iter().map(|item| value(item, format)).collect(),
    }
}

fn string(bytes: &[u8], format: Format) -> Value {
    match format {
        Format::Base64 => STANDARD.encode(bytes).into(),
        _ => String::from_utf8_lossy(bytes).into(),
    }
}
