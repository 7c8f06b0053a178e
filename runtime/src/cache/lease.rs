//! The right to load a key for all processes, as a load has it: what is behind it is not in every program.

/// A lease. Dropped, it ends.
pub(super) trait EndsLease {
    /// The load ends without a value that others find.
    fn without_value(&mut self);
    /// The body runs in a task of its own.
    fn in_background(&mut self);
}

#[cfg(not(target_arch = "wasm32"))]
pub(super) type Lease = dyn EndsLease + Send + Sync;
#[cfg(target_arch = "wasm32")]
pub(super) type Lease = dyn EndsLease;
