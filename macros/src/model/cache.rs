//! `#[cached]`: its options and the function they stand on.
use std::mem;

use proc_macro2::{Ident, TokenStream};
use syn::{Expr, Generics, Path, Type, parse_quote};

use super::{
    callee::{self, Callee},
    companion::{self, Companion, EntryArguments},
    constants::{self, Constants},
    coverage,
    duration::Length,
    flight::Flight,
    generics,
    key::{self, Key, Sources},
    local::{self, Local, Locality},
    option::{self, Opt, options},
    output,
    own_body::{self, Body},
    prefix::Prefix,
    refused::{Missing, Refused},
    signature::{self, Argument, Place},
    spelling::Scope,
    staleness::{self, Ahead},
    tags::{self, Tag, TagList},
    value::{
        Beside, Condition, Fraction, Lifetime, Names, Pond, Predicate, Runtime, Shared, Switch,
        Text, ValueTags, Version, Word,
    },
};
use crate::{errors::Errors, function::Function, parse, tokens::identifiers};

options! {
    /// The options of `#[cached]`.
    pub struct Given {
        prefix: Prefix, also ["name", "namespace", "cache", "cache_name"];
        key: Text, also ["template", "cache_key", "id", "args", "convert"];
        ttl: Length, also ["time", "expires_in", "expires", "expire", "expiry", "expiration", "expire_after", "duration", "lifetime", "max_age", "seconds", "secs", "time_to_live", "timeout", "valid_for"];
        null_ttl: Length, also ["none_ttl", "negative_ttl", "nil_ttl", "empty_ttl"];
        ttl_of: Lifetime, also ["ttl_from", "lifetime_of", "ttl_fn", "expires_from"];
        jitter: Fraction, also ["ttl_jitter"];
        stale_while_revalidate: Length, also ["swr", "stale", "stale_for", "stale_ttl", "grace", "grace_period"];
        stale_if_error: Length, also ["sie", "stale_on_error", "fail_safe", "fallback"];
        soft_timeout: Length, also ["soft_timeout_ms", "factory_soft_timeout", "load_timeout"];
        refresh_ahead: Ahead, also ["refresh", "eager_refresh", "eager_refresh_threshold", "refresh_after", "xfetch", "early_refresh"];
        null: Switch, also ["cache_none", "cache_null", "cache_nulls", "cache_nil", "cache_empty"];
        skip: Names, also ["ignore", "ignore_args", "exclude", "exclude_args", "without", "skip_args"];
        flight: Flight, also ["single_flight", "singleflight", "sync_writes", "stampede", "dedup", "dedupe", "coalesce"];
        compress: Word, also ["gzip", "compression", "zip"];
        encrypt: Word, also ["encryption", "aes", "cipher"];
        when: Condition, also ["condition", "if", "cache_if", "only_if", "only_when", "predicate", "filter", "enabled"];
        unless: Predicate, also ["except", "skip_if", "skip_when", "not_if"];
        share_errors: Switch, also ["shared_errors", "share_error"];
        version: Version, also ["schema", "revision"];
        guard: Switch, also ["guarded", "guards"];
        tags_of: ValueTags, also ["tags_from", "tag_of", "tags_fn"];
        tags: TagList, also ["tag", "groups", "group"];
        all: Word;
        local: Local, also ["in_process", "in_memory", "memory", "l1", "near", "local_ttl"];
        local_plain: Word, also ["plain", "local_decrypted"];
        on: Pond, also ["pond", "client", "store", "redis", "pool", "backend", "connection", "conn", "db", "database", "with"];
        shares: Shared, also ["share", "shared_with", "shares_with", "same_as"];
        companion: Beside;
        invalidate: Beside;
        in_impl: Word, also ["in_trait", "method"];
        runtime as "crate": Runtime, also ["crate_path"];
    }
    later []
}

