//! `#[cached]`: its options and the function they stand on.
use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::{Expr, Path, Type, parse_quote};

use super::{
    Missing, Refused,
    companion::{self, Companion},
    generics,
    key::{self, Key, Prefix, Sources},
    on,
    options::{Known, Options},
    runtime,
    signature::{self, Argument, Place, plain},
    site::{self, Site},
};
use crate::{
    errors::Errors,
    function::{Function, identifiers},
    parse::{self, Value},
};

const OPTIONS: Known = Known {
    here: &[
        "prefix",
        "key",
        "ttl",
        "null_ttl",
        "null",
        "skip",
        "flight",
        "compress",
        "encrypt",
        "when",
        "unless",
        "version",
        "on",
        "companion",
        "invalidate",
        "in_impl",
        "crate",
    ],
    later: &["local", "stale", "refresh", "tags", "all"],
};

/// Everything that the generated code says.
pub struct Cache {
    pub runtime: Path,
    pub function: Function,
    pub output: Type,
    pub site: Site,
    pub key: Key,
    pub when: Option<Expr>,
    pub unless: Option<Expr>,
    pub on: Option<Expr>,
    /// Callers that wait may get a clone of the error: nothing in the type could be shorter-lived.
    pub shares_errors: bool,
    pub companion: Companion,
}

pub fn check(tokens: TokenStream, function: Function) -> Result<Cache, Refused> {
    let mut errors = Errors::new();
    let written = tokens.clone();
    let given = parse::options(tokens, "ttl = \"5m\"", &mut errors).options;
    let is_whole = errors.count() == 0;
    let mut options = Options::new(given, &OPTIONS, &mut errors);
    let is_async = signature::check_async(&function, "cached", &mut errors);
    let is_single = check_single(&function, &mut errors);
    let arguments = signature::arguments(&function.sig);

    let runtime = runtime(&mut options, &mut errors);
    let site = site::check(
        &mut options,
        &function.sig.ident,
        &arguments,
        is_whole,
        &mut errors,
    );
    let when = options.expr("when", "when = page < 10", &mut errors);
    let unless = unless(&mut options, &mut errors);
    let on = on(&mut options, &mut errors);
    let in_impl = options.word("in_impl", &mut errors);
    let place = signature::place(&function, written, in_impl);
    let names = companion::names(&mut options, &function, place, &mut errors);
    let key = key(
        &mut options,
        &function,
        &arguments,
        &site.prefix,
        is_whole,
        &mut errors,
    );
    let output = output(&function, is_async, &mut errors);

    let missing = names.invalidate.clone().filter(|_| is_single).map(|name| {
        let vis = function.vis.clone();
        let runtime = runtime.clone();
        Box::new(Missing { vis, name, runtime })
    });
    errors
        .finish()
        .map_err(|errors| Refused { errors, missing })?;

    let entry =
        companion::entry_arguments(&function, &arguments, &key, on.as_ref(), &site, &output);
    let companion = companion::companion(names, place, entry, arguments);
    let shares_errors = shares_errors(&function, &output, place);
    Ok(Cache {
        runtime,
        function,
        output,
        site,
        key,
        when,
        unless,
        on,
        shares_errors,
        companion,
    })
}

fn key(
    options: &mut Options,
    function: &Function,
    arguments: &[Argument],
    prefix: &Prefix,
    is_whole: bool,
    errors: &mut Errors,
) -> Key {
    let skip = skip(options, errors);
    let is_given = options.name_of("key").is_some();
    let template = options.string("key", "key = \"<user_id>\"", errors);
    // A key that is no string says nothing of the arguments, nor does an attribute of which a part was lost.
    let is_whole = is_whole && !options.was_meant("skip") && is_given == template.is_some();
    let sources = Sources {
        sig: &function.sig,
        arguments,
        prefix,
        template: template.as_ref(),
        skip: &skip,
        is_whole,
    };
    key::check(&sources, errors)
}

/// Two would give two companions of one name.
fn check_single(function: &Function, errors: &mut Errors) -> bool {
    let is_cached = |attr: &&syn::Attribute| {
        let name = attr.path().segments.last();
        name.is_some_and(|name| name.ident == "cached")
    };
    let second = function.attrs.iter().find(is_cached);
    if let Some(second) = second {
        errors.on(second, "a second #[cached] on one function; keep one");
    }
    second.is_none()
}

fn unless(options: &mut Options, errors: &mut Errors) -> Option<Expr> {
    let wanted = "the path of a `fn(&T) -> bool`, such as unless = Vec::is_empty";
    match options.expr("unless", wanted, errors)? {
        expr @ (Expr::Path(_) | Expr::Closure(_)) => Some(expr),
        other => {
            errors.on(other, format!("`unless` takes a function; write {wanted}"));
            None
        }
    }
}

fn skip(options: &mut Options, errors: &mut Errors) -> Vec<Ident> {
    let Some(given) = options.take("skip") else {
        return Vec::new();
    };
    match given.value {
        Value::Names(names) if !names.is_empty() => names,
        _ => {
            errors.on(
                given.name,
                "`skip` takes names of arguments; write skip(pool)",
            );
            Vec::new()
        }
    }
}

fn output(function: &Function, is_async: bool, errors: &mut Errors) -> Type {
    let output = signature::output(&function.sig);
    match output {
        Some(output) if is_async => signature::check_owned(output, errors),
        None if is_async => errors.on(
            &function.sig.ident,
            "there is no value to cache; write a return type, or take #[cached] off",
        ),
        _ => {}
    }
    output.cloned().unwrap_or_else(|| parse_quote!(()))
}

/// `E: Clone + 'static` can be asked for only where no part of the type may be shorter-lived; a path of one
/// upper-case letter may be a parameter of the `impl` around the function.
fn shares_errors(function: &Function, output: &Type, place: Place) -> bool {
    let (types, _) = generics::names(&function.sig.generics);
    let types: Vec<String> = types.into_iter().map(plain).collect();
    let may_be_short = |name: &String| {
        let is_letter = name.len() == 1 && name.starts_with(char::is_uppercase);
        (name.starts_with('\'') && name != "'static")
            || types.contains(name)
            || (place != Place::Module && is_letter)
    };
    !output.to_token_stream().to_string().contains('&')
        && !identifiers(output).iter().any(may_be_short)
}
