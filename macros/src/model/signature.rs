//! What the attributes need to know of a signature: arguments and their bindings, where the function
//! stands, and whether what it returns can be kept.
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{
    Attribute, FnArg, GenericArgument, Pat, PatType, Path, PathArguments, ReturnType, Safety,
    Signature, Type,
    ext::IdentExt,
    visit::{self, Visit},
};

use crate::{
    errors::Errors,
    function::{Function, identifiers},
};

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

/// Whether the rest of the signature is worth a look.
pub fn check_async(function: &Function, attribute: &str, errors: &mut Errors) -> bool {
    let sig = &function.sig;
    if sig.asyncness.is_none() {
        let is_rewritten = sig
            .generics
            .lifetimes()
            .any(|param| param.lifetime.ident == "async_trait");
        if is_rewritten {
            let message = format!(
                "#[async_trait] has rewritten `{}` already; put #[{attribute}] on an async fn outside of the trait and call it from here",
                sig.ident
            );
            errors.on(&sig.ident, message);
        } else {
            errors.on(
                sig.fn_token,
                format!(
                    "#[{attribute}] needs an async fn; write `async fn {}`",
                    sig.ident
                ),
            );
        }
        return false;
    }
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
    true
}

/// The type after `->`; a missing one is `()`.
pub fn output(sig: &Signature) -> Option<&Type> {
    match &sig.output {
        ReturnType::Default => None,
        ReturnType::Type(_, output) => Some(output),
    }
}

/// What is stored has to outlive the call, so it can neither borrow nor hide its type.
pub fn check_owned(output: &Type, errors: &mut Errors) {
    if let Some(hidden) = hidden(output) {
        errors.on(
            hidden,
            "`impl Trait` cannot be stored; write the type itself",
        );
        return;
    }
    let value = value_type(output);
    if let Some(reference) = borrowed(value) {
        let owned = match &*reference.elem {
            Type::Path(path) if path.path.is_ident("str") => "String".to_owned(),
            Type::Slice(slice) => format!("Vec<{}>", text(&slice.elem)),
            other => text(other),
        };
        errors.on(
            reference,
            format!("a cached value cannot be borrowed; write `{owned}`"),
        );
    } else if let Some(lifetime) = lifetime(value) {
        errors.on(
            lifetime,
            "a cached value cannot be borrowed; write a type without this lifetime, or 'static",
        );
    }
}

/// An `impl Trait` in the type.
pub fn hidden(output: &Type) -> Option<&Type> {
    struct Hidden<'ast>(Option<&'ast Type>);
    impl<'ast> Visit<'ast> for Hidden<'ast> {
        fn visit_type(&mut self, ty: &'ast Type) {
            if matches!(ty, Type::ImplTrait(_)) {
                self.0 = self.0.or(Some(ty));
            }
            visit::visit_type(self, ty);
        }
    }
    let mut found = Hidden(None);
    found.visit_type(output);
    found.0
}

fn borrowed(value: &Type) -> Option<&syn::TypeReference> {
    struct Borrowed<'ast>(Option<&'ast syn::TypeReference>);
    impl<'ast> Visit<'ast> for Borrowed<'ast> {
        fn visit_type_reference(&mut self, reference: &'ast syn::TypeReference) {
            self.0 = self.0.or(Some(reference));
        }
        // `fn(&str)` borrows nothing.
        fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}
    }
    let mut found = Borrowed(None);
    found.visit_type(value);
    found.0
}

fn lifetime(value: &Type) -> Option<&syn::Lifetime> {
    struct Lifetimes<'ast>(Option<&'ast syn::Lifetime>);
    impl<'ast> Visit<'ast> for Lifetimes<'ast> {
        fn visit_path(&mut self, path: &'ast Path) {
            // What an alias of `Result` does with a lifetime cannot be seen from here.
            if path
                .segments
                .last()
                .is_none_or(|last| !last.ident.to_string().ends_with("Result"))
            {
                visit::visit_path(self, path);
            }
        }
        fn visit_lifetime(&mut self, lifetime: &'ast syn::Lifetime) {
            if lifetime.ident != "static" {
                self.0 = self.0.or(Some(lifetime));
            }
        }
        fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}
    }
    let mut found = Lifetimes(None);
    found.visit_type(value);
    found.0
}

/// The first parameter of what is spelled `Result<T, E>`. A guess that serves messages only: what a type
/// is, the compiler decides by traits.
pub fn value_type(output: &Type) -> &Type {
    let Type::Path(path) = output else {
        return output;
    };
    let Some(last) = path.path.segments.last() else {
        return output;
    };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return output;
    };
    match arguments.args.first() {
        Some(GenericArgument::Type(value)) if last.ident == "Result" => value,
        _ => output,
    }
}

/// Tokens as one would write them.
pub fn text(tokens: impl ToTokens) -> String {
    let spaced = tokens.to_token_stream().to_string();
    let mut text = spaced.replace(" :: ", "::").replace(":: ", "::");
    for mark in ["<", ">", ",", ";", "&", "(", ")", "[", "]"] {
        text = text.replace(&format!(" {mark}"), mark);
    }
    for mark in ["<", "&", "(", "["] {
        text = text.replace(&format!("{mark} "), mark);
    }
    text
}

/// The name of a variable as it is written in a template.
pub fn plain(name: &Ident) -> String {
    name.unraw().to_string()
}
