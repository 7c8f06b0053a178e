//! The steps of a load whose value names tags by itself.

use super::load::Load;
use crate::client::outage::Step;
use crate::client::value_tags::{StoredUnder, are_current, sampled};
use crate::codec::Opened;
use crate::error::{Error, ErrorKind};
use crate::key::{FullKey, Tag};
use crate::runtime;
use bytes::Bytes;

impl Load {
    /// Whether the value that was found is current. What it names is read for that, and is then known before the body.
    pub(super) async fn accepts(&mut self, opened: &Opened) -> bool {
        let observed = self.observed.as_ref();
        let now = observed.map_or(&[][..], |observed| &observed.tags);
        let Some(others) = self.tags.others(opened, now) else {
            return false;
        };
        if others.is_empty() {
            return true;
        }
        let Some(now) = Box::pin(self.nonces_of(&others)).await else {
            return false;
        };
        let is_current = are_current(opened, &others, &now);
        self.sampled = sampled(others, now);
        is_current
    }

    /// Reads the nonces of the tags that the last value had which was not stored.
    pub(super) async fn sample(&mut self) {
        let function = self.function.as_ref();
        let Some(tags) = function.and_then(|it| it.tags_of(self.key.as_str())) else {
            return;
        };
        if let Some(now) = Box::pin(self.nonces_of(&tags)).await {
            self.sampled = sampled(tags, now);
        }
    }

    async fn nonces_of(&mut self, tags: &[Tag]) -> Option<Vec<Option<Bytes>>> {
        let client = &self.cache.client;
        let keys: Vec<FullKey> = tags.iter().map(|tag| client.tag_key(tag)).collect();
        let started = runtime::now();
        let read = client.read_nonces(&keys, &self.counters, self.budget);
        let now = self.watched(read).await;
        self.budget = self.budget.saturating_sub(started.elapsed());
        now.inspect_err(|error| self.report(Step::Read, error)).ok()
    }

    /// What the value is stored under, of which the body is over; nothing if it is not to be stored.
    pub(super) async fn stored_under(
        &mut self,
        plain: &[u8],
        seen: &[Option<Bytes>],
        life: &Bytes,
    ) -> Option<StoredUnder> {
        let started = runtime::now();
        let client = &self.cache.client;
        let rest = (life, &*self.counters, self.budget);
        let under = client.stored_under(&self.tags, plain, seen, &self.sampled, rest);
        let under = self.watched(Box::pin(under)).await;
        self.budget = self.budget.saturating_sub(started.elapsed());
        match under {
            Ok(under) => under,
            Err(error) if is_of_the_value(&error) => {
                self.unstorable(&error);
                None
            }
            Err(error) => {
                self.report(Step::Fill, &error);
                None
            }
        }
    }

    /// The value was refused, perhaps since another tag of the family moved: the next load knows its tags before.
    pub(super) fn learn(&self, learned: Vec<Tag>) {
        if let Some(function) = &self.function
            && !learned.is_empty()
        {
            function.learn_tags(self.key.as_str(), learned);
        }
    }
}

fn is_of_the_value(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidValue | ErrorKind::InvalidKey
    )
}
