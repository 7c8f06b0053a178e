//! What the catalogue is told, at link time: a macro of the runtime, which is empty without its feature. Nothing in it
//! may be a parameter of what stands around, since it becomes an item.
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Expr, Path};

use super::callee::named_type;
use crate::{
    model::{
        batch::Batch,
        cache::{Cache, SharedErrors},
        callee::Callee,
        companion::Companion,
        constants::Constants,
        duration::Length,
        key::{Part, Step},
        limit::Limited,
        mutation::{Effect, Mutation, Target},
        prefix::Prefix,
        tag::TagFunction,
        tags::Tag,
    },
    template::Form,
    tokens::{self, plain, respanned},
};

/// What a function is called and where it stands: `module::name (file:line)`.
pub fn name(function: &Ident) -> TokenStream {
    let name = format!("::{} (", plain(function));
    quote_spanned! {Span::mixed_site()=>
        ::core::concat!(::core::module_path!(), #name, ::core::file!(), ":", ::core::line!(), ")")
    }
}

/// Tokens as one would write them.
fn text(tokens: impl ToTokens) -> String {
    tokens::text(tokens).replace(" . ", ".")
}

fn told(runtime: &Path, site: &TokenStream) -> TokenStream {
    quote_spanned!(Span::mixed_site()=> #runtime::__private::catalogued! { #site })
}

/// A cached function; `description` is the static that describes it, if an item can.
pub fn cached(cache: &Cache, description: Option<&Ident>) -> TokenStream {
    let Cache {
        runtime, function, ..
    } = cache;
    let returns = text(&cache.output);
    let described = if let Some(description) = description {
        quote_spanned!(Span::mixed_site()=> known(&#description, #returns))
    } else {
        let name = name(&function.sig.ident);
        let prefix = match &cache.constants.prefix {
            Prefix::Literal(literal) => literal.value(),
            Prefix::Const(path) => text(path),
        };
        let template = &cache.key.text;
        let ttl = match &cache.constants.ttl {
            Length::Known(ttl) => format!("{}s", ttl.as_secs_f64()),
            Length::Const(expr) => text(expr),
        };
        quote_spanned!(Span::mixed_site()=> by_text(#name, #prefix, #template, #ttl, #returns))
    };
    let companion = match &cache.companion {
        Companion::None => TokenStream::new(),
        Companion::Beside { name, .. } => {
            let name = respanned(name, Span::mixed_site());
            quote_spanned!(Span::mixed_site()=> .companion::<#name>())
        }
        Companion::Within { name, .. } => {
            let name = plain(name);
            quote_spanned!(Span::mixed_site()=> .method(#name))
        }
    };
    let value = cache.lasting_output.as_ref().map(|output| {
        quote_spanned! {Span::mixed_site()=>
            .value(|| {
                use #runtime::__private::kinds::*;
                #runtime::__private::value_name((&&&&#runtime::__private::ReturnType::<#output>::new()).mutation_kind())
            })
        }
    });
    let tags = cache.tags.iter().map(|tag| match tag {
        Tag::Typed(expr) => text(expr),
        Tag::Text(steps) => format!("\"{}\"", template(steps)),
    });
    let tags: Vec<_> = tags.collect();
    let tags =
        (!tags.is_empty()).then(|| quote_spanned!(Span::mixed_site()=> .tags(&[#(#tags),*])));
    let on = cache.on.as_ref().map(|on| {
        let text = text(on);
        quote_spanned!(Span::mixed_site()=> .on(#text))
    });
    let written = written(cache);
    let written = (!written.is_empty())
        .then(|| quote_spanned!(Span::mixed_site()=> .written(&[#(#written),*])));
    told(
        runtime,
        &quote_spanned! {Span::mixed_site()=>
            #runtime::__private::FunctionSite::#described #companion #value #tags #on #written
        },
    )
}

/// The options of which the description says nothing, or not how they were written.
fn written(cache: &Cache) -> Vec<String> {
    let Constants {
        ttl_of, tags_of, ..
    } = &cache.constants;
    let named: [(&str, Option<&Expr>); 4] = [
        ("ttl_of", ttl_of.as_ref()),
        ("tags_of", tags_of.as_ref()),
        ("when", cache.when.as_ref()),
        ("unless", cache.unless.as_ref()),
    ];
    let named = named.into_iter();
    let mut written: Vec<String> = named
        .filter_map(|(name, expr)| Some(format!("{name} = {}", text(expr?))))
        .collect();
    if cache.errors == SharedErrors::Off {
        written.push("share_errors = false".to_owned());
    }
    written
}

pub fn mutation(mutation: &Mutation) -> TokenStream {
    let Mutation {
        runtime, function, ..
    } = mutation;
    let invalidates = |target: &Target| self::target(runtime, target, "invalidates");
    let targets: Vec<_> = match &mutation.effect {
        Effect::Invalidate { early, late, .. } => {
            early.iter().chain(late).map(invalidates).collect()
        }
        Effect::Update {
            updated,
            invalidated,
        } => updated
            .iter()
            .map(|target| self::target(runtime, target, "updates"))
            .chain(invalidated.iter().map(invalidates))
            .collect(),
    };
    let name = name(&function.sig.ident);
    told(
        runtime,
        &quote_spanned! {Span::mixed_site()=>
            {
                const TARGETS: &[#runtime::__private::MutationTarget] = &[#(#targets),*];
                #runtime::__private::MutationSite::new(#name, TARGETS)
            }
        },
    )
}

/// The batch form of a cached function.
pub fn batch(batch: &Batch) -> TokenStream {
    let Batch {
        runtime, function, ..
    } = batch;
    let name = name(&function.sig.ident);
    let of = target(runtime, &batch.of, "updates");
    let site = quote_spanned!(Span::mixed_site()=> #runtime::__private::BatchSite::new(#name, #of));
    told(runtime, &site)
}

fn target(runtime: &Path, target: &Target, effect: &str) -> TokenStream {
    let arguments: Vec<_> = target.arguments.iter().map(|it| text(&it.expr)).collect();
    let arguments = if target.is_all {
        "..".to_owned()
    } else {
        arguments.join(", ")
    };
    let (shown, named) = match &target.callee {
        Callee::Companion(path) => {
            let companion = named_type(path);
            let named = quote_spanned!(Span::mixed_site()=> .companion::<#companion>());
            (text(path), named)
        }
        Callee::Function(path) => {
            let mut shown = path.clone();
            let mut entry = String::new();
            if let Some(last) = shown.path.segments.last_mut() {
                entry = plain(&last.ident);
                last.ident = without_entry(&last.ident);
            }
            let named = quote_spanned!(Span::mixed_site()=> .method(#entry));
            (text(shown), named)
        }
        Callee::Method(receiver, name, _) => {
            let entry = plain(name);
            let named = quote_spanned!(Span::mixed_site()=> .method(#entry));
            let shown = format!("{}.{}", text(receiver), without_entry(name));
            (shown, named)
        }
    };
    let shown = format!("{shown}({arguments})");
    let effect = Ident::new(effect, Span::mixed_site());
    quote_spanned!(Span::mixed_site()=> #runtime::__private::MutationTarget::#effect(#shown) #named)
}

/// The method that an entry belongs to.
fn without_entry(name: &Ident) -> Ident {
    let text = plain(name);
    let stem = text.strip_suffix("_entry").unwrap_or(&text);
    format_ident!("{stem}", span = name.span())
}

/// A limit; `item` is the constant that holds it, if one can.
pub fn limit(limited: &Limited, item: Option<&Ident>) -> TokenStream {
    let runtime = &limited.runtime;
    let name = name(&limited.function.sig.ident);
    let (what, caller) = (&limited.mark.limit, &limited.mark.caller);
    let known = item.map(|item| quote_spanned!(Span::mixed_site()=> .known(&#item)));
    told(
        runtime,
        &quote_spanned! {Span::mixed_site()=>
            #runtime::__private::LimitSite::new(#name, #what, #caller) #known
        },
    )
}

pub fn tag(function: &TagFunction) -> TokenStream {
    let runtime = &function.runtime;
    let companion = respanned(&function.declaration.sig.ident, Span::mixed_site());
    let name = name(&function.declaration.sig.ident);
    let template = template(&function.steps);
    told(
        runtime,
        &quote_spanned! {Span::mixed_site()=>
            #runtime::__private::TagSite::new::<#companion>(#name, #template)
        },
    )
}

/// A template as it was written.
fn template(steps: &[Step]) -> String {
    let step = |step: &Step| match step {
        Step::Text(text) => text.replace('<', "<<").replace('>', ">>"),
        Step::Part(part) => {
            let Part {
                form, name, fields, ..
            } = &**part;
            let fields: Vec<_> = fields.iter().map(|field| quote!(.#field)).collect();
            let fields = text(quote!(#(#fields)*)).replace(". ", ".");
            let form = match form {
                Form::Display => "",
                Form::Optional => "?",
                Form::Hashed => ":sha256",
            };
            format!("<{}{fields}{form}>", plain(name))
        }
    };
    steps.iter().map(step).collect()
}
