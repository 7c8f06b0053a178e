//! The embedded engine: Redis semantics in this process, bounded, and exact under a manual clock.
//! `send` runs the batch at once under one lock and hands back a future that is ready.

mod budgets;
mod commands;
mod deadline;
mod index;
mod keyspace;
mod number;
mod scripts;
#[cfg(not(target_arch = "wasm32"))]
mod take;
mod value;

use super::command::Call;
use super::{Batch, Replies, Store};
use crate::clock::Clock;
#[cfg(not(target_arch = "wasm32"))]
use crate::clock::Moment;
#[cfg(not(target_arch = "wasm32"))]
use crate::error::Error;
#[cfg(not(target_arch = "wasm32"))]
use crate::limit::{
    algorithm::{Held, Verdict},
    script::Taking,
};
use crate::runtime::BoxFuture;
use crate::stats::Meter;
#[cfg(not(target_arch = "wasm32"))]
use crate::store::command::Purpose;
use crate::sync;
use bytes::Bytes;
use bytestring::ByteString;
use keyspace::Keyspace;
use std::fmt;
use std::sync::{Arc, Mutex};

/// A Redis in this process.
pub(crate) struct Memory {
    clock: Clock,
    meter: Arc<Meter>,
    keyspace: Mutex<Keyspace>,
}

impl Memory {
    /// An empty store that holds at most `max_bytes` of keys, values and their overhead.
    pub(crate) fn new(clock: Clock, max_bytes: usize, meter: Arc<Meter>) -> Self {
        Self {
            clock,
            meter,
            keyspace: Mutex::new(Keyspace::new(max_bytes)),
        }
    }

    fn run(&self, batch: &Batch) -> Replies {
        let count = batch
            .commands
            .iter()
            .map(|it| it.call.count())
            .sum::<usize>();
        self.meter.commands.add_len(count);
        self.meter.requests.add(1);
        let now = self.clock.now().into();
        // A panic inside would be a bug of ours; the data is still better than refusing for ever.
        let mut keyspace = sync::lock(&self.keyspace);
        keyspace.begin(now);
        batch
            .commands
            .iter()
            .map(|command| {
                keyspace.next_command(command.purpose);
                let reply = match &command.call {
                    Call::Plain(args) => commands::run(&mut keyspace, args),
                    Call::Pair([one, other]) => {
                        let name = Bytes::from_static(b"MGET");
                        commands::run(&mut keyspace, &[name, one.clone(), other.clone()])
                    }
                    Call::Script { script, keys, args } => {
                        scripts::run(&mut keyspace, *script, keys, args)
                    }
                    // The lock is held all along, so nothing comes in between.
                    Call::Transaction(all) => commands::run_all(&mut keyspace, all),
                };
                keyspace.make_room();
                reply
            })
            .collect()
    }
}

impl Store for Memory {
    fn send(&self, batch: Batch) -> BoxFuture<Replies> {
        Box::pin(std::future::ready(self.run(&batch)))
    }

    fn is_embedded(&self) -> bool {
        true
    }

    fn needs_runtime(&self) -> bool {
        false
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn take(
        &self,
        taking: &Taking<'_>,
        now: u64,
        read: Moment,
    ) -> Option<Result<(Verdict, Held), Error>> {
        self.meter.commands.add(1);
        self.meter.requests.add(1);
        let mut keyspace = sync::lock(&self.keyspace);
        keyspace.begin(read.into());
        keyspace.next_command(Purpose::Held);
        keyspace.run_even_if_full();
        let found = take::take(&mut keyspace, taking, now);
        keyspace.make_room();
        Some(found)
    }

    fn peek(&self, key: &[u8]) -> Option<ByteString> {
        // What may be over by the clocks that are read with a command is asked for by one.
        let now = self.clock.coarse().into();
        let lag = self.clock.coarse_lag().div_ceil(1_000_000);
        let value = sync::lock(&self.keyspace).peek(key, now, lag)?;
        self.meter.commands.add(1);
        self.meter.requests.add(1);
        Some(value)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
