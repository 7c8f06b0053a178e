//! The values that are in the store too: whoever writes there removes them here. All of it is reached by pointers that
//! a function with `local = "5s"` sets before its first load, so that a program without one does not contain it.

use super::name::{Name, OwnedName};
use super::{Local, SharedCode};
use crate::key::FAMILY;

static SHARED: SharedCode = SharedCode {
    changed: Local::shared_changed,
    outdate: |local, key| {
        let name = Name::shared(key);
        if local.is_there(name) {
            local.remove(name);
        }
    },
    forget_where: Local::remove_shared_where,
};

impl Local {
    /// From here on values are kept that are in the store too. To be called before the sample of the first: what is
    /// written before that is seen by its read, or is answered later.
    pub(crate) fn keeps_shared(&self) {
        self.shared.get_or_init(|| &SHARED);
    }

    /// The value or the tag of this name, as the store has it, changes: the value is removed, and loads that are under
    /// way are not kept.
    pub(crate) fn changed(&self, name: &str) {
        if let Some(shared) = self.shared.get() {
            (shared.changed)(self, name);
        }
    }

    fn shared_changed(&self, name: &str) {
        let (_, key) = name.split_at_checked(self.namespace).unwrap_or_default();
        if key.starts_with(FAMILY) {
            // It moves first, as in the store: whoever sees a tag that has moved sees that the family has.
            let family = self.namespace + FAMILY.len();
            self.move_tag(name.get(..family).unwrap_or_default());
        }
        self.remove(Name::shared(key));
    }

    /// Removes the value of this key where there is one, since a newer one is in the store.
    pub(crate) fn outdate(&self, key: &str) {
        if let Some(shared) = self.shared.get() {
            (shared.outdate)(self, key);
        }
    }

    /// Removes every value whose key this holds for, and keeps loads that are under way from being kept.
    pub(crate) fn forget_where(&self, matches: impl Fn(&str) -> bool) {
        if let Some(shared) = self.shared.get() {
            (shared.forget_where)(self, &matches);
        }
    }

    fn remove_shared_where(&self, matches: &dyn Fn(&str) -> bool) {
        self.stripes.move_all();
        let Some(values) = self.values.get() else {
            return;
        };
        let names = values.iter().map(|(name, _)| name);
        let names: Vec<OwnedName> = names
            .filter(|name| name.is_shared() && name.with_key(matches))
            .collect();
        // One by one, so that destructors of the user's run without a lock.
        for name in names {
            values.remove(&name);
        }
    }
}
