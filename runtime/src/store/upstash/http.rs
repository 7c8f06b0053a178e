//! One HTTP exchange: a body out, an answer back, and what each way of failing means.

use super::answer::{Answer, Answered, decode, protocol};
use super::config::UpstashConfig;
use super::endpoint::{authorization, is_exposed, url};
use crate::error::{Error, ErrorKind};
use crate::runtime;
use crate::secret::Secret;
use crate::stats::Meter;
use crate::store::repeat::{Failure, Stage};
use crate::store::respite;
use crate::store::server_error::{presentable, server_error};
#[cfg(any(feature = "tls", feature = "tls-ring"))]
use crate::store::tls;
use crate::store::transport::Kind;
use crate::store::waiting::runtime_gone;
use crate::sync;
use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use reqwest::{Client, Response, StatusCode, Url};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// Shorter than servers and balancers keep idle connections (60 s and up), so that we close first.
pub(crate) const IDLE: Duration = Duration::from_secs(30);

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
    #[cfg(any(feature = "tls", feature = "tls-ring"))]
    tls: rustls::ClientConfig,
    connect_timeout: Duration,
    largest_answer: usize,
    /// Given by the last write, shown with every request: no later read sees an older state. Writes
    /// of one runtime leave one at a time; those of two may be answered in another order than run.
    sync_token: Option<Mutex<HeaderValue>>,
    pub(crate) meter: Arc<Meter>,
}

impl Endpoint {
    pub(crate) fn new(config: &UpstashConfig, meter: Arc<Meter>) -> Result<Self, Error> {
        let pipeline = url(config.url.reveal(), "pipeline", config.plain_http)?;
        if is_exposed(&pipeline) {
            let host = pipeline.host_str().unwrap_or_default();
            tracing::warn!(
                host,
                "the token and the values travel as plain http; whoever is on the way can read them"
            );
        }
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, authorization(&config.token)?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ENCODING, HeaderValue::from_static("base64"));
        Ok(Self {
            #[cfg(any(feature = "tls", feature = "tls-ring"))]
            tls: tls::client(pipeline.scheme() == "https")?,
            transaction: url(config.url.reveal(), "multi-exec", config.plain_http)?,
            pipeline,
            headers,
            token: config.token.clone(),
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
    pub(crate) fn client(&self) -> Result<Client, Error> {
        let builder = Client::builder();
        // Always: left to itself the client loads certificates, and panics where it finds no provider.
        #[cfg(any(feature = "tls", feature = "tls-ring"))]
        let builder = builder.tls_backend_preconfigured(self.tls.clone());
        builder
            .user_agent(concat!("millpond/", env!("CARGO_PKG_VERSION")))
            .default_headers(self.headers.clone())
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .build()
            .map_err(|error| {
                Error::with_source(
                    ErrorKind::Config,
                    "the HTTP client could not be set up",
                    error.without_url(),
                )
            })
    }

    /// Sends one body. No time limit here: the caller drops the future.
    pub(crate) async fn exchange(
        &self,
        client: &Client,
        path: Path,
        kind: Kind,
        body: Vec<u8>,
    ) -> Result<Vec<Answered>, Failure> {
        let url = match path {
            Path::Pipeline => &self.pipeline,
            Path::Transaction => &self.transaction,
        };
        let mut request = client.post(url.clone()).body(body);
        if let Some(token) = &self.sync_token {
            let token = sync::lock(token).clone();
            request = request.header(SYNC_TOKEN, token);
        }
        let response = request.send().await.map_err(|error| self.broken(error))?;
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

    fn remember_sync_token(&self, response: &Response) {
        if let (Some(held), Some(new)) = (&self.sync_token, response.headers().get(SYNC_TOKEN)) {
            *sync::lock(held) = new.clone();
        }
    }

    async fn read(&self, kind: Kind, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(None) => return Ok(body),
                Ok(Some(chunk)) => {
                    self.meter.bytes_received.add_len(chunk.len());
                    if body.len() + chunk.len() > self.largest_answer {
                        return Err(self.too_much(kind));
                    }
                    body.extend_from_slice(&chunk);
                }
                Err(error) => {
                    return Err(Failure {
                        stage: Stage::Lost,
                        error: Error::with_source(
                            ErrorKind::Protocol,
                            "the answer was cut short: the connection broke while it was read",
                            error.without_url(),
                        ),
                    });
                }
            }
        }
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

    fn broken(&self, error: reqwest::Error) -> Failure {
        let host = self.host();
        let (stage, message) = if error.is_connect() {
            (
                Stage::NotSent,
                format!(
                    "could not connect to {host}; check UPSTASH_REDIS_REST_URL and the network"
                ),
            )
        } else if is_unwritten(&error) {
            (Stage::Stale, format!("{host} closed the connection"))
        } else {
            (
                Stage::Lost,
                format!("the connection to {host} broke before the answer came"),
            )
        };
        let error = Error::with_source(ErrorKind::Unavailable, message, error.without_url());
        Failure { stage, error }
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
                format!("the token was refused ({shown}); check UPSTASH_REDIS_REST_TOKEN"),
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
                "the answer is a redirect (status {code}), which is not followed; check \
                 UPSTASH_REDIS_REST_URL"
            ))),
            _ => match text {
                Some(text) => match self.worded(&text) {
                    // Smaller requests would be refused as well.
                    error if respite::of(&error).is_some() => Failure::lasting(error),
                    error => Failure {
                        stage: Stage::Refused,
                        error,
                    },
                },
                None => Failure::lasting(protocol(format!(
                    "the answer (status {code}) is not one of an Upstash REST endpoint; check \
                     UPSTASH_REDIS_REST_URL"
                ))),
            },
        }
    }

    /// A text of the server as an error, with what to do where that is known.
    pub(crate) fn worded(&self, text: &str) -> Error {
        let error = server_error(&self.token.redact(text));
        match error.kind() {
            ErrorKind::Auth => Error::new(
                ErrorKind::Auth,
                format!("{error}; check UPSTASH_REDIS_REST_TOKEN and what it may do"),
            ),
            _ => error,
        }
    }
}

fn unavailable(message: String, wait: Option<Duration>) -> Error {
    match wait {
        Some(wait) => respite::asked_for(format!("{message}, for {wait:?}"), wait),
        None => Error::new(ErrorKind::Unavailable, message),
    }
}

/// How long the server asks to be left alone.
fn wait(response: &Response) -> Option<Duration> {
    let header = |name| response.headers().get(name)?.to_str().ok();
    // A date is one of the server's clock, which need not be ours.
    let now = header(DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    respite::retry_after(header(RETRY_AFTER)?, now.unwrap_or_else(SystemTime::now))
}

/// Whether the connection was closed before the request had left as a whole: a server runs nothing of a
/// body that is cut short. `hyper` offers no other way to ask than its text, which a test holds.
fn is_unwritten(error: &reqwest::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if error.to_string().starts_with("error writing a body") {
            return true;
        }
        cause = error.source();
    }
    false
}
