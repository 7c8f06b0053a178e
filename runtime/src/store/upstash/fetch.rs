//! One HTTP request, by the `fetch` of the JavaScript that hosts the module: it keeps connections, and knows
//! how to speak TLS. A request ends when its future is dropped.

use super::endpoint::Place;
use super::js_url::Url;
use crate::error::{Error, ErrorKind};
use crate::store::repeat::{Failure, Stage};
use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use js_sys::{Function, Promise, Reflect, Uint8Array};
use std::fmt;
use std::time::Duration;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortController, Headers, ReadableStreamDefaultReader, RequestInit, RequestRedirect, Response,
};

/// For so long after an answer, a request is taken to find a connection.
pub(crate) const IDLE: Duration = Duration::from_secs(30);

/// What the clients of all requests have in common.
pub(crate) struct Setup;

impl Setup {
    #[allow(clippy::unnecessary_wraps, reason = "a server has TLS to set up")]
    pub(crate) fn new(_url: &Url, _connect_timeout: Duration) -> Result<Self, Error> {
        Ok(Self)
    }
}

/// What one request sends through.
pub(crate) struct HttpClient {
    headers: HeaderMap,
    place: Place,
}

impl HttpClient {
    #[allow(clippy::unnecessary_wraps, reason = "a server has TLS to set up")]
    pub(crate) fn new(_setup: &Setup, headers: &HeaderMap, place: Place) -> Result<Self, Error> {
        let headers = headers.clone();
        Ok(Self { headers, place })
    }

    /// Sends a body and waits for the head of the answer.
    pub(crate) async fn post(
        &self,
        url: &Url,
        header: Option<(HeaderName, HeaderValue)>,
        body: Vec<u8>,
    ) -> Result<Incoming, Failure> {
        let Place { host, variable } = &self.place;
        let sent = self.send(url, header, body);
        sent.await.map_err(|thrown| Failure {
            // It does not say whether anything left.
            stage: Stage::Lost,
            error: Error::with_source(
                ErrorKind::Unavailable,
                format!(
                    "no answer from {host}: it could not be reached, or the connection broke; check \
                     {variable} and the network"
                ),
                Thrown::new(&thrown),
            ),
        })
    }

    async fn send(
        &self,
        url: &Url,
        header: Option<(HeaderName, HeaderValue)>,
        body: Vec<u8>,
    ) -> Result<Incoming, JsValue> {
        let headers = Headers::new()?;
        let own = self.headers.iter();
        for (name, value) in own.chain(header.as_ref().map(|(name, value)| (name, value))) {
            headers.set(name.as_str(), value.to_str().unwrap_or_default())?;
        }
        let abort = AbortOnDrop(AbortController::new()?);
        let init = RequestInit::new();
        init.set_method("POST");
        init.set_headers(&headers);
        init.set_body(&Uint8Array::from(&body[..]));
        drop(body);
        init.set_signal(Some(&abort.0.signal()));
        // A redirect would take the token with it.
        init.set_redirect(RequestRedirect::Manual);
        let global = js_sys::global();
        let fetch: Function = Reflect::get(&global, &"fetch".into())?.dyn_into()?;
        let promise = fetch.call2(&global, &url.as_str().into(), &init)?;
        let response = JsFuture::from(Promise::resolve(&promise)).await?;
        Ok(Incoming {
            // Not checked: where a program has several global objects, it may be of another one's class.
            response: response.unchecked_into(),
            reader: None,
            _abort: abort,
        })
    }
}

/// Ends a request that nobody waits for. One that is over does not notice.
struct AbortOnDrop(AbortController);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An answer whose body is on its way.
pub(crate) struct Incoming {
    response: Response,
    reader: Option<ReadableStreamDefaultReader>,
    _abort: AbortOnDrop,
}

impl Incoming {
    pub(crate) fn status(&self) -> StatusCode {
        // A browser shows a redirect that is not followed as 0.
        StatusCode::from_u16(self.response.status()).unwrap_or(StatusCode::FOUND)
    }

    pub(crate) fn header(&self, name: &HeaderName) -> Option<HeaderValue> {
        let text = self.response.headers().get(name.as_str()).ok()??;
        HeaderValue::from_str(&text).ok()
    }

    /// The next part of the body.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        self.read().await.map_err(|thrown| Failure {
            stage: Stage::Lost,
            error: Error::with_source(
                ErrorKind::Protocol,
                "the answer was cut short: the connection broke while it was read",
                Thrown::new(&thrown),
            ),
        })
    }

    async fn read(&mut self) -> Result<Option<Bytes>, JsValue> {
        let reader = match &self.reader {
            Some(reader) => reader,
            None => {
                let Some(body) = self.response.body() else {
                    return Ok(None);
                };
                self.reader.insert(body.get_reader().unchecked_into())
            }
        };
        let read = JsFuture::from(reader.read()).await?;
        let value = Reflect::get(&read, &"value".into())?;
        if value.is_undefined() {
            return Ok(None);
        }
        Ok(Some(value.unchecked_into::<Uint8Array>().to_vec().into()))
    }
}

/// What JavaScript has thrown, as the cause of an error.
#[derive(Debug)]
struct Thrown(String);

impl Thrown {
    fn new(thrown: &JsValue) -> Self {
        let message = Reflect::get(thrown, &"message".into());
        let message = message.ok().and_then(|message| message.as_string());
        Self(message.unwrap_or_else(|| "an exception without a message".to_owned()))
    }
}

impl fmt::Display for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Thrown {}
