//! What is kept: 256 bytes behind an `Arc`, one of a thousand.

use serde::{Deserialize, Serialize};
use std::fmt::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) const USERS: u64 = 1_000;
/// Coprime with the number of users, so that neighbours in time are none in memory.
const STRIDE: u64 = 379;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User(pub(crate) [u64; 32]);

static LOADS: AtomicU64 = AtomicU64::new(0);

/// Stands for the database; hits do not come here.
pub(crate) fn load(id: u64) -> Arc<User> {
    LOADS.fetch_add(1, Ordering::Relaxed);
    let mut user = User([7; 32]);
    user.0[0] = id;
    Arc::new(user)
}

/// How often it was asked.
pub(crate) fn loads() -> u64 {
    LOADS.load(Ordering::Relaxed)
}

/// Which user a call asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// All of them in turn.
    Every,
    /// The same one each time.
    Same,
}

impl Asked {
    #[inline]
    pub(crate) fn id(self, call: u64) -> u64 {
        match self {
            Self::Every => call * STRIDE % USERS,
            Self::Same => 42,
        }
    }
}

/// A key that is rendered on the stack.
pub(crate) struct Rendered {
    bytes: [u8; 40],
    length: usize,
}

impl Rendered {
    #[inline]
    pub(crate) fn user(id: impl fmt::Display) -> Self {
        let (bytes, length) = ([0; 40], 0);
        let mut rendered = Self { bytes, length };
        // An id that is too long for it would be a miss, which stops the benchmark.
        let _ = write!(rendered, "user:{id}");
        rendered
    }

    #[inline]
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl Write for Rendered {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}