/// Everything that the generated code says.
pub struct Cache {
    pub runtime: Path,
    pub function: Function,
    pub output: Type,
    pub constants: Constants,
    /// Whether an item can hold them.
    pub are_constant: bool,
    /// The return type, where an item can name it.
    pub lasting_output: Option<Type>,
    /// The parameters of the function that they and the return type depend on.
    pub described_generics: Generics,
    pub key: Key,
    pub when: Option<Expr>,
    pub unless: Option<Expr>,
    pub on: Option<Expr>,
    /// Another function whose entries this one uses on purpose.
    pub shares: Option<Callee>,
    /// What only the type of the `impl` tells apart is compared when it runs.
    pub compares_self: bool,
    pub errors: SharedErrors,
    pub companion: Companion,
    pub tags: Vec<Tag>,
    /// Where the body may run in the background.
    pub body: Option<Body>,
    /// What invalidates all entries, if something does.
    pub all: Option<All>,
    pub locality: Locality,
}

impl Cache {
    /// Whether values stay in this process.
    pub fn is_local(&self) -> bool {
        self.locality == Locality::Only
    }
}

/// Whether callers that wait get a clone of the error.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SharedErrors {
    /// Where it is `Clone`.
    Cloned,
    /// Something in the type could be shorter-lived.
    Impossible,
    /// The attribute says `share_errors = false`.
    Off,
}

impl SharedErrors {
    fn of(is_on: bool, outlives_calls: bool) -> Self {
        match (is_on, outlives_calls) {
            (false, _) => Self::Off,
            (true, true) => Self::Cloned,
            (true, false) => Self::Impossible,
        }
    }
}

/// What `invalidate_all` takes: the arguments that `on` needs.
pub struct All(pub EntryArguments);

pub fn check(tokens: TokenStream, function: Function) -> Result<Cache, Refused> {
    let mut errors = Errors::new();
    let written = tokens.clone();
    let read = parse::options(tokens, "prefix = \"user\"", &mut errors);
    let is_partial = read.is_partial;
    let mut given: Given = option::read(read.options, &mut errors);
    let (locality, is_callable) = locality(&given, &function, &mut errors);
    let is_single = check_single(&function, &mut errors);
    let arguments = signature::arguments(&function.sig);

    check_guard(&given, &mut errors);
    let told = constants(&mut given, locality);
    let Runtime(runtime) = given.runtime.value(&mut errors).unwrap_or_default();
    let constants = constants::check(
        told,
        &function.sig.ident,
        &arguments,
        is_partial,
        &mut errors,
    );
    let when = given.when.value(&mut errors).map(|Condition(when)| when);
    let unless = given.unless.value(&mut errors).map(|Predicate(it)| it);
    let on = given.on.value(&mut errors).map(|Pond(on)| on);
    let keeps_errors = matches!(given.share_errors.value(&mut errors), Some(Switch(false)));
    let shares = shares(given.shares, &mut errors);
    let in_impl = given.in_impl.value(&mut errors).is_some();
    let place = signature::place(&function, written, in_impl);
    let names = companion::names(
        given.companion,
        given.invalidate,
        &function,
        place,
        &mut errors,
    );
    let has_place = companion::check_place(&names, &function, place, &mut errors);
    // A key or a list that could not be read says nothing of the arguments, nor does a signature that was rewritten.
    let is_whole = is_callable && !is_partial && !given.skip.is_broken() && !given.key.is_broken();
    let sources = Sources {
        sig: &function.sig,
        arguments: &arguments,
        prefix: &constants.prefix,
        skip: skip(given.skip, &mut errors),
        template: given.key.value(&mut errors).map(|Text(template)| template),
        place,
    };
    let has_all = given.all.value(&mut errors).is_some();
    let tags = tags::check(given.tags, &sources, &mut errors);
    let compares_self = place != Place::Module && !sources.skips("Self");
    let key = key(&sources, is_whole, &mut errors);
    let output = check_output(&function, is_callable, &mut errors);

    let entry = companion::entry_arguments(
        &function,
        &arguments,
        &key,
        on.as_ref(),
        &tags,
        &constants,
        &output,
    );
    let option = constants.windows.as_ref().filter(|_| is_callable);
    let body = option.map(|windows| {
        let mut used = entry.used.clone();
        used.extend(identifiers(when.as_ref()));
        let option = &windows.option;
        own_body::check(option, &sources, &function, &names, &used, &mut errors)
    });
    let all = has_all.then(|| all(&function, &arguments, on.as_ref(), &constants, &output));
    let companion = companion::companion(names, place, entry);
    if let Err(errors) = errors.finish() {
        let can_stand = is_single && has_place && is_callable;
        let missing = missing(can_stand, runtime, function, output, companion);
        return Err(Refused { errors, missing });
    }
    let scope = Scope::of(&function.sig, place);
    let described_generics = described_generics(&function, &constants, unless.as_ref(), &output);
    let are_constant = are_constant(&constants, shares.as_ref(), scope)
        && names_no_parameter(unless.as_ref(), place, &described_generics, scope);
    Ok(Cache {
        lasting_output: lasting(&output, place, scope),
        errors: SharedErrors::of(!keeps_errors, scope.outlives_calls(&output)),
        runtime,
        function,
        output,
        constants,
        are_constant,
        described_generics,
        key,
        when,
        unless,
        on,
        shares,
        compares_self,
        companion,
        tags,
        body,
        all,
        locality,
    })
}

