//! At the edge what is begun has to be a task, for which the request waits: no caller polls a delivery.

use crate::store::turn::Turn;
use std::sync::Arc;
use std::task::{Context, Waker};

pub(super) enum Attended {}

impl Attended {
    pub(super) fn is_of(&self, _: &Arc<Turn>) -> bool {
        match *self {}
    }

    pub(super) fn poll(&self, _: &mut Context<'_>) -> bool {
        match *self {}
    }

    pub(super) fn claim(&self) {
        match *self {}
    }

    pub(super) fn leave(&self) -> Option<Waker> {
        match *self {}
    }

    pub(super) fn end(&self) {
        match *self {}
    }
}
