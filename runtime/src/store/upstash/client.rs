//! One HTTP request, by `reqwest`: connections are pooled, and belong to one Tokio runtime.

use super::endpoint::Place;
use crate::error::{Error, ErrorKind};
use crate::store::repeat::{Failure, Stage};
#[cfg(any(feature = "tls", feature = "tls-ring"))]
use crate::store::tls;
use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response};
use std::time::Duration;
use url::Url;

/// Shorter than servers and balancers keep idle connections (60 s and up), so that we close first.
pub(crate) const IDLE: Duration = Duration::from_secs(30);

/// What the clients of all runtimes have in common.
pub(crate) struct Setup {
    #[cfg(any(feature = "tls", feature = "tls-ring"))]
    tls: rustls::ClientConfig,
    connect_timeout: Duration,
}

impl Setup {
    #[cfg_attr(
        not(any(feature = "tls", feature = "tls-ring")),
        allow(unused_variables, clippy::unnecessary_wraps)
    )]
    pub(crate) fn new(url: &Url, connect_timeout: Duration) -> Result<Self, Error> {
        Ok(Self {
            #[cfg(any(feature = "tls", feature = "tls-ring"))]
            tls: tls::client(url.scheme() == "https")?,
            connect_timeout,
        })
    }
}

/// The connections of one runtime.
pub(crate) struct HttpClient {
    client: Client,
    place: Place,
}

impl HttpClient {
    pub(crate) fn new(setup: &Setup, headers: &HeaderMap, place: Place) -> Result<Self, Error> {
        let builder = Client::builder();
        // Always: left to itself the client loads certificates, and panics where it finds no provider.
        #[cfg(any(feature = "tls", feature = "tls-ring"))]
        let builder = builder.tls_backend_preconfigured(setup.tls.clone());
        let client = builder
            .user_agent(concat!("millpond/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers.clone())
            .connect_timeout(setup.connect_timeout)
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never().max_retries_per_request(0))
            .referer(false)
            .no_proxy()
            .build()
            .map_err(|error| {
                Error::with_source(
                    ErrorKind::Config,
                    "the HTTP client could not be set up",
                    error.without_url(),
                )
            })?;
        Ok(Self { client, place })
    }

    /// Sends a body and waits for the head of the answer.
    pub(crate) async fn post(
        &self,
        url: &Url,
        header: Option<(HeaderName, HeaderValue)>,
        body: Vec<u8>,
    ) -> Result<Incoming, Failure> {
        let mut request = self.client.post(url.clone()).body(body);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let response = request.send().await.map_err(|error| self.broken(error))?;
        Ok(Incoming(response))
    }

    fn broken(&self, error: reqwest::Error) -> Failure {
        let Place { host, variable } = &self.place;
        let (stage, message) = if error.is_connect() {
            (
                Stage::NotSent,
                format!("could not connect to {host}; check {variable} and the network"),
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
}

/// An answer whose body is on its way.
pub(crate) struct Incoming(Response);

impl Incoming {
    pub(crate) fn status(&self) -> StatusCode {
        self.0.status()
    }

    pub(crate) fn header(&self, name: &HeaderName) -> Option<HeaderValue> {
        self.0.headers().get(name).cloned()
    }

    /// The next part of the body.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        self.0.chunk().await.map_err(|error| Failure {
            stage: Stage::Lost,
            error: Error::with_source(
                ErrorKind::Protocol,
                "the answer was cut short: the connection broke while it was read",
                error.without_url(),
            ),
        })
    }
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
