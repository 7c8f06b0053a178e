//! One HTTP exchange: a body out, an answer back, and what each way of failing means.

use super::answer::{Answer, Answered, decode, protocol};
use super::client::{HttpClient, Incoming, Setup};
use super::config::UpstashConfig;
use super::endpoint::{Place, authorization, is_exposed, url};
#[cfg(target_arch = "wasm32")]
use super::js_url::Url;
use crate::error::{Error, ErrorKind};
use crate::runtime;
use crate::secret::Secret;
use crate::settings::CredentialNames;
use crate::stats::Meter;
use crate::store::repeat::{Failure, Stage};
use crate::store::respite;
use crate::store::server_error::{presentable, server_error};
use crate::store::transport::Kind;
use crate::store::waiting::runtime_gone;
use crate::sync;
use http::StatusCode;
#[cfg(not(target_arch = "wasm32"))]
use http::header::ACCEPT;
use http::header::{
    AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};
#[cfg(not(target_arch = "wasm32"))]
use url::Url;

/// What error texts call credentials that were given in code.
const USUAL_NAMES: CredentialNames = CredentialNames {
    url: "UPSTASH_REDIS_REST_URL",
    token: "UPSTASH_REDIS_REST_TOKEN",
};

const ENCODING: HeaderName = HeaderName::from_static("upstash-encoding");
const SYNC_TOKEN: HeaderName = HeaderName::from_static("upstash-sync-token");

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// Commands that have nothing to do with each other.
    Pipeline,
    /// Commands that run as one.
    Transaction,
}

/// What the connections of all runtimes have in common.
pub(crate) struct Endpoint {
    pipeline: Url,
    transaction: Url,
    headers: HeaderMap,
    token: Secret,
    /// For error texts.
    names: CredentialNames,
    setup: Setup,
    connect_timeout: Duration,
    largest_answer: usize,
    /// Given by the last write, shown with every request: no later read sees an older state. Writes
    /// of one runtime leave one at a time; those of two may be answered in another order than run.
    sync_token: Option<Mutex<HeaderValue>>,
    pub(crate) meter: Arc<Meter>,
}

