//! Which part of a type keeps it from being cached, so that the compiler names that and not what is around it:
//! `User` rather than `Vec<User>`.

use crate::cache::{CacheValue, CacheableKind, ReturnKind, SharedError, never};
use std::fmt;
use std::marker::PhantomData;

/// A kind and what is not stored of it.
type Rest<K> = (K, fn(&<K as ReturnKind>::Value) -> bool);

/// A part of the value of a kind, as it is spelled in the return type. `(&&&&part).checked()` is what it was made of
/// where the whole or this part can be cached.
pub struct Part<P: ?Sized, K: ReturnKind> {
    rest: Rest<K>,
    part: PhantomData<P>,
}

impl<P: ?Sized, K: ReturnKind> Part<P, K> {
    /// The part `P`.
    pub const fn new(kind: K, unless: fn(&K::Value) -> bool) -> Self {
        Self {
            rest: (kind, unless),
            part: PhantomData,
        }
    }
}

impl<P: ?Sized, K: ReturnKind> fmt::Debug for Part<P, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Part")
    }
}

/// The whole can be cached.
pub trait ViaWhole {
    /// The kind.
    type Kind: ReturnKind;
    /// The kind, and what is not stored of it.
    fn checked(&self) -> Rest<Self::Kind>;
}

impl<P: ?Sized, K: ReturnKind> ViaWhole for &&&Part<P, K>
where
    K::Value: CacheValue,
{
    type Kind = K;

    fn checked(&self) -> Rest<K> {
        self.rest
    }
}

/// It is not this part.
pub trait ViaSoundPart {
    /// The kind.
    type Kind: ReturnKind;
    /// The kind, and what is not stored of it.
    fn checked(&self) -> Rest<Self::Kind>;
}

impl<P: CacheValue, K: ReturnKind> ViaSoundPart for &&Part<P, K> {
    type Kind = K;

    fn checked(&self) -> Rest<K> {
        self.rest
    }
}

/// It is this part.
pub trait ViaLackingPart {
    /// The kind.
    type Kind: ReturnKind;
    /// The kind, and what is not stored of it.
    fn checked(&self) -> Rest<Self::Kind>;
}

impl<P, K: ReturnKind> ViaLackingPart for &Part<P, K> {
    type Kind = Lacking<P, K>;

    fn checked(&self) -> Rest<Lacking<P, K>> {
        (Lacking(self.rest.0, PhantomData), never)
    }
}

/// What has no size is no value by itself.
pub trait ViaUnsizedPart {
    /// The kind.
    type Kind: ReturnKind;
    /// The kind, and what is not stored of it.
    fn checked(&self) -> Rest<Self::Kind>;
}

impl<P: ?Sized, K: ReturnKind> ViaUnsizedPart for Part<P, K> {
    type Kind = K;

    fn checked(&self) -> Rest<K> {
        self.rest
    }
}

/// A return kind of which a part cannot be cached. Nothing of this type ever runs.
pub struct Lacking<P, K>(K, PhantomData<fn() -> P>);

impl<P, K: Copy> Clone for Lacking<P, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P, K: Copy> Copy for Lacking<P, K> {}

impl<P, K> fmt::Debug for Lacking<P, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lacking")
    }
}

impl<P, K: ReturnKind> ReturnKind for Lacking<P, K> {
    type Return = K::Return;
    type Value = P;
    type Error = K::Return;

    fn split(self, returned: K::Return) -> Result<P, K::Return> {
        Err(returned)
    }

    fn success(self, _value: P) -> K::Return {
        unreachable!("what cannot be cached does not compile")
    }

    fn failure(self, error: K::Return) -> K::Return {
        error
    }
}

#[diagnostic::do_not_recommend]
impl<P, K: ReturnKind> CacheableKind for Lacking<P, K> {
    fn share(_error: &K::Return) -> Option<SharedError> {
        None
    }

    fn take(_error: &SharedError) -> Option<K::Return> {
        None
    }
}
