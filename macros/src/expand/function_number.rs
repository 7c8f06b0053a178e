//! The number of a function whose values stay in this process: they are kept under it.
use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::Path;

use super::callee::Member;
use crate::{
    model::{cache::Cache, companion::Companion},
    tokens::respanned,
};

/// The number, from the companion where there is one.
pub fn referred(cache: &Cache) -> TokenStream {
    match &cache.companion {
        Companion::None => in_place(&cache.runtime),
        Companion::Beside { name, .. } => {
            let name = respanned(name, Span::mixed_site());
            quote_spanned!(Span::mixed_site()=> #name::number())
        }
        Companion::Within { name, .. } => {
            let name = Member::Number.beside(name, Span::mixed_site());
            quote_spanned!(Span::mixed_site()=> Self::#name())
        }
    }
}

pub fn in_place(runtime: &Path) -> TokenStream {
    quote_spanned! {Span::mixed_site()=>
        {
            static NUMBER: #runtime::__private::FunctionNumber =
                #runtime::__private::FunctionNumber::new();
            &NUMBER
        }
    }
}
