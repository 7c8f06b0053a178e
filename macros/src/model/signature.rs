//! What the attributes need to know of a signature: arguments and their bindings, where the function stands,
//! and whether an attribute can stand on it.
use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{
    Attribute, FnArg, Pat, PatType, Safety, Signature,
    visit::{self, Visit},
};

use crate::{errors::Errors, function::Function, tokens::identifiers};

/// An argument other than the receiver.
#[derive(Clone)]
pub struct Argument {
    pub typed: PatType,
    /// The variables that it binds, of which `Path(id): Path<u64>` has one.
    pub names: Vec<Ident>,
}

impl Argument {
    /// The argument is one variable, so its type is the type of that variable.
    pub fn is_plain(&self) -> bool {
        matches!(&*self.typed.pat, Pat::Ident(pat) if pat.subpat.is_none() && pat.by_ref.is_none())
    }
}

/// Where the function stands, which decides what can stand beside it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Module,
    /// In an `impl`, with a receiver.
    Method,
    /// In an `impl`, without one.
    Associated,
}

pub fn arguments(sig: &Signature) -> Vec<Argument> {
    let typed = sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(typed) => Some(typed.clone()),
        FnArg::Receiver(_) => None,
    });
    typed
        .map(|typed| Argument {
            names: bindings(&typed.pat),
            typed,
        })
        .collect()
}

fn bindings(pat: &Pat) -> Vec<Ident> {
    struct Bindings(Vec<Ident>);
    impl<'ast> Visit<'ast> for Bindings {
        fn visit_pat_ident(&mut self, pat: &'ast syn::PatIdent) {
            if binds(pat) {
                self.0.push(pat.ident.clone());
            }
            visit::visit_pat_ident(self, pat);
        }
    }
    let mut found = Bindings(Vec::new());
    found.visit_pat(pat);
    found.0
}

/// `None` and unit structs look like bindings to the parser.
pub fn binds(pat: &syn::PatIdent) -> bool {
    pat.subpat.is_some()
        || pat.by_ref.is_some()
        || !pat.ident.to_string().starts_with(char::is_uppercase)
}

/// A receiver or `Self` shows an `impl`; `written` is what the attribute says, where `Self` may stand too.
pub fn place(function: &Function, written: TokenStream, in_impl: bool) -> Place {
    if function.sig.receiver().is_some() {
        return Place::Method;
    }
    let sig = &function.sig;
    let has_self = |tokens: TokenStream| identifiers(tokens).contains("Self");
    let body = identifiers(function.body.stream());
    // In a body, `Self` may belong to an `impl` that stands in it.
    let body_shows = body.contains("Self")
        && !["impl", "trait", "struct", "enum", "union"]
            .iter()
            .any(|word| body.contains(*word));
    if in_impl || body_shows || has_self(quote!(#sig)) || has_self(written) {
        return Place::Associated;
    }
    Place::Module
}

/// As [`check_async`], where a sync fn is as good.
pub fn check_callable(function: &Function, attribute: &str, errors: &mut Errors) -> bool {
    let sig = &function.sig;
    if sig.asyncness.is_some() || is_rewritten(sig) {
        return check_async(function, attribute, errors);
    }
    if let Some(constness) = &sig.constness {
        errors.on(
            constness,
            format!(
                "#[{attribute}] cannot keep what a const fn returns; write `fn {}`",
                sig.ident
            ),
        );
    }
    check_arguments(sig, attribute, errors);
    true
}

/// Whether `#[async_trait]` has made a sync fn of it.
fn is_rewritten(sig: &Signature) -> bool {
    let mut lifetimes = sig.generics.lifetimes();
    lifetimes.any(|param| param.lifetime.ident == "async_trait")
}

/// Whether the rest of the signature is worth a look.
pub fn check_async(function: &Function, attribute: &str, errors: &mut Errors) -> bool {
    let sig = &function.sig;
    if sig.asyncness.is_none() {
        let is_test = |attr: &Attribute| {
            let name = attr.path().segments.last();
            name.is_some_and(|name| name.ident == "test")
        };
        // `#[tokio::test]` and `#[tokio::main]` put the body into a runtime.
        if function.attrs.iter().any(is_test)
            || identifiers(function.body.stream()).contains("block_on")
        {
            let message = format!(
                "an attribute above has made `{}` a sync fn already; write #[tokio::test] and its like below #[{attribute}]",
                sig.ident
            );
            errors.on(&sig.ident, message);
        } else if is_rewritten(sig) {
            let message = format!(
                "#[async_trait] has rewritten `{}` already; put #[{attribute}] on an async fn outside of the trait and call it from here",
                sig.ident
            );
            errors.on(&sig.ident, message);
        } else {
            let otherwise = match attribute {
                "cached" => ", or local = \"only\" to keep values in this process",
                _ => "",
            };
            errors.on(
                sig.fn_token,
                format!(
                    "#[{attribute}] needs an async fn; write `async fn {}`{otherwise}",
                    sig.ident
                ),
            );
        }
        return false;
    }
    check_arguments(sig, attribute, errors);
    true
}

/// What no attribute can handle, be the function async or not.
fn check_arguments(sig: &Signature, attribute: &str, errors: &mut Errors) {
    if let Safety::Unsafe(unsafety) = &sig.safety {
        errors.on(unsafety, format!("#[{attribute}] cannot call an unsafe fn; make `{}` safe, or annotate a safe fn that calls it", sig.ident));
    }
    let cfg = |attrs: &[Attribute]| {
        attrs
            .iter()
            .find(|attr| attr.path().is_ident("cfg"))
            .cloned()
    };
    for input in &sig.inputs {
        let (FnArg::Typed(PatType { attrs, .. }) | FnArg::Receiver(syn::Receiver { attrs, .. })) =
            input;
        if let Some(attr) = cfg(attrs) {
            errors.on(
                attr,
                "an argument that is not always there; put #[cfg] on two functions instead",
            );
        }
    }
}