/// Where values are, and whether the rest of the signature is worth a look.
fn locality(given: &Given, function: &Function, errors: &mut Errors) -> (Locality, bool) {
    let locality = Locality::of(&given.local, errors);
    if matches!(locality, Locality::Shared | Locality::Near) {
        return (locality, signature::check_async(function, "cached", errors));
    }
    let others = [
        given.compress.name(),
        given.encrypt.name(),
        given.guard.name(),
        given.shares.name(),
        given.local_plain.name(),
    ];
    local::check_alone(&others, errors);
    local::check_flight(&given.flight, errors);
    if let Some(name) = given.tags_of.name() {
        let message = format!(
            "`{name}` is not supported beside local = \"only\"; write tags(..), or leave it out"
        );
        errors.on(name, message);
    }
    let windows = [
        given.stale_while_revalidate.name(),
        given.stale_if_error.name(),
        given.soft_timeout.name(),
        given.refresh_ahead.name(),
    ];
    for name in windows.into_iter().flatten() {
        let message =
            format!("`{name}` is not supported beside local = \"only\"; leave one of them out");
        errors.on(name, message);
    }
    (
        locality,
        signature::check_callable(function, "cached", errors),
    )
}

/// The options that become constants.
fn constants(given: &mut Given, locality: Locality) -> constants::Given {
    constants::Given {
        prefix: mem::take(&mut given.prefix),
        ttl: mem::take(&mut given.ttl),
        null: mem::take(&mut given.null),
        null_ttl: mem::take(&mut given.null_ttl),
        version: mem::take(&mut given.version),
        flight: mem::take(&mut given.flight),
        compress: mem::take(&mut given.compress),
        encrypt: mem::take(&mut given.encrypt),
        guard: mem::take(&mut given.guard),
        jitter: mem::take(&mut given.jitter),
        ttl_of: mem::take(&mut given.ttl_of),
        tags_of: mem::take(&mut given.tags_of),
        windows: staleness::Given {
            while_revalidate: mem::take(&mut given.stale_while_revalidate),
            if_error: mem::take(&mut given.stale_if_error),
            soft_timeout: mem::take(&mut given.soft_timeout),
            ahead: mem::take(&mut given.refresh_ahead),
        },
        is_local: !matches!(locality, Locality::Shared | Locality::Near),
        local: mem::take(&mut given.local),
        local_plain: mem::take(&mut given.local_plain),
    }
}

