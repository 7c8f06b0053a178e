//! What `with_status` tells of a call that is answered by what this process keeps.

use crate::cache::call_mode;
use crate::cache::{CallStatus, Tier};
use crate::local::Name;
use crate::pond::Millpond;
use crate::scope;

/// A call was answered by what is kept, and its caller wants to know.
#[cold]
pub(super) fn report_hit(name: Name<'_>, pond: Option<&Millpond>, is_null: bool) {
    let age = |pond: &Millpond| pond.0.cache.local.known(name).map(|known| known.age);
    let age = match pond {
        Some(pond) => age(pond),
        None => scope::with_current(age),
    };
    let (_, reporting) = call_mode::take();
    reporting.say(|| CallStatus::found(is_null, Tier::Local, age));
}
