//! A read that leads nobody yet. It takes a place in the table and nothing else; the first who joins makes a flight of
//! it, whose leader it is.

use super::entry::Entry;
use super::leader::Leader;
use super::state::Flight;
use super::table::Table;
use crate::cache::liveness::Liveness;
use crate::runtime::Instant;
use bytes::Bytes;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

/// Such a read, which left when it began: nobody who joins may have what it finds. Dropping it ends it, and hands over to
/// who has joined.
pub(crate) struct Glancing {
    table: Arc<Table>,
    key: Bytes,
    number: u64,
    is_over: bool,
}

/// What became of the place of such a read.
pub(crate) enum Place {
    /// Nobody has joined.
    Own,
    /// Others have, and this leads them.
    Leads(Leader),
    /// An invalidation took it, or somebody who waited longer than a leader may be silent.
    Gone,
}

impl Glancing {
    /// One that this wakes, if nothing stands under the key.
    pub(super) fn begin(table: Arc<Table>, key: &Bytes, waker: &Waker) -> Option<Self> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        {
            let mut shard = table.shard(key);
            if shard.contains_key(key) {
                return None;
            }
            let waker = waker.clone();
            shard.insert(key.clone(), Entry::Glance { number, waker });
        }
        Some(Self {
            table,
            key: key.clone(),
            number,
            is_over: false,
        })
    }

    /// It goes on, and is woken by this. Where somebody has joined, the lead comes back.
    pub(crate) fn goes_on(&mut self, waker: &Waker) -> Option<Leader> {
        let replaced = {
            let mut shard = self.table.shard(&self.key);
            match shard.get_mut(&self.key) {
                Some(Entry::Glance {
                    number,
                    waker: known,
                }) if *number == self.number => {
                    (!known.will_wake(waker)).then(|| mem::replace(known, waker.clone()))
                }
                Some(Entry::Flight { flight, reader }) => {
                    let reader = taken(reader, self.number);
                    let lead = reader.map(|reader| (Arc::clone(flight), reader));
                    drop(shard);
                    return lead.map(|lead| self.leader(lead));
                }
                _ => None,
            }
        };
        // Only now: it may own a task, whose futures may come back here when they are dropped.
        drop(replaced);
        None
    }

    /// It is over, with nothing for others.
    pub(crate) fn end(mut self) -> Place {
        self.leave()
    }

    /// It goes on as a load, which leads its flight from now on.
    pub(crate) fn lead(mut self, now: Instant) -> Place {
        let table = Arc::clone(&self.table);
        let mut shard = table.shard(&self.key);
        if let Some(entry) = shard.get_mut(&self.key)
            && matches!(entry, Entry::Glance { number, .. } if *number == self.number)
        {
            entry.joined(|| table.begin(&self.key, now));
        }
        drop(shard);
        self.leave()
    }

    fn leave(&mut self) -> Place {
        self.is_over = true;
        let mut shard = self.table.shard(&self.key);
        // Nearly always it is its own, which is taken out at the first look.
        let (flight, mut reader) = match shard.remove(&self.key) {
            Some(Entry::Glance { number, waker }) if number == self.number => {
                drop(shard);
                drop(waker);
                return Place::Own;
            }
            Some(Entry::Flight { flight, reader }) => (flight, reader),
            Some(other) => {
                shard.insert(self.key.clone(), other);
                return Place::Gone;
            }
            None => return Place::Gone,
        };
        let lead = taken(&mut reader, self.number).map(|own| (Arc::clone(&flight), own));
        shard.insert(self.key.clone(), Entry::Flight { flight, reader });
        drop(shard);
        lead.map_or(Place::Gone, |lead| Place::Leads(self.leader(lead)))
    }

    fn leader(&mut self, (flight, liveness): (Arc<Flight>, Arc<Liveness>)) -> Leader {
        self.is_over = true;
        Leader::new(Arc::clone(&self.table), flight, liveness)
    }
}

impl Drop for Glancing {
    fn drop(&mut self) {
        if !self.is_over {
            drop(self.leave());
        }
    }
}

/// The leader of a flight that this read has become.
fn taken(reader: &mut Option<(u64, Arc<Liveness>)>, number: u64) -> Option<Arc<Liveness>> {
    let (_, liveness) = reader.take_if(|reader| reader.0 == number)?;
    Some(liveness)
}
