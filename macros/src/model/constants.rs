//! What the compiler works out once for a cached function: prefix, lifetimes, version, stored form.
use std::collections::HashSet;

use proc_macro2::{Ident, Span};
use syn::{Expr, LitStr};

use super::{
    duration::{self, Length},
    flight::Flight,
    local::{self, Local, Near},
    names::stem,
    option::Opt,
    prefix::Prefix,
    signature::Argument,
    spelling::Scope,
    staleness::{self, Windows},
    value::{Fraction, Lifetime, Switch, ValueTags, Version, Word},
};
use crate::{
    errors::Errors,
    tokens::{identifiers, plain},
};

pub struct Constants {
    pub prefix: Prefix,
    pub ttl: Length,
    pub null: Null,
    pub version: Option<u32>,
    pub flight: Flight,
    pub compress: bool,
    pub encrypt: bool,
    pub guard: bool,
    pub jitter: Option<f64>,
    pub ttl_of: Option<Expr>,
    pub tags_of: Option<Expr>,
    pub windows: Option<Windows>,
    pub near: Option<Near>,
}

pub enum Null {
    /// For as long as the runtime thinks right: a minute.
    Default,
    Kept(Length),
    NotKept,
}

/// The options that become constants, before they are judged.
pub struct Given {
    pub prefix: Opt<Prefix>,
    pub ttl: Opt<Length>,
    pub null: Opt<Switch>,
    pub null_ttl: Opt<Length>,
    pub version: Opt<Version>,
    pub flight: Opt<Flight>,
    pub compress: Opt<Word>,
    pub encrypt: Opt<Word>,
    pub guard: Opt<Switch>,
    pub jitter: Opt<Fraction>,
    pub ttl_of: Opt<Lifetime>,
    pub tags_of: Opt<ValueTags>,
    /// Values stay in this process, where the prefix serves nothing but statistics.
    pub is_local: bool,
    pub local: Opt<Local>,
    pub local_plain: Opt<Word>,
    pub windows: staleness::Given,
}

/// `is_partial`: something of the attribute could not be read at all, which may have been the prefix.
pub fn check(
    given: Given,
    name: &Ident,
    arguments: &[Argument],
    is_partial: bool,
    errors: &mut Errors,
) -> Constants {
    if given.prefix.is_absent() && !is_partial && !given.is_local {
        missing_prefix(name, errors);
    }
    let near = local::near(given.local);
    let is_plain = given.local_plain.name().cloned();
    given.local_plain.value(errors);
    if !given.is_local {
        local::check_plain(
            near.as_ref(),
            given.encrypt.name(),
            is_plain.as_ref(),
            errors,
        );
    }
    let is_ttl_broken = given.ttl.is_broken();
    // Where there has to be one and is none, there is an error, and nothing is made of this.
    let none = || Prefix::Literal(LitStr::new(stem(&plain(name)), name.span()));
    let constants = Constants {
        prefix: given.prefix.value(errors).unwrap_or_else(none),
        ttl: given
            .ttl
            .value(errors)
            .unwrap_or(Length::Known(duration::MEDIUM)),
        null: null(given.null, given.null_ttl, errors),
        version: given.version.value(errors).map(|Version(version)| version),
        flight: given.flight.value(errors).unwrap_or(Flight::Process),
        compress: given.compress.value(errors).is_some(),
        encrypt: given.encrypt.value(errors).is_some(),
        jitter: given.jitter.value(errors).map(|Fraction(jitter)| jitter),
        ttl_of: given.ttl_of.value(errors).map(|Lifetime(ttl_of)| ttl_of),
        tags_of: given
            .tags_of
            .value(errors)
            .map(|ValueTags(tags_of)| tags_of),
        windows: staleness::check(given.windows, errors),
        guard: given.guard.value(errors).is_none_or(|Switch(is_on)| is_on),
        near,
    };
    if !is_ttl_broken {
        local::check_length(constants.near.as_ref(), &constants.ttl, errors);
    }
    check_known_early(&constants, arguments, errors);
    constants
}

fn missing_prefix(name: &Ident, errors: &mut Errors) {
    let stem = stem(&plain(name)).to_owned();
    let message = format!("the prefix is missing; write prefix = \"{stem}\"");
    errors.at(Span::call_site(), message);
}

fn null(null: Opt<Switch>, ttl: Opt<Length>, errors: &mut Errors) -> Null {
    let is_kept = null.value(errors).is_none_or(|Switch(is_kept)| is_kept);
    if let (Some(name), false) = (ttl.name(), is_kept) {
        let message = format!("`{name}` has no effect beside null = false; leave one of them out");
        errors.on(name, message);
    }
    match ttl.value(errors) {
        _ if !is_kept => Null::NotKept,
        Some(ttl) => Null::Kept(ttl),
        None => Null::Default,
    }
}

/// Prefix and lifetimes are worked out once, by the compiler.
fn check_known_early(constants: &Constants, arguments: &[Argument], errors: &mut Errors) {
    let names = arguments
        .iter()
        .flat_map(|argument| &argument.names)
        .collect::<Vec<_>>();
    let lengths = constants.lengths().filter_map(|length| match length {
        Expr::Path(path) => path.path.get_ident(),
        _ => None,
    });
    let prefix = match &constants.prefix {
        Prefix::Const(path) => path.path.get_ident(),
        Prefix::Literal(_) => None,
    };
    for name in lengths.chain(prefix).filter(|name| names.contains(name)) {
        errors.on(
            name,
            format!("`{name}` is an argument, known too late for this; write a constant"),
        );
    }
}

impl Constants {
    /// Whether an item can hold them: none depends on a parameter of the function or of the `impl` around it.
    pub fn are_constant(&self, scope: Scope<'_>) -> bool {
        let prefix = match &self.prefix {
            Prefix::Const(path) => scope.is_constant(path),
            Prefix::Literal(_) => true,
        };
        let mut known = self.lengths().chain(self.functions());
        prefix && known.all(|known| scope.is_constant_expr(known))
    }

    fn functions(&self) -> impl Iterator<Item = &Expr> {
        self.ttl_of.iter().chain(&self.tags_of)
    }

    fn lengths(&self) -> impl Iterator<Item = &Expr> {
        let null = match &self.null {
            Null::Kept(length) => Some(length),
            Null::Default | Null::NotKept => None,
        };
        [&self.ttl]
            .into_iter()
            .chain(null)
            .chain(self.windows.iter().flat_map(Windows::lengths))
            .chain(self.near.iter().map(|near| &near.time))
            .filter_map(|length| match length {
                Length::Const(expr) => Some(&**expr),
                Length::Known(_) => None,
            })
    }

    /// The names that stand in them.
    pub fn mentions(&self) -> HashSet<String> {
        let mut found: HashSet<String> = self
            .lengths()
            .chain(self.functions())
            .flat_map(identifiers)
            .collect();
        if let Prefix::Const(path) = &self.prefix {
            found.extend(identifiers(path));
        }
        found
    }
}
