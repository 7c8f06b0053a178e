//! Walking through the keys of a prefix, which are given up one after the other: for what is owed under more keys
//! than can be remembered.

use super::Client;
use super::delivery::MOST_AT_ONCE;
use super::owed::{NextWalk, Walk};
use crate::error::Error;
use crate::key::{FullKey, is_beside};
use crate::store::command::{Command, Effect};
use crate::store::glob;
use bytes::Bytes;
use std::time::Duration;

/// How many keys the server examines for one page. Each page is one command.
const PAGE: &str = "1000";

impl Client {
    /// Which prefix is to be walked through. On Redis Cluster each node walks through its own keys only, so
    /// there prefixes stay owed: this process believes nothing under them.
    pub(super) fn next_walk(&self) -> NextWalk {
        if self.cluster {
            return NextWalk::None;
        }
        self.pending
            .next_walk(self.settings.clock.monotonic(), self.settles_after())
    }

    /// After how long no load is under way that may still be stored: it would have taken half the life of a
    /// guard. Keys that a walk does not find may be stored by one.
    fn settles_after(&self) -> Duration {
        self.settings.guard_life / 2
    }

    /// Gives up what is owed under a prefix.
    pub(super) async fn walk(&self, walk: &Walk) -> Result<(), Error> {
        // What has no prefix is looked for among all keys.
        let prefix = if walk.prefix.is_empty() || walk.is_of_all() {
            self.named("").into_owned()
        } else {
            String::from_utf8_lossy(&walk.prefix).into_owned()
        };
        let pattern = format!("{}*", glob::escape(&prefix));
        let mut cursor = "0".to_owned();
        loop {
            let (next, page) = self.page_of_keys(&cursor, &pattern).await?;
            let owed = page
                .iter()
                .map(|key| String::from_utf8_lossy(key))
                .filter(|key| !is_beside(key))
                .filter_map(|key| self.pending.owed_under(walk, &FullKey::new(&key)));
            let owed: Vec<_> = owed.collect();
            for some in owed.chunks(MOST_AT_ONCE) {
                // What is refused for its key's sake is given up, as it is on its own.
                let (_, left, error) = self
                    .deliver(some.to_vec(), false, self.settings.budget)
                    .await;
                if let Some(error) = error.filter(|_| !left.is_empty()) {
                    return Err(error);
                }
            }
            if next == "0" {
                break;
            }
            cursor = next;
        }
        if self.pending.walked(walk, self.settles_after()) {
            tracing::info!("every prefix of undelivered invalidations has been walked through");
        }
        Ok(())
    }

    /// A page of the keys that match a pattern, and the next cursor; `0` says that it was the last.
    pub(crate) async fn page_of_keys(
        &self,
        cursor: &str,
        pattern: &str,
    ) -> Result<(String, Vec<Bytes>), Error> {
        let scan = ["SCAN", cursor, "MATCH", pattern, "COUNT", PAGE].map(str::to_owned);
        let reply = self.one(Command::new(Effect::Read, scan)).await?;
        reply.parse()
    }
}
