//! Why a value cannot be represented as JSON.

use serde::ser;
use std::fmt;

/// Why there is no JSON for a value.
#[derive(Debug)]
pub(crate) struct JsonError(pub(super) String);

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for JsonError {}

impl ser::Error for JsonError {
    // The message is left behind: it comes from the type's own `Serialize` and may quote the value.
    fn custom<T: fmt::Display>(_message: T) -> Self {
        Self("its Serialize failed".into())
    }
}
