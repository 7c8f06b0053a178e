//! `#[cached]`: its options and the function they stand on.
use std::collections::HashSet;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident};
use syn::{Expr, ExprLit, Lit, Path, Type, ext::IdentExt};

use super::{
    Missing, Refused,
    duration::{self, Length},
    generics,
    key::{self, Key, Prefix, Sources},
    on,
    options::{Known, Options},
    runtime,
    signature::{self, Argument, Place, plain},
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
        "when",
        "unless",
        "version",
        "on",
        "companion",
        "invalidate",
        "in_impl",
        "crate",
    ],
    later: &[
        "local", "stale", "refresh", "tags", "compress", "encrypt", "all",
    ],
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

/// The constant part.
pub struct Site {
    pub prefix: Prefix,
    pub ttl: Length,
    pub null: Null,
    pub version: Option<u32>,
    pub flight: bool,
}

pub enum Null {
    Kept(Length),
    NotKept,
}

pub enum Companion {
    None,
    /// A type of this name, and a macro.
    Beside {
        name: Ident,
        invalidate: Option<Ident>,
        entry: EntryArguments,
        arguments: Vec<Argument>,
    },
    /// A function of this name in the same `impl`.
    Within {
        name: Ident,
        entry: EntryArguments,
    },
}

/// What `entry` takes: the arguments that are in the key, and what `on` needs.
pub struct EntryArguments {
    pub arguments: Vec<Argument>,
    pub used: HashSet<String>,
    pub generics: syn::Generics,
}

