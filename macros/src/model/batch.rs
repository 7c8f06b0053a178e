//! `#[cached(batch = ids, of = get_user(ids))]`: the batch form of another cached function.
use darling::FromMeta;
use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::{Expr, FnArg, GenericArgument, Meta, Pat, Path, PathArguments, Type};

use super::{
    cache,
    mutation::{self, Target},
    option::{self, Options, expr, name_of, options, ungrouped, wrong},
    output,
    refused::Refused,
    signature::{self, Argument},
    spelling::bare_type,
    value::{Condition, Runtime},
};
use crate::{
    errors::Errors,
    function::Function,
    parse,
    tokens::{identifiers, plain, text},
};

options! {
    /// The options of a batch.
    pub struct Given {
        batch: Name;
        of: Call;
        when: Condition, also ["condition", "if", "cache_if", "only_if", "only_when", "predicate", "filter", "enabled"];
        runtime as "crate": Runtime, also ["crate_path"];
    }
    later []
}

/// `batch = ids`
pub struct Name(pub Ident);

impl FromMeta for Name {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let expr = expr(item, "ids")?;
        if let Expr::Path(path) = expr
            && let Some(name) = path.path.get_ident()
        {
            return Ok(Self(name.clone()));
        }
        Err(wrong(format!(
            "`{}` takes the name of the argument that lists the items; write batch = ids",
            name_of(item)
        )))
    }
}

/// `of = get_user(ids)`
pub struct Call(pub Expr);

impl FromMeta for Call {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        match expr(item, "get_user(ids)")? {
            call @ (Expr::Call(_) | Expr::MethodCall(_)) => Ok(Self(call.clone())),
            other => {
                let function = match other {
                    Expr::Path(path) => text(path),
                    _ => "get_user".to_owned(),
                };
                Err(wrong(format!(
                    "`of` takes the call of the cached function for one item; write of = {function}(ids), in which the list stands for one item"
                )))
            }
        }
    }
}

/// How the function takes its list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// `&[T]` or `&Vec<T>`
    Borrowed,
    /// `Vec<T>`
    Owned,
}

pub struct Batch {
    pub runtime: Path,
    pub function: Function,
    pub output: Type,
    pub argument: Argument,
    pub name: Ident,
    pub list: List,
    pub item: Type,
    pub of: Target,
    pub when: Option<Expr>,
}

/// Whether these options are those of a batch.
pub fn is_meant(options: &TokenStream) -> bool {
    let mut is_first = true;
    for token in options.clone() {
        if let (TokenTree::Ident(name), true) = (&token, is_first)
            && ["batch", "of"].contains(&plain(name).as_str())
        {
            return true;
        }
        is_first = matches!(&token, TokenTree::Punct(comma) if comma.as_char() == ',');
    }
    false
}

pub fn check(tokens: TokenStream, mut function: Function) -> Result<Batch, Refused> {
    let mut errors = Errors::new();
    let mut read = parse::options(tokens, "batch = ids, of = get_user(ids)", &mut errors);
    // Those of the function for one hold for the batch, too.
    read.options.retain(|written| {
        let name = plain(&written.name);
        let is_of_one = <cache::Given as Options>::KNOWN
            .iter()
            .any(|(known, _)| *known == name);
        let is_own = Given::KNOWN.iter().any(|(known, _)| *known == name);
        if is_of_one && !is_own {
            let message = format!("a batch takes `{name}` from the function in `of`; leave it out");
            errors.on(&written.name, message);
        }
        !is_of_one || is_own
    });
    let is_partial = read.is_partial;
    let given: Given = option::read(read.options, &mut errors);
    let is_async = signature::check_async(&function, "cached(batch = ...)", &mut errors);
    check_both(&given, is_partial, &function, &mut errors);
    let Runtime(runtime) = given.runtime.value(&mut errors).unwrap_or_default();
    let when = given.when.value(&mut errors).map(|Condition(when)| when);
    let name = given.batch.value(&mut errors).map(|Name(name)| name);
    let argument = name
        .as_ref()
        .and_then(|name| argument(&function, name, &mut errors));
    let of = given
        .of
        .value(&mut errors)
        .and_then(|Call(call)| target(call, name.as_ref(), &mut errors));
    let output = output::written(&function.sig).cloned();
    match &output {
        Some(output) if is_async => output::check_owned(output, &mut errors),
        None if is_async => errors.on(
            &function.sig.ident,
            "there is nothing to cache; return values by item, such as HashMap<u64, User>",
        ),
        _ => {}
    }
    errors.finish()?;
    let (Some(name), Some((argument, list, item)), Some(of), Some(output)) =
        (name, argument, of, output)
    else {
        // Not reached: what is missing has been reported.
        let error = syn::Error::new_spanned(&function.sig.ident, "this batch cannot be read");
        return Err(Refused::from(error));
    };
    // The body binds the list anew.
    for input in &mut function.sig.inputs {
        if let FnArg::Typed(typed) = input
            && let Pat::Ident(pat) = &mut *typed.pat
            && plain(&pat.ident) == plain(&name)
        {
            pat.mutability = None;
        }
    }
    Ok(Batch {
        runtime,
        function,
        output,
        argument,
        name,
        list,
        item,
        of,
        when,
    })
}

