//! `invalidate_user!`: a macro of the user's choice of name, in the place where the function stands.
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::{Path, Visibility, ext::IdentExt};

use super::attributes::{kept_attributes, visibility};
use crate::{expand::spans::generated, function::Function, model::cache::Cache, tokens::respanned};

/// The macro is found by a name that no other has, and given its public one by an import. An alias of the
/// companion comes with that import, so that the macro can name it wherever it is used.
pub fn expand(cache: &Cache, companion: &Ident, invalidate: &Ident) -> TokenStream {
    let span = generated(invalidate.span());
    let cfgs = kept_attributes(&cache.function, &["cfg"]);
    let vis = visibility(&cache.function, span);
    let companion = respanned(companion, span);
    let invalidate = respanned(invalidate, span);
    let hidden = format_ident!(
        "__{}_{:016x}",
        invalidate.unraw(),
        place(cache.function.sig.ident.span()),
        span = span
    );
    let is_public = matches!(cache.function.vis, Visibility::Public(_));
    let export = is_public.then(|| quote_spanned!(span=> #[macro_export]));
    quote_spanned! {span=>
        #(#cfgs)*
        #[doc(hidden)]
        #export
        macro_rules! #hidden {
            ($($argument:expr),* $(,)?) => { <#invalidate>::invalidate($($argument),*) };
        }
        #(#cfgs)*
        #[doc(hidden)]
        #vis use #hidden as #invalidate;
        #(#cfgs)*
        #[doc(hidden)]
        #vis type #invalidate = #companion;
    }
}

/// In the place of a macro that could not be made, so that its callers are not blamed.
pub fn stub(runtime: &Path, function: &Function, name: &Ident) -> TokenStream {
    let span = generated(name.span());
    let name = respanned(name, span);
    let hidden = format_ident!(
        "__{}_{:016x}",
        name.unraw(),
        place(name.span()),
        span = span
    );
    let vis = match &function.vis {
        Visibility::Public(_) => quote_spanned!(span=> pub(crate)),
        other => other.to_token_stream(),
    };
    quote_spanned! {span=>
        macro_rules! #hidden {
            ($($argument:tt)*) => {{
                fn missing() -> #runtime::Invalidation { ::core::unreachable!() }
                missing()
            }};
        }
        #vis use #hidden as #name;
    }
}

/// A number for the place of the function in the source: exported macros share one name space.
fn place(at: Span) -> u64 {
    if !proc_macro::is_available() {
        return 0;
    }
    let (attribute, name) = (proc_macro::Span::call_site(), at.unwrap());
    let text = [attribute, name]
        .map(|span| format!("{}:{}:{}", span.file(), span.line(), span.column()))
        .join(" ");
    // FNV-1a: stable between builds.
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
