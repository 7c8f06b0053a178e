//! Descriptions to tokens. The only place that says `quote!`, and it decides nothing.
use proc_macro2::TokenStream;
use quote::quote;

use crate::{function::Function, model::refused::Refused};

mod asked;
pub mod batch;
mod body;
pub mod cache;
mod cached_function;
mod callee;
mod catalogue;
mod companion;
mod function_number;
pub mod key;
pub mod limit;
mod local;
pub mod mutation;
mod spans;
mod stale;
pub mod tag;
#[cfg(test)]
mod tests;

/// Reads the function, checks, expands. A mistake leaves the function as it was, beside its errors.
pub fn attribute<Model>(
    options: TokenStream,
    item: &TokenStream,
    check: impl FnOnce(TokenStream, Function) -> Result<Model, Refused>,
    expand: impl FnOnce(&Model) -> TokenStream,
) -> TokenStream {
    let function = syn::parse2::<Function>(item.clone()).map_err(Refused::from);
    match function.and_then(|function| check(options, function)) {
        Ok(model) => expand(&model),
        Err(Refused { errors, missing }) => {
            let errors = errors.into_compile_error();
            let missing = missing.as_deref().map(companion::stand_in);
            quote!(#item #errors #missing)
        }
    }
}
