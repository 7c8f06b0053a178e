//! What a layer leaves in the response for one outside of it.

use crate::limit::decision::Decision;
use http::Extensions;

/// The strictest decision on the way so far.
#[derive(Clone, Debug)]
struct Told(Decision);

/// What was decided further inside.
pub(super) fn inner(extensions: &Extensions) -> Option<Decision> {
    extensions
        .get::<Told>()
        .map(|Told(decision)| decision.clone())
}

/// Leaves the decision for whoever is outside.
pub(super) fn leave(extensions: &mut Extensions, decision: Decision) {
    extensions.insert(Told(decision));
}
