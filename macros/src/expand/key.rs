//! The steps of a key as calls of the writer, and `key!`, which is nothing else.
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Path, Type, TypePath};

use crate::{
    model::{
        bare::{self, Bare},
        key::{Part, Step},
        prefix::Prefix,
    },
    template::Form,
};

pub fn expand(input: TokenStream) -> TokenStream {
    match bare::check(input) {
        Ok(bare) => bare_key(&bare),
        Err(errors) => {
            let errors = errors.into_compile_error();
            // A value of the right type, so that nothing else is reported.
            quote!({ #errors; ::core::unreachable!() })
        }
    }
}

fn bare_key(bare: &Bare) -> TokenStream {
    let runtime = &bare.runtime;
    let text = prefix(&bare.prefix);
    let prefix = match &bare.prefix {
        Prefix::Literal(_) => text,
        Prefix::Const(_) => {
            let check =
                quote_spanned!(Span::mixed_site()=> #runtime::__private::check_prefix(#text););
            let early = bare
                .is_checked_early
                .then(|| quote_spanned!(Span::mixed_site()=> const _: () = #check));
            quote_spanned!(Span::mixed_site()=> { #early const { #check #text } })
        }
    };
    let writer = quote_spanned!(Span::mixed_site()=> #runtime::__private::KeyWriter::bare(#prefix));
    written(&writer, &bare.steps)
}

pub fn prefix(prefix: &Prefix) -> TokenStream {
    match prefix {
        Prefix::Literal(literal) => literal.to_token_stream(),
        Prefix::Const(path) => path.to_token_stream(),
    }
}

/// A block that makes the key; nothing of it lives on.
pub fn written(writer: &TokenStream, steps: &[Step]) -> TokenStream {
    let name = Ident::new("writer", Span::mixed_site());
    let writing = writing(&name, writer, steps);
    quote_spanned! {Span::mixed_site()=>
        {
            #writing
            #name.finish()
        }
    }
}

/// The statements that leave a writer of this name with all of a key.
pub fn writing(name: &Ident, writer: &TokenStream, steps: &[Step]) -> TokenStream {
    let steps = steps.iter().map(|step| self::step(name, step));
    quote_spanned! {Span::mixed_site()=>
        let mut #name = #writer;
        #(#steps)*
    }
}

/// The key as far as it is made of what may be short, as an expression; nothing if something in it never is.
pub fn short(runtime: &Path, steps: &[Step]) -> Option<TokenStream> {
    let calls: TokenStream = steps.iter().map(short_step).collect::<Option<_>>()?;
    Some(quote_spanned!(Span::mixed_site()=> #runtime::__private::ShortKey::new(function) #calls))
}

/// Nothing for what is never short.
fn short_step(step: &Step) -> Option<TokenStream> {
    match step {
        Step::Text(text) => Some(quote_spanned!(Span::mixed_site()=> .literal(#text))),
        Step::Part(part) => {
            let ty = direct_type(part)?;
            let value = value(part, Span::mixed_site());
            Some(quote_spanned!(Span::mixed_site()=> .of::<#ty>().part #value))
        }
    }
}

fn step(writer: &Ident, step: &Step) -> TokenStream {
    let part = match step {
        Step::Text(text) => return quote_spanned!(Span::mixed_site()=> #writer.literal(#text);),
        Step::Part(part) => &**part,
    };
    let method = match part.form {
        Form::Display => "part",
        Form::Optional => "optional",
        Form::Hashed => "hashed",
    };
    // A missing trait is reported at the user's own type, or where the value is asked for.
    let at = Span::mixed_site().located_at(part.at);
    let method = Ident::new(method, at);
    let value = value(part, at);
    if let Some(ty) = direct_type(part) {
        return quote_spanned!(Span::mixed_site()=> #writer.of::<#ty>().#method #value;);
    }
    let turbofish = part.ty.as_ref().map(|ty| quote!(::<#ty>));
    quote_spanned!(Span::mixed_site()=> #writer.#method #turbofish #value;)
}

/// In parentheses.
fn value(part: &Part, at: Span) -> TokenStream {
    let Part { name, fields, .. } = part;
    quote_spanned!(at=> (&#name #(.#fields)*))
}

/// The type of a part that is written faster if it is what its name says.
fn direct_type(part: &Part) -> Option<&Type> {
    let is_direct = |ty: &&Type| spells_integer(ty) || spells_text(ty);
    let ty = part.ty.as_ref().filter(is_direct);
    ty.filter(|_| matches!(part.form, Form::Display))
}

fn spells_integer(ty: &Type) -> bool {
    const INTEGERS: [&str; 10] = [
        "u8", "u16", "u32", "u64", "usize", "i8", "i16", "i32", "i64", "isize",
    ];
    let Type::Path(TypePath {
        qself: None, path, ..
    }) = ty
    else {
        return false;
    };
    INTEGERS.iter().any(|name| path.is_ident(name))
}

/// `&str`, with any lifetime, or `String`.
fn spells_text(ty: &Type) -> bool {
    match ty {
        Type::Reference(reference) => {
            reference.mutability.is_none() && is_named(&reference.elem, "str")
        }
        ty => is_named(ty, "String"),
    }
}

fn is_named(ty: &Type, name: &str) -> bool {
    matches!(ty, Type::Path(TypePath { qself: None, path, .. }) if path.is_ident(name))
}
