//! `key!`: a template of which the first segment is the prefix, over variables in scope.
use proc_macro2::{Ident, Span, TokenStream};
use syn::{
    Expr, ExprPath, LitStr, Path, Token,
    parse::{ParseStream, Parser},
    parse_quote,
};

use super::{
    key::{Part, Step},
    prefix::{self, Prefix},
    spelling::Scope,
};
use crate::{
    errors::Errors,
    template::{self, Placeholder, Segment, Template},
};

/// What `key!` was given.
pub struct Bare {
    pub runtime: Path,
    pub prefix: Prefix,
    /// An item can hold the prefix, so that it is checked even where the key is never made.
    pub is_checked_early: bool,
    pub steps: Vec<Step>,
}

/// `key!("user:<id>")`, `key!(prefix::USER, "<id>")`, either with `crate = path` in front.
pub fn check(input: TokenStream) -> syn::Result<Bare> {
    let (runtime, path, literal) = read_bare.parse2(input)?;
    let mut errors = Errors::new();
    let template = template::parse(&literal, &mut errors);
    let bare = template.and_then(|template| bare(runtime, path, template, &literal, &mut errors));
    errors.finish()?;
    bare.ok_or_else(|| syn::Error::new_spanned(&literal, "not a key; write key!(\"user:<id>\")"))
}

fn read_bare(input: ParseStream<'_>) -> syn::Result<(Path, Option<ExprPath>, LitStr)> {
    let mut runtime = parse_quote!(::millpond);
    if input.peek(Token![crate]) && input.peek2(Token![=]) {
        input.parse::<Token![crate]>()?;
        input.parse::<Token![=]>()?;
        runtime = input.parse()?;
        input.parse::<Token![,]>()?;
    }
    if input.is_empty() {
        let message = "nothing to make a key from; write key!(\"user:<id>\")";
        return Err(syn::Error::new(Span::call_site(), message));
    }
    let path = if input.peek(LitStr) {
        None
    } else {
        let path: Expr = input.parse()?;
        let Expr::Path(path) = path else {
            return Err(syn::Error::new_spanned(
                path,
                "expected a template; write key!(\"user:<id>\") or key!(prefix::USER, \"<id>\")",
            ));
        };
        input.parse::<Option<Token![,]>>()?;
        Some(path)
    };
    if !input.peek(LitStr) {
        return Err(syn::Error::new(
            input.span(),
            "expected a template; write key!(\"user:<id>\") or key!(prefix::USER, \"<id>\")",
        ));
    }
    let literal = input.parse()?;
    input.parse::<Option<Token![,]>>()?;
    if !input.is_empty() {
        return Err(
            input.error("key! takes variables by name; write them in the template, such as `<id>`")
        );
    }
    Ok((runtime, path, literal))
}

/// Who comes from `format!` writes `{id}`, and would get one key for all: a key of nothing but text that
/// has a variable's name in braces.
fn check_meant(template: &Template, literal: &LitStr, errors: &mut Errors) {
    let [Segment::Text(text)] = &template.segments[..] else {
        return;
    };
    let braced = text
        .split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'));
    if let Some((name, _)) = braced
        && syn::parse_str::<Ident>(name).is_ok()
    {
        errors.on(
            literal,
            format!("`{{{name}}}` is text, not the variable; write `<{name}>`"),
        );
    }
}

fn bare(
    runtime: Path,
    path: Option<ExprPath>,
    template: Template,
    literal: &LitStr,
    errors: &mut Errors,
) -> Option<Bare> {
    template::check_braces(&template, literal, errors);
    check_meant(&template, literal, errors);
    let mut segments = template.segments.into_iter().peekable();
    let mut steps = Vec::new();
    let prefix = if let Some(path) = path {
        Prefix::Const(path)
    } else {
        let first = segments.next_if(|segment| matches!(segment, Segment::Text(_)));
        let Some(Segment::Text(text)) = first else {
            errors.on(
                literal,
                "a key begins with a word; write one before the first `:`, such as \"user:<id>\"",
            );
            return None;
        };
        let (prefix, rest) = text.split_once(':').unwrap_or((&text, ""));
        if segments.peek().is_some() && !text.contains(':') {
            errors.on(
                literal,
                format!("no `:` after `{text}`; write \"{text}:\" and then the rest"),
            );
        }
        if rest.is_empty() && text.contains(':') && segments.peek().is_none() {
            errors.on(
                literal,
                format!("nothing follows the `:`; write \"{prefix}:<id>\""),
            );
        }
        let prefix = LitStr::new(prefix, literal.span());
        if let Some(message) = prefix::mistake(&prefix.value()) {
            errors.on(&prefix, message);
        }
        if !rest.is_empty() {
            steps.push(Step::Text(rest.to_owned()));
        }
        Prefix::Literal(prefix)
    };
    steps.extend(segments.map(|segment| match segment {
        Segment::Text(text) => Step::Text(text),
        Segment::Placeholder(Placeholder {
            name,
            fields,
            form,
            span,
            ..
        }) => Step::Part(Box::new(Part {
            form,
            name,
            fields,
            ty: None,
            at: span,
        })),
    }));
    let is_checked_early = match &prefix {
        Prefix::Const(path) => Scope::UNKNOWN.is_constant(path),
        Prefix::Literal(_) => false,
    };
    Some(Bare {
        runtime,
        prefix,
        is_checked_early,
        steps,
    })
}
