//! What a load remembers for the local tier. The load knows no more of it than how to drop it.

use std::any::Any;

pub(super) type Near = dyn Any + Send + Sync;
