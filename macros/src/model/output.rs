//! The return type: whether what it holds can be kept.
use syn::{
    Path, ReturnType, Signature, Type,
    visit::{self, Visit},
};

use super::spelling::value_type;
use crate::{errors::Errors, tokens::text};

/// The type after `->`; a missing one is `()`.
pub fn written(sig: &Signature) -> Option<&Type> {
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
