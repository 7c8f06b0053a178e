//! What a client does as a member of the channel: it tells what it moves.
use super::message;
use crate::client::Client;
use crate::client::outage::Step;
use crate::error::{Error, ErrorKind};
use crate::key::FullKey;
use crate::reply;
use crate::runtime;
use crate::store::Replies;
use crate::store::command::Command;
use std::time::Duration;

impl Client {
    /// What tells other processes of those keys that they may keep values of.
    pub(crate) fn telling(&self, keys: &mut dyn Iterator<Item = &FullKey>) -> Vec<Command> {
        let told: Vec<&FullKey> = keys.filter(|key| self.is_told(key)).collect();
        if told.is_empty() {
            return Vec::new();
        }
        message::publish(&self.backplane.channel, self.backplane.id(), &told)
    }

    /// Sends commands, and behind them what tells other processes of the keys that they move: the replies to them, and
    /// what came of telling. Where that is an error it should be done again, since others may believe what they keep.
    pub(crate) async fn send_and_tell(
        &self,
        mut commands: Vec<Command>,
        told: Vec<Command>,
        within: Duration,
    ) -> (Replies, Result<(), Error>) {
        if told.is_empty() {
            return (self.send(commands, within).await, Ok(()));
        }
        let start = runtime::now();
        let own = commands.len();
        // On a cluster it would not leave behind what moves the keys.
        let replies = if self.cluster {
            let mut replies = self.send(commands, within).await;
            let left = within.saturating_sub(start.elapsed());
            replies.extend(self.send(told, left).await);
            replies
        } else {
            commands.extend(told);
            self.send(commands, within).await
        };
        let mut replies = replies;
        let answers = replies.drain(own..).collect();
        (replies, self.heard(answers))
    }

    /// Where the server refuses it for good, that is logged, and others believe what they keep for as long as `local`
    /// says.
    fn heard(&self, answers: Replies) -> Result<(), Error> {
        for answer in answers {
            match answer.and_then(|answer| reply::int(&answer)) {
                Ok(_) => self.outages.succeeded(Step::Publication),
                Err(error) => {
                    self.outages.failed(Step::Publication, "", &error);
                    if !matches!(error.kind(), ErrorKind::Server | ErrorKind::Auth) {
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    pub(in crate::client) fn is_told(&self, key: &FullKey) -> bool {
        let by_itself = || key.is_near || key.is_tag() && self.backplane.tasks.were_begun();
        !self.is_embedded() && self.settings.backplane.unwrap_or_else(by_itself)
    }
}
