//! One try to take a lock.

use super::guard::LockGuard;
use super::held::HeldLock;
use super::release::{Sending, release_later};
use super::target::LockTarget;
use crate::error::Error;
use crate::key::{FENCE, FullKey, beside};
use crate::random;
use crate::reply::{int, no_reply, unread};
use crate::runtime::RuntimeHandle;
use crate::store::command::{Command, Effect, Reply, Script};
use crate::ttl::lifetime;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// After how long another look is due at a lock that says nothing of its lifetime.
const UNKNOWN: Duration = Duration::from_secs(1);

/// How long after a lock was last taken its number is remembered, in ms: 30 days. After that, numbers go
/// on from the clock, so they still grow unless clocks differ by as much.
const NUMBER_LIFE: &str = "2592000000";

/// The latest time, in microseconds, that numbers go on from: the year 2112. Up to 2^53 they are exact in
/// Lua, so after a clock that is far ahead there is as much room again for numbers that grow by one.
const LATEST: u64 = 1 << 52;

/// What came of one look.
pub(super) enum Look {
    Taken(LockGuard),
    /// Somebody else has it, for that long unless it is extended.
    Held(Duration),
}

/// One try to take the lock. What it may have taken is given back when it is dropped half-way.
pub(super) struct Attempt<'a> {
    target: &'a LockTarget,
    full: FullKey,
    token: Bytes,
    /// The command, as long as its answer is out.
    sending: Option<Sending>,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(target: &'a LockTarget) -> Result<Self, Error> {
        target.key.check()?;
        Ok(Self {
            target,
            full: target.full(),
            token: random::nonce().into(),
            sending: None,
        })
    }

    pub(super) async fn make(mut self) -> Result<Look, Error> {
        let LockTarget {
            client, key, ttl, ..
        } = self.target;
        let number = beside(&client.name(key), FENCE);
        // Finer than a lock can change hands, so that numbers do not run ahead of the clock.
        let least = client.settings.clock.unix_us().min(LATEST);
        let command = Command::script(
            Script::Lock,
            // With the same token: taking it twice is taking it once.
            Effect::Repeatable,
            [self.full.value.clone(), number.into()],
            [
                self.token.clone(),
                lifetime(self.target.options.first(*ttl))?,
                least.to_string().into(),
                Bytes::from_static(NUMBER_LIFE.as_bytes()),
            ],
        );
        let sent = client.settings.clock.now();
        let sending: Sending = {
            let (client, key, full) = (Arc::clone(client), key.clone(), self.full.clone());
            Box::pin(async move { client.on_key(&key, &full, command).await })
        };
        let reply = self.sending.insert(sending).as_mut().await;
        self.sending = None;
        let answer = reply.and_then(|reply| answer(&reply).map_err(|error| unread(&error)));
        // After an error of the server's own, nothing was taken.
        if matches!(&answer, Err(error) if error.may_have_run()) {
            self.give_back(None);
        }
        let (taken, number) = answer?;
        if !taken {
            // A lock without a lifetime, which others may have made, answers less than 0.
            let left = u64::try_from(number).map_or(UNKNOWN, Duration::from_millis);
            return Ok(Look::Held(left.max(Duration::from_millis(1))));
        }
        let held = HeldLock::new(
            self.target,
            self.full.clone(),
            self.token.clone(),
            number,
            sent,
        );
        Ok(Look::Taken(LockGuard::new(held)))
    }
}

/// Whether it was taken, and a number that goes with that.
fn answer(reply: &Reply) -> Result<(bool, i64), Error> {
    match reply {
        Reply::Array(parts) => match parts.as_slice() {
            [taken, number] => Ok((int(taken)? == 1, int(number)?)),
            _ => Err(no_reply()),
        },
        _ => Err(no_reply()),
    }
}

impl Attempt<'_> {
    fn give_back(&self, sending: Option<Sending>) {
        release_later(
            &RuntimeHandle::here(),
            self.target,
            &self.full,
            &self.token,
            sending,
        );
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Some(sending) = self.sending.take() {
            self.give_back(Some(sending));
        }
    }
}