/// What is to stand in for what could not be made: a second companion, one where none can stand, or one of a hidden
/// type would be a second error.
fn missing(
    can_stand: bool,
    runtime: Path,
    function: Function,
    output: Type,
    companion: Companion,
) -> Option<Box<Missing>> {
    let can_stand = can_stand && output::hidden(&output).is_none();
    can_stand.then(|| {
        Box::new(Missing {
            runtime,
            function,
            output,
            companion,
        })
    })
}

/// What `invalidate_all` takes.
fn all(
    function: &Function,
    arguments: &[Argument],
    on: Option<&Expr>,
    constants: &Constants,
    output: &Type,
) -> All {
    let none = Key {
        text: String::new(),
        steps: Vec::new(),
    };
    let entry = companion::entry_arguments(function, arguments, &none, on, &[], constants, output);
    All(entry)
}

/// What an invalidation of a group promises, a value without a guard cannot keep.
fn check_guard(given: &Given, errors: &mut Errors) {
    if !matches!(
        &given.guard,
        Opt::Given {
            value: Switch(false),
            ..
        }
    ) {
        return;
    }
    let groups = [given.tags.name(), given.tags_of.name(), given.all.name()];
    for name in groups.into_iter().flatten() {
        let message = format!(
            "guard = false is for values that are never invalidated; leave it out, or leave out `{name}`"
        );
        errors.on(name, message);
    }
}

/// The return type, if an item can name it.
fn lasting(output: &Type, place: Place, scope: Scope<'_>) -> Option<Type> {
    let is_lasting = place == Place::Module && scope.outlives_calls(output);
    is_lasting.then(|| output.clone())
}

/// Whether an item can hold the description.
fn are_constant(constants: &Constants, shares: Option<&Callee>, scope: Scope<'_>) -> bool {
    constants.are_constant(scope) && shares.is_none_or(|shares| shares.is_constant(scope))
}

/// With `unless` the description names the type that is returned.
fn names_no_parameter(
    unless: Option<&Expr>,
    place: Place,
    generics: &Generics,
    scope: Scope<'_>,
) -> bool {
    unless.is_none_or(|unless| {
        place == Place::Module && generics.params.is_empty() && scope.is_constant_expr(unless)
    })
}

/// The parameters of the function that its description depends on.
fn described_generics(
    function: &Function,
    constants: &Constants,
    unless: Option<&Expr>,
    output: &Type,
) -> Generics {
    let mut mentioned = constants.mentions();
    mentioned.extend(identifiers(unless));
    mentioned.extend(companion::lasting_names(output));
    generics::kept(&function.sig.generics, &mentioned)
}

fn shares(shares: Opt<Shared>, errors: &mut Errors) -> Option<Callee> {
    let shares = shares.value(errors);
    shares.map(|Shared(path)| callee::of(path))
}

fn skip(skip: Opt<Names>, errors: &mut Errors) -> Vec<Ident> {
    let Names(skip) = skip.value(errors).unwrap_or_default();
    skip
}

fn key(sources: &Sources<'_>, is_whole: bool, errors: &mut Errors) -> Key {
    let before = errors.count();
    let key = key::check(sources, errors);
    // A broken name leaves arguments uncovered; saying so would be a second error for one mistake.
    if is_whole && errors.count() == before {
        coverage::check(sources, &key, errors);
    }
    key
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

fn check_output(function: &Function, is_callable: bool, errors: &mut Errors) -> Type {
    let output = output::written(&function.sig);
    match output {
        Some(output) if is_callable => output::check_owned(output, errors),
        None if is_callable => errors.on(
            &function.sig.ident,
            "there is no value to cache; write a return type, or take #[cached] off",
        ),
        _ => {}
    }
    output.cloned().unwrap_or_else(|| parse_quote!(()))
}
