//! `#[tag("org:<org_id>")]`: the template of a tag and the signature that it stands on.
use proc_macro2::TokenStream;
use syn::{
    Attribute, LitStr, Path, ReturnType, Signature, Token, Visibility,
    parse::{Parse, ParseStream, Parser},
    parse_quote,
};

use super::{
    key::{self, Sources, Step},
    prefix::Prefix,
    signature::{self, Argument, Place},
};
use crate::{errors::Errors, tokens::plain};

/// A function without a body.
pub struct Declaration {
    pub attrs: Vec<Attribute>,
    pub vis: Visibility,
    pub sig: Signature,
}

impl Parse for Declaration {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let sig: Signature = input.parse().map_err(|error: syn::Error| {
            let message =
                "not a function; write one without a body, such as fn org(org_id: u64) -> Tag;";
            syn::Error::new(error.span(), message)
        })?;
        if !input.peek(Token![;]) {
            let message = "a tag is all in its template; write a `;` in the place of the body";
            return Err(input.error(message));
        }
        input.parse::<Token![;]>()?;
        Ok(Self { attrs, vis, sig })
    }
}

pub struct TagFunction {
    pub runtime: Path,
    pub declaration: Declaration,
    pub arguments: Vec<Argument>,
    pub steps: Vec<Step>,
}

/// `"org:<org_id>"`, and after it `crate = path`.
fn read(input: ParseStream<'_>) -> syn::Result<(LitStr, Path)> {
    let example = "expected the template of the tag; write #[tag(\"org:<org_id>\")]";
    let literal = input
        .parse()
        .map_err(|error| syn::Error::new(error.span(), example))?;
    let mut runtime = parse_quote!(::millpond);
    if input.parse::<Option<Token![,]>>()?.is_some() && !input.is_empty() {
        input.parse::<Token![crate]>().map_err(|error| {
            syn::Error::new(
                error.span(),
                "there is no such option; write crate = path, or leave it out",
            )
        })?;
        input.parse::<Token![=]>()?;
        runtime = input.parse()?;
        input.parse::<Option<Token![,]>>()?;
    }
    Ok((literal, runtime))
}

pub fn check(options: TokenStream, declaration: Declaration) -> syn::Result<TagFunction> {
    let (literal, runtime) = read.parse2(options)?;
    let mut errors = Errors::new();
    let sig = &declaration.sig;
    if let Some(asyncness) = &sig.asyncness {
        errors.on(
            asyncness,
            "a tag is made at once; write `fn` without `async`",
        );
    }
    if let Some(receiver) = sig.receiver() {
        errors.on(receiver, "a tag stands on a free function; put it beside the `impl`, and take a field as an argument");
    }
    if let ReturnType::Default = sig.output {
        let message = format!(
            "the return type is missing; write `-> Tag` behind the arguments of `{}`",
            sig.ident
        );
        errors.on(&sig.ident, message);
    }
    let arguments = signature::arguments(sig);
    let prefix = Prefix::Literal(literal.clone());
    let sources = Sources {
        sig,
        arguments: &arguments,
        prefix: &prefix,
        template: Some(literal),
        skip: Vec::new(),
        place: Place::Module,
    };
    let before = errors.count();
    let key = key::check(&sources, &mut errors);
    if errors.count() == before {
        for name in arguments.iter().flat_map(|argument| &argument.names) {
            let text = plain(name);
            if !key.names().any(|used| plain(used) == text) {
                let message = format!(
                    "`{text}` is not in the tag, so it changes nothing; write `<{text}>` in the template, or take the argument off"
                );
                errors.on(name, message);
            }
        }
    }
    errors.finish()?;
    Ok(TagFunction {
        runtime,
        declaration,
        arguments,
        steps: key.steps,
    })
}
