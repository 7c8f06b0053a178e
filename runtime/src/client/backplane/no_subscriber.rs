//! Where a request ends, so would a subscription: there is none.
#![allow(clippy::unused_self, reason = "as where there are subscriptions")]

use crate::client::Client;
use std::sync::Arc;

impl Client {
    pub(crate) fn listens(self: &Arc<Self>) {}
}