impl Endpoint {
    pub(crate) fn new(config: &UpstashConfig, meter: Arc<Meter>) -> Result<Self, Error> {
        let named = |name: fn(CredentialNames) -> &'static str, error: Error| match config.names {
            Some(names) => Error::new(error.kind(), format!("{error}; change {}", name(names))),
            None => error,
        };
        let url = |path| {
            let url = url(config.url.reveal(), path, config.plain_http);
            url.map_err(|error| named(|names| names.url, error))
        };
        let pipeline = url("pipeline")?;
        if is_exposed(&pipeline) {
            let host = pipeline.host_str().unwrap_or_default();
            tracing::warn!(
                host,
                "the token and the values travel as plain http; whoever is on the way can read them"
            );
        }
        let mut headers = HeaderMap::new();
        let token = authorization(&config.token);
        let token = token.map_err(|error| named(|names| names.token, error))?;
        headers.insert(AUTHORIZATION, token);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ENCODING, HeaderValue::from_static("base64"));
        Ok(Self {
            setup: Setup::new(&pipeline, config.connect_timeout)?,
            transaction: url("multi-exec")?,
            pipeline,
            headers,
            token: config.token.clone(),
            names: config.names.unwrap_or(USUAL_NAMES),
            connect_timeout: config.connect_timeout,
            largest_answer: config.largest_answer,
            sync_token: config
                .read_your_writes
                .then(|| Mutex::new(HeaderValue::from_static(""))),
            meter,
        })
    }

    pub(crate) fn host(&self) -> String {
        let host = self.pipeline.host_str().unwrap_or_default();
        match self.pipeline.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// Connections for one runtime.
    pub(crate) fn client(&self) -> Result<HttpClient, Error> {
        let place = Place {
            host: self.host(),
            variable: self.names.url,
        };
        HttpClient::new(&self.setup, &self.headers, place)
    }

    /// Sends one body. No time limit here: the caller drops the future.
    pub(crate) async fn exchange(
        &self,
        client: &HttpClient,
        path: Path,
        kind: Kind,
        body: Vec<u8>,
    ) -> Result<Vec<Answered>, Failure> {
        let url = match path {
            Path::Pipeline => &self.pipeline,
            Path::Transaction => &self.transaction,
        };
        let token = self.sync_token.as_ref();
        let token = token.map(|token| (SYNC_TOKEN, sync::lock(token).clone()));
        let response = client.post(url, token, body).await?;
        let status = response.status();
        let wait = wait(&response);
        if kind == Kind::Writes && status.is_success() {
            self.remember_sync_token(&response);
        }
        let body = self.read(kind, response).await?;
        // JSON and base64, up to the largest answer.
        let answer = runtime::offload(body.len(), move || decode(&body)).await;
        let answer = answer.unwrap_or_else(|| Err(runtime_gone()));
        self.judge(status, wait, answer)
    }

    /// Begins to listen to channels. The answer goes on until either side ends it.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) async fn subscribe(
        &self,
        client: &HttpClient,
        channels: &[&str],
    ) -> Result<Incoming, Failure> {
        let mut url = self.pipeline.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop().push("subscribe").extend(channels);
        }
        let events = HeaderValue::from_static("text/event-stream");
        let response = client.post(&url, Some((ACCEPT, events)), b"[]".to_vec());
        let response = response.await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let wait = wait(&response);
        let body = self.read(Kind::Reads, response).await?;
        let refused = self.judge(status, wait, decode(&body)).err();
        Err(refused.unwrap_or_else(|| Failure::garbled(protocol("the subscription was refused"))))
    }

    fn remember_sync_token(&self, response: &Incoming) {
        if let (Some(held), Some(new)) = (&self.sync_token, response.header(&SYNC_TOKEN)) {
            *sync::lock(held) = new;
        }
    }

    async fn read(&self, kind: Kind, mut response: Incoming) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            self.meter.bytes_received.add_len(chunk.len());
            if body.len() + chunk.len() > self.largest_answer {
                return Err(self.too_much(kind));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn too_much(&self, kind: Kind) -> Failure {
        let limit = self.largest_answer;
        Failure {
            stage: match kind {
                // Reads changed nothing, so they may come again in smaller requests.
                Kind::Reads => Stage::Refused,
                Kind::Writes => Stage::Unread,
            },
            error: Error::new(
                ErrorKind::TooLarge,
                format!("the answer is over {limit} bytes; read less at once"),
            ),
        }
    }

    fn judge(
        &self,
        status: StatusCode,
        wait: Option<Duration>,
        answer: Result<Answer, Error>,
    ) -> Result<Vec<Answered>, Failure> {
        if status.is_success() {
            return match answer.map_err(Failure::garbled)? {
                Answer::Whole(answered) => Err(self.refused(status, wait, answered.into_error())),
                Answer::Each(answers) => Ok(answers),
            };
        }
        let text = match answer {
            Ok(Answer::Whole(answered)) => answered.into_error(),
            _ => None,
        };
        Err(self.refused(status, wait, text))
    }

    /// The request was refused as a whole, by the server (with a text) or by something before it.
    fn refused(&self, status: StatusCode, wait: Option<Duration>, text: Option<String>) -> Failure {
        let code = status.as_u16();
        let text = text.map(|text| presentable(&self.token.redact(&text)));
        let shown = text.as_deref().unwrap_or("no text");
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failure::lasting(Error::new(
                ErrorKind::Auth,
                format!(
                    "the token was refused ({shown}); check {}",
                    self.names.token
                ),
            )),
            StatusCode::TOO_MANY_REQUESTS if wait.is_some() => Failure::lasting(unavailable(
                format!("the server asks to be left alone (status {code}: {shown})"),
                wait,
            )),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Failure {
                stage: Stage::Lost,
                error: unavailable(
                    format!("the server asks to slow down (status {code}: {shown})"),
                    None,
                ),
            },
            status if status.is_server_error() => Failure {
                stage: Stage::Lost,
                error: unavailable(
                    format!("the server or a proxy before it failed (status {code}: {shown})"),
                    wait,
                ),
            },
            StatusCode::PAYLOAD_TOO_LARGE => Failure {
                stage: Stage::Refused,
                error: Error::new(
                    ErrorKind::TooLarge,
                    format!("the request is too large for the server ({shown})"),
                ),
            },
            status if status.is_redirection() => Failure::lasting(protocol(format!(
                "the answer is a redirect (status {code}), which is not followed; check {}",
                self.names.url
            ))),
            _ => match text.map(|text| self.worded(&text)) {
                // Smaller requests would be refused as well.
                Some(error) if respite::of(&error).is_some() => Failure::lasting(error),
                Some(error) => Failure {
                    stage: Stage::Refused,
                    error,
                },
                None => foreign(
                    status,
                    protocol(format!(
                        "the answer (status {code}) is not one of an Upstash REST endpoint; check {}",
                        self.names.url
                    )),
                ),
            },
        }
    }

    /// A text of the server as an error, with what to do where that is known.
    pub(crate) fn worded(&self, text: &str) -> Error {
        let error = server_error(&self.token.redact(text));
        match error.kind() {
            ErrorKind::Auth => Error::new(
                ErrorKind::Auth,
                format!("{error}; check {} and what it may do", self.names.token),
            ),
            _ => error,
        }
    }
}

/// Something else has answered, or in another form: after a success, the request may have run.
fn foreign(status: StatusCode, error: Error) -> Failure {
    if status.is_success() {
        Failure::garbled(error)
    } else {
        Failure::lasting(error)
    }
}

fn unavailable(message: String, wait: Option<Duration>) -> Error {
    match wait {
        Some(wait) => respite::asked_for(format!("{message}, for {wait:?}"), wait),
        None => Error::new(ErrorKind::Unavailable, message),
    }
}

/// How long the server asks to be left alone.
fn wait(response: &Incoming) -> Option<Duration> {
    let asked = response.header(&RETRY_AFTER)?;
    // A date is one of the server's clock, which need not be ours.
    let date = response.header(&DATE);
    let date = date.as_ref().and_then(|date| date.to_str().ok());
    let now = date.and_then(runtime::http_date);
    respite::retry_after(
        asked.to_str().ok()?,
        now.unwrap_or_else(|| UNIX_EPOCH + runtime::since_epoch()),
    )
}
