//! The connections of one runtime: pooled by the HTTP client, one exchange each.

use super::answer::{Answered, protocol};
use super::body::EncodedCommand;
use super::client::{HttpClient, IDLE};
use super::http::{Endpoint, Path};
use crate::clock::Since;
use crate::error::Error;
use crate::reply::Reply;
use crate::runtime::Instant;
use crate::stats::Meter;
use crate::store::merging::Merging;
use crate::store::repeat::Failure;
use crate::store::transport::{Answer, Encoded, Kind, Outgoing, Transport, sent};
use crate::store::until::Until;
use crate::store::waiting::LONGEST;
use crate::sync;
use std::sync::{Arc, Mutex, MutexGuard};

pub(crate) struct HttpTransport {
    endpoint: Arc<Endpoint>,
    client: HttpClient,
    /// When the last answer came, unless something went wrong after it.
    answered: Mutex<Option<Since>>,
    merging: Merging,
}

/// The body of a request.
pub(crate) struct Body {
    path: Path,
    json: Vec<u8>,
    /// How many answers have to come.
    count: usize,
}

impl HttpTransport {
    pub(crate) fn new(endpoint: &Arc<Endpoint>) -> Result<Self, Error> {
        Ok(Self {
            client: endpoint.client()?,
            endpoint: Arc::clone(endpoint),
            answered: Mutex::default(),
            merging: Merging::default(),
        })
    }

    /// How long an exchange may take. A connection that is still being opened lives and dies with the
    /// request that asked for it, so such a read goes on without its callers: otherwise a handshake that
    /// is slower than one budget would begin anew with each call.
    fn patient(&self, kind: Kind, until: &Until) -> Instant {
        let instant = until.instant;
        if kind == Kind::Writes || until.is_final() || self.has_answered() {
            return instant;
        }
        instant.max(Instant::now() + self.endpoint.connect_timeout().min(LONGEST))
    }

    /// Whether it did not long ago, and nothing went wrong since then.
    fn has_answered(&self) -> bool {
        let answered = *self.answered();
        answered.is_some_and(|answered| answered.elapsed() < IDLE)
    }

    fn answered(&self) -> MutexGuard<'_, Option<Since>> {
        sync::lock(&self.answered)
    }

    fn answer(&self, path: Path, answers: Vec<Answered>) -> Vec<Answer> {
        let replies = answers.into_iter().map(Answered::into_answer);
        if path == Path::Pipeline {
            return replies.collect();
        }
        // It ran as one, so what failed in it is part of its reply.
        let replies = replies.map(|answer| match answer {
            Answer::Reply(reply) => reply,
            Answer::Error(text) => Reply::Error(self.endpoint.worded(&text)),
            Answer::Unreadable(error) => Reply::Error(error),
        });
        vec![Answer::Reply(Reply::Array(replies.collect()))]
    }
}

impl Transport for HttpTransport {
    type Command = EncodedCommand;
    /// The HTTP client opens and keeps connections by itself.
    type Connection = ();
    type Body = Body;

    fn meter(&self) -> &Meter {
        &self.endpoint.meter
    }

    fn host(&self) -> String {
        self.endpoint.host()
    }

    fn divides(&self) -> bool {
        false
    }

    async fn connect(&self, _: bool) -> Result<(), Failure> {
        Ok(())
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn is_connected(&self) -> bool {
        self.has_answered()
    }

    fn merging(&self) -> Option<&Merging> {
        Some(&self.merging)
    }

    fn encode(&self, commands: &[&[&EncodedCommand]]) -> Encoded<Body> {
        let each = || commands.iter().copied().flatten();
        let bytes: usize = each().map(|command| command.bytes() + 1).sum();
        let mut json = Vec::with_capacity(bytes + 2);
        json.push(b'[');
        for (index, commands) in commands.iter().enumerate() {
            if index > 0 {
                json.push(b',');
            }
            EncodedCommand::write(commands, &mut json);
        }
        json.push(b']');
        let is_transaction = each().any(|command| command.is_alone());
        Encoded {
            bytes: json.len(),
            body: Body {
                path: if is_transaction {
                    Path::Transaction
                } else {
                    Path::Pipeline
                },
                json,
                count: commands.iter().map(|commands| sent(commands)).sum(),
            },
        }
    }

    async fn exchange(
        &self,
        (): &(),
        kind: Kind,
        body: Body,
        until: Until,
    ) -> Result<Vec<Answer>, Failure> {
        let Body { path, json, count } = body;
        let sent = self.endpoint.exchange(&self.client, path, kind, json);
        let instant = self.patient(kind, &until);
        let result = until
            .at(instant)
            .wait_for(sent)
            .await
            .unwrap_or_else(|| Err(Failure::out_of_time()));
        *self.answered() = result.is_ok().then(Since::now);
        let answers = result?;
        if answers.len() != count {
            let came = answers.len();
            let error = protocol(format!("{came} answers came for {count} commands"));
            return Err(Failure::garbled(error));
        }
        Ok(self.answer(path, answers))
    }

    /// The provider finds the node.
    fn renew(&self, (): &(), _: u32) {}

    fn worded(&self, text: &str) -> Error {
        self.endpoint.worded(text)
    }
}
