//! What every engine is: something that sends batches.

use super::batch::{Batch, Replies};
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
use super::command::Command;
use super::sending::Sending;
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
use super::subscription::{Listener, unsupported};
#[cfg(not(target_arch = "wasm32"))]
use crate::clock::Moment;
use crate::error::Error;
#[cfg(not(target_arch = "wasm32"))]
use crate::limit::{
    algorithm::{Held, Verdict},
    script::Taking,
};
use crate::runtime::BoxFuture;
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
use crate::runtime::Instant;
use bytestring::ByteString;
use std::time::Duration;

/// Sends batches. A reply for each command, in order: one that failed never fails its neighbours.
pub(crate) trait Store: Send + Sync + 'static {
    /// The commands of one batch stay together and in order. Dropping the future stops the waiting,
    /// never a request that others share.
    fn send(&self, batch: Batch) -> BoxFuture<Replies>;

    /// The same, begun now, by whoever is about to poll it: what is under way belongs to the runtime of this moment.
    /// Where the engine has a shorter way, it takes no box.
    fn start(&self, batch: Batch) -> Sending {
        Sending::boxed(self.send(batch))
    }

    /// The same of one command, whose caller began to wait just now.
    #[cfg(all(
        any(feature = "upstash", feature = "redis"),
        not(target_arch = "wasm32")
    ))]
    fn start_one(&self, command: Command, _asked: Instant, within: Duration) -> Sending {
        self.start(Batch {
            commands: vec![command],
            within,
        })
    }

    /// Listens to a channel until that ends, and returns why. Dropped, it listens no more.
    #[cfg(all(
        any(feature = "upstash", feature = "redis"),
        not(target_arch = "wasm32")
    ))]
    fn listen(&self, _listener: Listener) -> BoxFuture<Error> {
        Box::pin(std::future::ready(unsupported()))
    }

    /// What stands behind the name of a channel, where several databases of a server share their channels.
    fn channel_suffix(&self) -> String {
        String::new()
    }

    /// For how long a proof of a subscription counts, unless settings say otherwise: where each costs a command, for
    /// longer.
    fn silence(&self) -> Duration {
        Duration::from_secs(5)
    }

    /// Why nothing is sent at the moment, where that is so.
    fn outage(&self) -> Option<Error> {
        None
    }

    /// Whether it is a part of this process, and keys age by its clocks.
    fn is_embedded(&self) -> bool {
        false
    }

    /// Whether a Tokio runtime must carry what is sent.
    fn needs_runtime(&self) -> bool {
        true
    }

    /// What it is and where, for the log: never a token or a password.
    fn place(&self) -> String {
        "embedded in this process".to_owned()
    }

    /// What an engine in this process takes from one budget, as the script of limits does, without commands.
    /// `now` is the time of the limit, `read` what the clocks say.
    #[cfg(not(target_arch = "wasm32"))]
    fn take(
        &self,
        _taking: &Taking<'_>,
        _now: u64,
        _read: Moment,
    ) -> Option<Result<(Verdict, Held), Error>> {
        None
    }

    /// What an engine in this process can say at once of a value that is there. It counts as a
    /// command only then.
    fn peek(&self, _key: &[u8]) -> Option<ByteString> {
        None
    }
}