fn check_both(given: &Given, is_partial: bool, function: &Function, errors: &mut Errors) {
    let arguments = signature::arguments(&function.sig);
    let first = arguments.iter().flat_map(|argument| &argument.names).next();
    let list = first.map_or_else(|| "ids".to_owned(), plain);
    if let (Some(name), true, false) = (given.batch.name(), given.of.is_absent(), is_partial) {
        errors.on(
            name,
            format!("a batch is one of another cached function; write of = get_user({list})"),
        );
    }
    if let (Some(name), true, false) = (given.of.name(), given.batch.is_absent(), is_partial) {
        errors.on(
            name,
            format!("`of` belongs to a batch; write batch = {list} in front of it"),
        );
    }
}

fn argument(
    function: &Function,
    name: &Ident,
    errors: &mut Errors,
) -> Option<(Argument, List, Type)> {
    let sought = plain(name);
    let arguments = signature::arguments(&function.sig);
    let found = arguments
        .iter()
        .find(|argument| argument.names.iter().any(|bound| plain(bound) == sought));
    let Some(found) = found else {
        let known: Vec<String> = arguments
            .iter()
            .flat_map(|argument| &argument.names)
            .map(plain)
            .collect();
        let fix = super::key::fix(&sought, &known, ("", ""));
        let function = &function.sig.ident;
        errors.on(
            name,
            format!("`{sought}` names no argument of `{function}`{fix}"),
        );
        return None;
    };
    let list = matches!(&*found.typed.pat, Pat::Ident(_)).then(|| list(&found.typed.ty));
    let Some((list, item)) = list.flatten() else {
        errors.on(
            &found.typed.ty,
            "a batch takes its items as `&[T]`, `Vec<T>` or `&Vec<T>`; write one of these",
        );
        return None;
    };
    Some((found.clone(), list, item))
}

fn list(ty: &Type) -> Option<(List, Type)> {
    match bare_type(ty) {
        Type::Reference(reference) if reference.mutability.is_none() => {
            match bare_type(&reference.elem) {
                Type::Slice(slice) => Some((List::Borrowed, (*slice.elem).clone())),
                other => Some((List::Borrowed, item_of_vec(other)?)),
            }
        }
        other => Some((List::Owned, item_of_vec(other)?)),
    }
}

fn item_of_vec(ty: &Type) -> Option<Type> {
    let Type::Path(path) = ty else {
        return None;
    };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    match arguments.args.first()? {
        GenericArgument::Type(item) if last.ident == "Vec" => Some(item.clone()),
        _ => None,
    }
}

fn target(call: Expr, name: Option<&Ident>, errors: &mut Errors) -> Option<Target> {
    let written = call.clone();
    let target = mutation::target(call, errors)?;
    if target.is_all {
        errors.on(
            written,
            "`(..)` is every entry; write the arguments of the function for one item",
        );
        return None;
    }
    let Some(name) = name else {
        return Some(target);
    };
    let sought = plain(name);
    let uses = target
        .arguments
        .iter()
        .any(|argument| identifiers(&argument.expr).contains(&sought));
    if !uses {
        errors.on(
            written,
            format!("`{sought}` stands for one item here and is not in the call; write it where the item goes"),
        );
        return None;
    }
    Some(target)
}

/// Whether an argument is nothing but the name of the list.
pub fn is_item(expr: &Expr, name: &Ident) -> bool {
    matches!(ungrouped(expr), Expr::Path(path) if path.path.get_ident().is_some_and(|ident| plain(ident) == plain(name)))
}
