//! Where a request ends, so would a subscription: there is none.
#![allow(clippy::unused_self, reason = "as where there are subscriptions")]

use super::{BackplaneState, Trust};
use crate::client::Client;
use std::sync::Arc;

#[derive(Default)]
pub(super) struct Tasks {}

impl Tasks {
    pub(super) fn state(&self, _trust: &Trust) -> BackplaneState {
        BackplaneState::Unused
    }

    pub(super) fn were_begun(&self) -> bool {
        false
    }
}

impl Client {
    pub(crate) fn listens(self: &Arc<Self>) {}
}
