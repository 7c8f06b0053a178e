//! Over the REST protocol of Upstash: one POST, one `MGET`, and texts in base64, which any bytes survive. A long answer is
//! decoded in turns.

use super::{Failed, Meter, Observed, Waiting, Wire, add};
use crate::Outcome;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Request, Response, Url};
use std::sync::{Mutex, PoisonError};

const SYNC_TOKEN: HeaderName = HeaderName::from_static("upstash-sync-token");
const LARGEST: usize = 64 << 20;

pub(crate) struct Rest {
    client: Client,
    url: Url,
    /// What the last write was told, so that no later read sees an older state.
    sync_token: Mutex<HeaderValue>,
}

impl Rest {
    pub(crate) fn new(port: u16, token: &str) -> Outcome<Self> {
        let tls = rustls::ClientConfig::builder()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, format!("Bearer {token}").parse()?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("upstash-encoding", HeaderValue::from_static("base64"));
        Ok(Self {
            client: Client::builder()
                .tls_backend_preconfigured(tls)
                .default_headers(headers)
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never().max_retries_per_request(0))
                .referer(false)
                .no_proxy()
                .build()?,
            url: format!("http://127.0.0.1:{port}").parse()?,
            sync_token: Mutex::new(HeaderValue::from_static("")),
        })
    }
}

impl Wire for Rest {
    async fn read(&self, keys: &[Waiting], meter: &Meter) -> Result<Vec<Observed>, Failed> {
        let body = body(keys);
        let length = body.len();
        let mut request = Request::new(Method::POST, self.url.clone());
        let token = self.sync_token.lock();
        let token = token.unwrap_or_else(PoisonError::into_inner).clone();
        request.headers_mut().insert(SYNC_TOKEN, token);
        *request.body_mut() = Some(body.into());
        let response = self.client.execute(request).await;
        let response = response.map_err(|_| Failed::Lost)?;
        add(&meter.requests, 1);
        add(&meter.commands, keys.len());
        add(&meter.sent, length);
        let status = response.status();
        let answer = whole(response).await?;
        add(&meter.received, answer.len());
        if !status.is_success() {
            return Err(if status.is_server_error() {
                Failed::Lost
            } else {
                Failed::Refused
            });
        }
        let observed = decode(&answer, keys.len()).await;
        let observed = observed.ok_or(Failed::Refused)?;
        (observed.len() == keys.len())
            .then_some(observed)
            .ok_or(Failed::Refused)
    }
}

fn body(keys: &[Waiting]) -> Vec<u8> {
    let length = keys.iter().map(|waiting| 2 * waiting.key.len() + 16);
    let mut body = Vec::with_capacity(length.sum::<usize>() + 8);
    body.extend_from_slice(b"[\"MGET\"");
    for Waiting { key, .. } in keys {
        body.extend_from_slice(b",\"");
        escape(&mut body, key);
        body.extend_from_slice(b"\",\"{");
        escape(&mut body, key);
        body.extend_from_slice(b"}:guard\"");
    }
    body.push(b']');
    body
}

/// What JSON cannot hold as it is: keys have none of it, except those that were made by hand.
fn escape(body: &mut Vec<u8>, key: &str) {
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if key.bytes().all(is_plain) {
        body.extend_from_slice(key.as_bytes());
    } else if let Ok(text) = serde_json::to_string(key) {
        body.extend_from_slice(&text.as_bytes()[1..text.len() - 1]);
    }
}

/// The body, which nearly always comes at once if it is short.
async fn whole(mut response: Response) -> Result<Bytes, Failed> {
    let length = response.content_length().unwrap_or(0);
    let first = response.chunk().await.map_err(|_| Failed::Lost)?;
    let first = first.unwrap_or_default();
    if first.len() as u64 == length {
        return Ok(first);
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX).min(LARGEST);
    let mut body = BytesMut::with_capacity(length);
    body.extend_from_slice(&first);
    while let Some(chunk) = response.chunk().await.map_err(|_| Failed::Lost)? {
        if body.len() + chunk.len() > LARGEST {
            return Err(Failed::Refused);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// So many bytes are decoded before others have their turn.
const MUCH: usize = 64 << 10;

/// The values and guards of an answer, which has the form that servers write: `{"result":["…",null,…]}`. Texts of base64
/// have nothing in them that JSON escapes.
async fn decode(answer: &[u8], count: usize) -> Option<Vec<Observed>> {
    let mut rest = std::str::from_utf8(answer).ok()?;
    rest = rest.strip_prefix("{\"result\":[")?.strip_suffix("]}")?;
    let mut texts = BytesMut::with_capacity(answer.len() / 4 * 3);
    let mut observed = Vec::with_capacity(count);
    let mut turn = rest.len();
    while !rest.is_empty() {
        let value = next(&mut rest, &mut texts).ok()?;
        let guard = next(&mut rest, &mut texts).ok()?;
        observed.push(Observed { value, guard });
        if turn - rest.len() > MUCH {
            turn = rest.len();
            tokio::task::yield_now().await;
        }
    }
    Some(observed)
}

struct Garbled;

/// The first item of those that are left, and the comma behind it.
#[inline]
fn next(rest: &mut &str, texts: &mut BytesMut) -> Result<Option<Bytes>, Garbled> {
    let (item, behind) = if let Some(text) = rest.strip_prefix('"') {
        let (text, behind) = text.split_at(text.find('"').ok_or(Garbled)?);
        texts.resize(text.len() / 4 * 3, 0);
        let length = STANDARD.decode_slice(text, texts);
        let length = length.map_err(|_| Garbled)?;
        let decoded = texts.split_to(length).freeze();
        (Some(decoded), &behind[1..])
    } else {
        (None, rest.strip_prefix("null").ok_or(Garbled)?)
    };
    *rest = behind.strip_prefix(',').unwrap_or(behind);
    Ok(item)
}