pub fn check(tokens: TokenStream, function: Function) -> Result<Cache, Refused> {
    let mut errors = Errors::new();
    let written = tokens.clone();
    let given = parse::options(tokens, "ttl = \"5m\"", &mut errors).options;
    let unread = errors.count() > 0;
    let mut options = Options::new(given, &OPTIONS, &mut errors);
    let is_async = signature::check_async(&function, "cached", &mut errors);
    let is_single = check_single(&function, &mut errors);

    let runtime = runtime(&mut options, &mut errors);
    let prefix = prefix(&mut options, &function, unread, &mut errors);
    let ttl = duration::option(&mut options, "ttl", &mut errors)
        .unwrap_or(Length::Known(duration::MEDIUM));
    let null = null(&mut options, &mut errors);
    let flight = flight(&mut options, &mut errors);
    let version = version(&mut options, &mut errors);
    let when = options.expr("when", "when = page < 10", &mut errors);
    let unless = unless(&mut options, &mut errors);
    let on = on(&mut options, &mut errors);
    let skip = skip(&mut options, &mut errors);
    let template_given = options.name_of("key").is_some();
    let template = options.string("key", "key = \"<user_id>\"", &mut errors);
    let in_impl = options.word("in_impl", &mut errors);
    let place = signature::place(&function, written, in_impl);
    let names = names(&mut options, &function, place, &mut errors);

    let arguments = signature::arguments(&function.sig);
    check_constants(
        prefix.as_ref(),
        [Some(&ttl), null.length()],
        &arguments,
        &mut errors,
    );
    let output = output(&function, is_async, &mut errors);
    // A key that is no string says nothing of the arguments, nor does an attribute of which a part was lost.
    let is_whole = !unread && !options.was_meant("skip");
    let key = if template_given == template.is_some() {
        let sources = Sources {
            sig: &function.sig,
            arguments: &arguments,
            prefix: prefix.as_ref(),
            template: template.as_ref(),
            skip: &skip,
            is_whole,
        };
        key::check(&sources, &mut errors)
    } else {
        None
    };
    let missing = names.invalidate.clone().filter(|_| is_single).map(|name| {
        let vis = function.vis.clone();
        let runtime = runtime.clone();
        Box::new(Missing { vis, name, runtime })
    });
    errors
        .finish()
        .map_err(|errors| Refused { errors, missing })?;
    let (Some(prefix), Some(key), Some(output)) = (prefix, key, output) else {
        return Err(syn::Error::new(Span::call_site(), "#[cached] could not be read").into());
    };

    let site = Site {
        prefix,
        ttl,
        null,
        version,
        flight,
    };
    let all = signature::arguments(&function.sig);
    let entry = entry_arguments(&function, arguments, &key, on.as_ref(), &site, &output);
    let companion = match (names.companion, place) {
        (None, _) => Companion::None,
        (Some(name), Place::Module) => Companion::Beside {
            name,
            invalidate: names.invalidate,
            entry,
            arguments: all,
        },
        (Some(name), _) => Companion::Within {
            name: format_ident!("{}_entry", name.unraw(), span = name.span()),
            entry,
        },
    };
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

impl Null {
    fn length(&self) -> Option<&Length> {
        match self {
            Self::Kept(length) => Some(length),
            Self::NotKept => None,
        }
    }
}

/// Prefix and lifetimes are worked out once, by the compiler.
fn check_constants(
    prefix: Option<&Prefix>,
    lengths: [Option<&Length>; 2],
    arguments: &[Argument],
    errors: &mut Errors,
) {
    let prefix = match prefix {
        Some(Prefix::Const(path)) => path.path.get_ident(),
        _ => None,
    };
    let lengths = lengths
        .into_iter()
        .flatten()
        .filter_map(|length| match length {
            Length::Const(expr) => match &**expr {
                Expr::Path(path) => path.path.get_ident(),
                _ => None,
            },
            Length::Known(_) => None,
        });
    for name in lengths.chain(prefix) {
        if arguments
            .iter()
            .flat_map(|argument| &argument.names)
            .any(|argument| argument == name)
        {
            errors.on(
                name,
                format!("`{name}` is an argument, known too late for this; write a constant"),
            );
        }
    }
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

fn prefix(
    options: &mut Options,
    function: &Function,
    unread: bool,
    errors: &mut Errors,
) -> Option<Prefix> {
    let name = plain(&function.sig.ident);
    let wanted = format!("prefix = \"{}\"", stem(&name));
    if options.name_of("prefix").is_none() {
        if !unread && !options.was_meant("prefix") {
            errors.at(
                Span::call_site(),
                format!("the prefix is missing; write {wanted}"),
            );
        }
        return None;
    }
    match options.expr("prefix", &wanted, errors)? {
        Expr::Lit(ExprLit {
            lit: Lit::Str(literal),
            ..
        }) => {
            key::check_prefix(&literal, errors);
            Some(Prefix::Literal(literal))
        }
        Expr::Path(path) => Some(Prefix::Const(path)),
        other => {
            errors.on(
                other,
                format!("`prefix` takes a string or the path of a constant; write {wanted}"),
            );
            None
        }
    }
}

fn null(options: &mut Options, errors: &mut Errors) -> Null {
    let null = options.expr("null", "null = false", errors);
    let ttl_name = options.name_of("null_ttl").cloned();
    let ttl = duration::option(options, "null_ttl", errors);
    match null {
        Some(Expr::Lit(ExprLit {
            lit: Lit::Bool(kept),
            ..
        })) if !kept.value => {
            if let Some(name) = ttl_name {
                errors.on(
                    name,
                    "`null_ttl` has nothing to say beside null = false; leave one of them out",
                );
            }
            return Null::NotKept;
        }
        Some(Expr::Lit(ExprLit {
            lit: Lit::Bool(_), ..
        }))
        | None => {}
        Some(other) => errors.on(other, "`null` takes true or false; write null = false"),
    }
    Null::Kept(ttl.unwrap_or(Length::Known(duration::SHORT)))
}

fn flight(options: &mut Options, errors: &mut Errors) -> bool {
    const FLIGHTS: Known = Known {
        here: &["process", "off"],
        later: &["cluster"],
    };
    options
        .choice("flight", &FLIGHTS, errors)
        .is_none_or(|choice| choice != "off")
}

fn version(options: &mut Options, errors: &mut Errors) -> Option<u32> {
    let expr = options.expr("version", "version = 2", errors)?;
    if let Expr::Lit(ExprLit {
        lit: Lit::Int(number),
        ..
    }) = &expr
        && let Ok(version) = number.base10_parse()
    {
        return Some(version);
    }
    errors.on(expr, "`version` takes a whole number; write version = 2");
    None
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

/// The names of what stands beside the function.
struct Names {
    companion: Option<Ident>,
    invalidate: Option<Ident>,
}

fn names(options: &mut Options, function: &Function, place: Place, errors: &mut Errors) -> Names {
    let name = &function.sig.ident;
    let invalidate_name = options.name_of("invalidate").cloned();
    let default = format!("invalidate_{}", stem(&plain(name)));
    let companion = name_option(options, "companion", &plain(name), errors);
    let invalidate = name_option(options, "invalidate", &default, errors);
    if let (Some(Named::As(_)), Some(option)) = (&invalidate, &invalidate_name) {
        if place != Place::Module {
            errors.on(option, format!("an `impl` cannot hold a macro; leave this out and call {}_entry(..).invalidate()", plain(name)));
        } else if matches!(companion, Some(Named::None)) {
            errors.on(option, "the macro names the companion, which companion = false takes away; leave one of them out");
        }
    }
    let companion = match companion {
        Some(Named::None) => None,
        Some(Named::As(companion)) => Some(companion),
        None => Some(name.clone()),
    };
    let invalidate = match invalidate {
        Some(Named::None) => None,
        _ if companion.is_none() || place != Place::Module => None,
        Some(Named::As(invalidate)) => Some(invalidate),
        None => Some(Ident::new(&default, name.span())),
    };
    Names {
        companion,
        invalidate,
    }
}

enum Named {
    None,
    As(Ident),
}

/// `"name"`, `false`, or nothing for the default.
fn name_option(
    options: &mut Options,
    option: &str,
    example: &str,
    errors: &mut Errors,
) -> Option<Named> {
    let wanted = format!("{option} = \"{example}\", or {option} = false");
    match options.expr(option, &wanted, errors)? {
        Expr::Lit(ExprLit {
            lit: Lit::Bool(wants),
            ..
        }) => (!wants.value).then_some(Named::None),
        Expr::Lit(ExprLit {
            lit: Lit::Str(literal),
            ..
        }) => {
            if let Ok(name) = literal.parse::<Ident>() {
                return Some(Named::As(name));
            }
            errors.on(
                &literal,
                format!("\"{}\" is no name in Rust; write {wanted}", literal.value()),
            );
            None
        }
        other => {
            errors.on(
                other,
                format!("`{option}` takes a name in quotes or false; write {wanted}"),
            );
            None
        }
    }
}

/// `get_user` is about a `user`.
fn stem(name: &str) -> &str {
    let verbs = ["get_", "fetch_", "find_", "load_", "read_"];
    let stem = verbs
        .iter()
        .find_map(|verb| name.strip_prefix(verb))
        .unwrap_or(name);
    if stem.is_empty() { name } else { stem }
}

fn output(function: &Function, is_async: bool, errors: &mut Errors) -> Option<Type> {
    let Some(output) = signature::output(&function.sig) else {
        if is_async {
            errors.on(
                &function.sig.ident,
                "there is no value to cache; write a return type, or take #[cached] off",
            );
        }
        return None;
    };
    if is_async {
        signature::check_owned(output, errors);
    }
    Some(output.clone())
}

fn entry_arguments(
    function: &Function,
    arguments: Vec<Argument>,
    key: &Key,
    on: Option<&Expr>,
    site: &Site,
    output: &Type,
) -> EntryArguments {
    let mut used: HashSet<String> = key.names().map(plain).collect();
    used.extend(identifiers(on));
    let arguments: Vec<Argument> = arguments
        .into_iter()
        .filter(|argument| {
            argument
                .names
                .iter()
                .any(|name| used.contains(&plain(name)))
        })
        .collect();
    let mut mentioned = used.clone();
    mentioned.extend(site.mentions());
    mentioned.extend(identifiers(output));
    mentioned.extend(
        arguments
            .iter()
            .flat_map(|argument| identifiers(&argument.typed.ty)),
    );
    EntryArguments {
        arguments,
        used,
        generics: generics::kept(&function.sig.generics, &mentioned),
    }
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

impl Site {
    /// Holds constants of the user's that an item can hold as well, and has them checked even where the
    /// function is never built.
    pub fn is_checked_early(&self) -> bool {
        let lengths = self.lengths().filter_map(|length| match length {
            Length::Const(expr) => Some(&**expr),
            Length::Known(_) => None,
        });
        let lengths: Vec<bool> = lengths
            .map(|expr| matches!(expr, Expr::Path(path) if key::is_free(path)))
            .collect();
        let prefix = match &self.prefix {
            Prefix::Const(path) => Some(key::is_free(path)),
            Prefix::Literal(_) => None,
        };
        let mut constants = lengths.into_iter().chain(prefix).peekable();
        constants.peek().is_some() && constants.all(|is_free| is_free)
    }

    fn lengths(&self) -> impl Iterator<Item = &Length> {
        [&self.ttl].into_iter().chain(self.null.length())
    }

    fn mentions(&self) -> HashSet<String> {
        let mut found: HashSet<String> = HashSet::new();
        for length in self.lengths() {
            if let Length::Const(expr) = length {
                found.extend(identifiers(expr));
            }
        }
        if let Prefix::Const(path) = &self.prefix {
            found.extend(identifiers(path));
        }
        found
    }
}
