//! What a call is asked for with, wherever values are kept: under which condition, for which type, and as what.
use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;

use super::body::return_kind;
use crate::model::cache::{Cache, SharedErrors};

pub struct Asked {
    /// Around the cache unless this holds.
    pub when: Option<TokenStream>,
    /// `let owner`: the type whose associated function it is.
    pub names_owner: Option<TokenStream>,
    /// Says so of a call.
    pub owner: Option<TokenStream>,
    /// How the return type is taken apart.
    pub kind: TokenStream,
}

impl Asked {
    pub fn of(cache: &Cache) -> Self {
        let Cache {
            runtime,
            output,
            when,
            compares_self,
            errors,
            ..
        } = cache;
        let when = when
            .as_ref()
            .map(|when| quote_spanned!(Span::mixed_site()=> .when(#when)));
        let kind = if *errors == SharedErrors::Cloned {
            "kind"
        } else {
            "kind_unshared"
        };
        Self {
            when,
            // Once: at another place the same name may have another address.
            names_owner: compares_self.then(|| {
                quote_spanned!(Span::mixed_site()=> let owner = ::core::any::type_name::<Self>();)
            }),
            owner: compares_self.then(|| quote_spanned!(Span::mixed_site()=> .of(owner))),
            kind: return_kind(runtime, output, kind),
        }
    }
}
