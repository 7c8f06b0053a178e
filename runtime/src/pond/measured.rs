//! What the recorder of the process learns of one `Millpond`.

use crate::client::Client;
use crate::client::backplane::BackplaneState;
use crate::local::{Local, LocalHits};
use crate::metrics::{Source, Totals, add};
use crate::stats::{LimitRegistry, Registry};
use std::sync::{Arc, Weak};

struct Measured {
    client: Weak<Client>,
    local: Weak<Local>,
    cache: Arc<Registry>,
    local_hits: Arc<LocalHits>,
    limits: Arc<LimitRegistry>,
}

/// Counts this one from now on, as long as a handle or a task of it is left.
pub(super) fn measure(client: &Arc<Client>, local: &Arc<Local>, limits: &Arc<LimitRegistry>) {
    add(Arc::new(Measured {
        client: Arc::downgrade(client),
        local: Arc::downgrade(local),
        cache: Arc::clone(&client.registry),
        local_hits: Arc::clone(local.hits()),
        limits: Arc::clone(limits),
    }));
}

impl Source for Measured {
    fn is_alive(&self) -> bool {
        self.client.strong_count() > 0
    }

    fn count(&self, totals: &mut Totals) {
        totals.add_cache(&self.cache);
        totals.add_local_hits(&self.local_hits.by_prefix());
        totals.add_limits(&self.limits);
    }

    fn gauge(&self, totals: &mut Totals) {
        if let Some(client) = self.client.upgrade() {
            totals.pending += client.pending.len();
            totals.circuit_open |= client.outage().is_some();
            let backplane = client.backplane.state();
            totals.backplane_untrusted |= matches!(backplane, BackplaneState::Untrusted(_));
        }
        if let Some(local) = self.local.upgrade() {
            totals.local_bytes += local.bytes();
        }
    }
}
