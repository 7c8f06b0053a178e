//! Attribute tokens to options, each with the tokens of its name and of its value. Nothing is judged
//! here but the form, and a broken option does not hide the ones that follow it.
use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use syn::{
    Expr, Token,
    ext::IdentExt,
    parse::{ParseStream, Parser},
    punctuated::Punctuated,
    token,
};

use crate::errors::Errors;

/// One option as written.
pub struct Given {
    pub name: Ident,
    pub value: Value,
}

pub enum Value {
    /// `in_impl`
    Word,
    /// `ttl = "5m"`
    Expr(Box<Expr>),
    /// `skip(pool, trace_id)`
    Names(Vec<Ident>),
}

/// What stands between the parentheses of an attribute.
#[derive(Default)]
pub struct Arguments {
    pub options: Vec<Given>,
    /// The entries that `#[invalidates]` and `#[updates]` name.
    pub targets: Vec<Expr>,
}

/// `name = value`, `name(a, b)` and `name`, separated by commas.
pub fn options(tokens: TokenStream, example: &str, errors: &mut Errors) -> Arguments {
    list(tokens, errors, |input, arguments| {
        arguments.options.push(option(input, example)?);
        Ok(())
    })
}

/// As [`options`], with expressions such as `get_user(id)` between them.
pub fn targets(tokens: TokenStream, errors: &mut Errors) -> Arguments {
    list(tokens, errors, |input, arguments| {
        let is_option =
            input.peek2(Token![=]) && !input.peek2(Token![==]) && !input.peek2(Token![=>]);
        if is_option {
            arguments.options.push(option(input, "after = \"always\"")?);
        } else {
            let target = input.parse().map_err(|error| {
                syn::Error::new(error.span(), "expected the call of a cached function; write its name and arguments, such as get_user(user_id)")
            })?;
            arguments.targets.push(target);
        }
        Ok(())
    })
}

fn list(
    tokens: TokenStream,
    errors: &mut Errors,
    item: impl Fn(ParseStream<'_>, &mut Arguments) -> syn::Result<()>,
) -> Arguments {
    let mut arguments = Arguments::default();
    let parser = |input: ParseStream<'_>| {
        while !input.is_empty() {
            let read = item(input, &mut arguments).and_then(|()| {
                if input.is_empty() || input.peek(Token![,]) {
                    return Ok(());
                }
                Err(input.error("expected a `,` before this"))
            });
            if let Err(error) = read {
                errors.add(error);
                skip_to_comma(input)?;
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    };
    if let Err(error) = parser.parse2(tokens) {
        errors.add(error);
    }
    arguments
}

fn option(input: ParseStream<'_>, example: &str) -> syn::Result<Given> {
    if !input.peek(Ident::peek_any) {
        let message = format!("expected an option; write its name first, such as {example}");
        return Err(input.error(message));
    }
    let name = input.call(Ident::parse_any)?;
    let value = if input.peek(token::Paren) {
        let group: Group = input.parse()?;
        let names = Punctuated::<Ident, Token![,]>::parse_terminated_with;
        let names =
            (|content: ParseStream<'_>| names(content, argument_name)).parse2(group.stream());
        let message = if name == "skip" {
            "`skip` takes names of arguments; write skip(pool, trace_id)".to_owned()
        } else {
            format!("parentheses after `{name}`; write `{name} = ` and the value without them")
        };
        let names = names.map_err(|error| syn::Error::new(error.span(), message))?;
        Value::Names(names.into_iter().collect())
    } else if input.peek(Token![=]) {
        let equals: Token![=] = input.parse()?;
        if input.is_empty() || input.peek(Token![,]) {
            let message = format!("`{name}` has no value; write it after the `=`");
            return Err(syn::Error::new_spanned(equals, message));
        }
        Value::Expr(Box::new(input.parse()?))
    } else if input.is_empty() || input.peek(Token![,]) {
        Value::Word
    } else {
        let message = format!("no `=` after `{name}`; write it between the two");
        return Err(syn::Error::new(input.span(), message));
    };
    Ok(Given { name, value })
}

fn argument_name(input: ParseStream<'_>) -> syn::Result<Ident> {
    input.call(Ident::parse_any)
}

fn skip_to_comma(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}
