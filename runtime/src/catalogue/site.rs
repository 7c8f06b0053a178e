//! What the linker collects of mutations, batch forms, tags and limits.

use crate::limit::Limit;
use std::any::TypeId;

/// A function that changes what others cache.
#[derive(Clone, Copy, Debug)]
pub struct MutationSite {
    pub(super) name: &'static str,
    pub(super) targets: &'static [MutationTarget],
}

/// One entry, or tag, that a mutation names.
#[derive(Clone, Copy, Debug)]
pub struct MutationTarget {
    pub(super) text: &'static str,
    pub(super) updates: bool,
    pub(super) companion: Option<fn() -> TypeId>,
    pub(super) method: Option<&'static str>,
}

/// A declared tag.
#[derive(Clone, Copy, Debug)]
pub struct TagSite {
    pub(super) name: &'static str,
    pub(super) template: &'static str,
    pub(super) companion: fn() -> TypeId,
}

/// A limit on a function.
#[derive(Clone, Copy, Debug)]
pub struct LimitSite {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
    pub(super) caller: &'static str,
    pub(super) limit: Option<&'static Limit>,
}

/// The batch form of a cached function.
#[derive(Clone, Copy, Debug)]
pub struct BatchSite {
    pub(super) name: &'static str,
    pub(super) of: MutationTarget,
}

inventory::collect!(BatchSite);
inventory::collect!(MutationSite);
inventory::collect!(TagSite);
inventory::collect!(LimitSite);

impl MutationSite {
    /// A mutation by its name and what it names.
    pub const fn new(name: &'static str, targets: &'static [MutationTarget]) -> Self {
        Self { name, targets }
    }
}

impl BatchSite {
    /// A batch form by its name, and whose it is.
    pub const fn new(name: &'static str, of: MutationTarget) -> Self {
        Self { name, of }
    }
}

impl MutationTarget {
    /// Something that is invalidated.
    pub const fn invalidates(text: &'static str) -> Self {
        Self {
            text,
            updates: false,
            companion: None,
            method: None,
        }
    }

    /// Something that is stored.
    pub const fn updates(text: &'static str) -> Self {
        let invalidates = Self::invalidates(text);
        Self {
            updates: true,
            ..invalidates
        }
    }

    /// The companion of a free function, or a tag.
    #[must_use]
    pub const fn companion<C: 'static>(mut self) -> Self {
        self.companion = Some(TypeId::of::<C>);
        self
    }

    /// The entry of a method.
    #[must_use]
    pub const fn method(mut self, entry: &'static str) -> Self {
        self.method = Some(entry);
        self
    }
}

impl TagSite {
    /// A tag by its name and template.
    pub const fn new<C: 'static>(name: &'static str, template: &'static str) -> Self {
        Self {
            name,
            template,
            companion: TypeId::of::<C>,
        }
    }
}

impl LimitSite {
    /// A limit by the function that it stands on, as it is written, for these callers.
    pub const fn new(name: &'static str, text: &'static str, caller: &'static str) -> Self {
        Self {
            name,
            text,
            caller,
            limit: None,
        }
    }

    /// The limit that the compiler worked out.
    #[must_use]
    pub const fn known(mut self, limit: &'static Limit) -> Self {
        self.limit = Some(limit);
        self
    }
}
