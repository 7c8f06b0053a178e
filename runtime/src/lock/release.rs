//! Giving back what was taken, or may have been.

use super::target::LockTarget;
use crate::error::Error;
use crate::key::FullKey;
use crate::random;
use crate::runtime::{BoxFuture, RuntimeHandle, sleep};
use crate::store::command::{Command, Effect, Reply, Script};
use bytes::Bytes;
use std::time::Duration;

/// The pause before a release is tried again; each one after that is four times as long.
const FIRST_RELEASE_PAUSE: Duration = Duration::from_millis(25);

/// How often a release in the background is tried, over about ten seconds.
const RELEASES: u32 = 5;

/// A command under way.
pub(super) type Sending = BoxFuture<Result<Reply, Error>>;

pub(super) fn if_ours(full: &FullKey, token: &Bytes, command: &[Bytes]) -> Command {
    let args = std::iter::once(token).chain(command).cloned();
    Command::script(
        Script::IfEqual,
        Effect::Repeatable,
        [full.value.clone()],
        args,
    )
}

/// Gives back in the background what may have been taken, or may yet be by a command that is under way:
/// it comes to its end first, lest it take the lock afterwards. Without a runtime it runs out by itself.
pub(super) fn release_later(
    runtime: &RuntimeHandle,
    target: &LockTarget,
    full: &FullKey,
    token: &Bytes,
    sending: Option<Sending>,
) {
    let command = if_ours(full, token, &[Bytes::from_static(b"DEL")]);
    let (target, full) = (target.clone(), full.clone());
    let release = target.queues.release();
    runtime.spawn(async move {
        let _release = release;
        if let Some(sending) = sending {
            let _ = sending.await;
        }
        let mut pause = FIRST_RELEASE_PAUSE;
        for left in (0..RELEASES).rev() {
            let LockTarget { client, key, .. } = &target;
            match client.on_key(key, &full, command.clone()).await {
                Err(error) if left > 0 && (error.is_retryable() || error.may_have_run()) => {
                    sleep(random::jitter(pause)).await;
                    pause *= 4;
                }
                Err(error) => {
                    let prefix = key.prefix();
                    tracing::debug!(prefix, %error, "a lock was not released and will expire");
                    break;
                }
                Ok(_) => break,
            }
        }
        target.free();
    });
}
