//! What the embedded engine says at once: there is nothing to wait for, nothing to share.

use super::call::CachedCall;
use super::liveness;
use super::state::Cache;
use crate::client::value_tags::are_current;
use crate::codec::Opened;
use crate::key::Tag;
use crate::store::Store;
use crate::value::MARK;
use bytes::Bytes;
use bytestring::ByteString;

impl Cache {
    /// Whether the embedded engine can be asked, under keys as they are, with nothing to see to before.
    #[inline]
    pub(crate) fn can_peek(&self) -> bool {
        let client = &*self.client;
        client.is_embedded() && client.namespace().is_none() && client.pending.len() == 0
    }

    /// The plain form of a value that is there, if it is stored as such and this is no part of its load.
    #[inline]
    pub(crate) fn peek_plain(&self, name: &[u8]) -> Option<ByteString> {
        let value = self.peek_stored(name)?;
        (!value.as_bytes().starts_with(MARK)).then_some(value)
    }

    /// What is stored under a name, if this is no part of the load of its value.
    #[inline]
    fn peek_stored(&self, name: &[u8]) -> Option<ByteString> {
        if liveness::is_leading() && self.flights.leads(name) {
            return None;
        }
        let store = self.client.store.as_ref().ok()?;
        self.client.begin_event();
        store.peek(name)
    }
}

impl CachedCall {
    /// What the embedded engine can say at once: there is nothing to wait for, nothing to share.
    /// Without an answer, [`enter`](Self::enter).
    pub(crate) fn peek(&self) -> Option<Opened> {
        let client = &self.cache.client;
        if !client.is_embedded() {
            return None;
        }
        // What it finds is to be kept, which `enter` sees to.
        let is_kept = self.keeper.is_some();
        if is_kept || self.refresh || client.pending.len() > 0 || self.key.check().is_err() {
            return None;
        }
        let name = client.name(&self.key);
        let name = name.as_bytes();
        let value = self.cache.peek_stored(name)?.into_bytes();
        let encrypted = self.policy.encoding.encrypt;
        // What takes long is read again where others can run meanwhile.
        let opened = client.codec.open_now(name, value, encrypted)?.ok()?;
        if opened.members.is_none() && self.tags.is_empty() {
            return Some(opened);
        }
        let store = client.store.as_deref().ok()?;
        self.accepts(&opened, store).then_some(opened)
    }

    /// Whether there is nothing to do about a value but to return it: it is fresh, and its tags are current.
    fn accepts(&self, opened: &Opened, store: &dyn Store) -> bool {
        let client = &self.cache.client;
        if let Some(times) = opened.times()
            && !self.policy.windows().is_plainly_fresh(times, client.time())
        {
            return false;
        }
        let nonce = |tag: &Tag| Some(store.peek(&client.tag_key(tag).value)?.into_bytes());
        let nonces: Vec<Option<Bytes>> = self.tags.iter().map(nonce).collect();
        let Some(others) = self.tags.others(opened, &nonces) else {
            return false;
        };
        let nonces: Vec<Option<Bytes>> = others.iter().map(nonce).collect();
        are_current(opened, &others, &nonces)
    }
}
