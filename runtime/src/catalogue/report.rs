//! The log of functions that can use the same keys.

use super::check::{Collision, collision, pairs};
use super::collect;
use crate::cache::reported;
use std::sync::Once;

/// Logs every pair, at the first use of the cache of the process.
pub(crate) fn report_once() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let catalogue = collect::catalogue();
        for (one, other, is_equal) in pairs(&catalogue.compared) {
            let types = (one.value(), other.value());
            let is_error = match types {
                (Some(one), Some(other)) => is_equal && one != other,
                // The first calls tell the types, and whether this is an error.
                _ if is_equal => continue,
                _ => false,
            };
            reported(one.function, other.function);
            let Collision {
                functions: [function, other_function],
                places: [place, other_place],
                keys: [key, other_key],
            } = collision(one, other);
            if is_error {
                tracing::error!(
                    %function, %place, %key, %other_function, %other_place, %other_key,
                    value_type = types.0, other_value_type = types.1,
                    "two functions cache different types under the same keys; give one of them another prefix or \
                     key"
                );
            } else {
                tracing::warn!(
                    %function, %place, %key, %other_function, %other_place, %other_key,
                    "two functions can use the same key, and each then returns what the other stored; give one \
                     of them another prefix or key, or write `shares` on it if that is meant"
                );
            }
        }
    });
}
