//! Attribute tokens to `darling`'s items, one for each option. Nothing is judged here but the form, and a
//! broken option does not hide the ones that follow it.
use darling::ast::{MetaNameValueInvalidExpr, NestedMeta};
use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use syn::{
    Expr, MacroDelimiter, Meta, MetaList, MetaNameValue, Path, Token,
    ext::IdentExt,
    parse::{ParseStream, Parser, discouraged::Speculative},
    token,
};

use crate::errors::Errors;

/// One option as written.
pub struct Written {
    pub name: Ident,
    /// A value that could not be read, which is reported, is an invalid expression.
    pub item: NestedMeta,
}

impl Written {
    fn new(name: Ident, meta: impl FnOnce(Path) -> Meta) -> Self {
        let item = NestedMeta::Meta(meta(name.clone().into()));
        Self { name, item }
    }

    /// The option `name`, of which only the name is known.
    pub fn lost(name: Ident) -> Self {
        let item = NestedMeta::NameValueInvalidExpr(MetaNameValueInvalidExpr {
            path: name.clone().into(),
            eq_token: Token![=](name.span()),
            value: TokenStream::new(),
            error: darling::Error::custom("reported where it was read"),
        });
        Self { name, item }
    }
}

/// What stands between the parentheses of an attribute.
#[derive(Default)]
pub struct Arguments {
    pub options: Vec<Written>,
    /// The entries that `#[invalidates]` and `#[updates]` name.
    pub targets: Vec<Expr>,
    /// Something had not even a name, so it may have been any option.
    pub is_partial: bool,
}

/// `name = value`, `name(a, b)` and `name`, separated by commas.
pub fn options(tokens: TokenStream, example: &str, errors: &mut Errors) -> Arguments {
    list(tokens, errors, |input, arguments, errors| {
        option(input, example, arguments, errors)
    })
}

/// As [`options`], with expressions such as `get_user(id)` between them.
pub fn targets(tokens: TokenStream, errors: &mut Errors) -> Arguments {
    list(tokens, errors, |input, arguments, errors| {
        let is_option =
            input.peek2(Token![=]) && !input.peek2(Token![==]) && !input.peek2(Token![=>]);
        if is_option {
            return option(input, "after = \"always\"", arguments, errors);
        }
        let target = input.parse().map_err(|error| {
            syn::Error::new(error.span(), "expected the call of a cached function; write its name and arguments, such as get_user(user_id)")
        })?;
        arguments.targets.push(target);
        Ok(())
    })
}

fn list(
    tokens: TokenStream,
    errors: &mut Errors,
    item: impl Fn(ParseStream<'_>, &mut Arguments, &mut Errors) -> syn::Result<()>,
) -> Arguments {
    let mut arguments = Arguments::default();
    let parser = |input: ParseStream<'_>| {
        while !input.is_empty() {
            let read = item(input, &mut arguments, errors).and_then(|()| {
                if input.is_empty() || input.peek(Token![,]) {
                    return Ok(());
                }
                Err(input.error(if input.peek(Token![;]) {
                    "expected a `,` instead of this"
                } else {
                    "expected a `,` before this"
                }))
            });
            if let Err(error) = read {
                arguments.is_partial = true;
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
        arguments.is_partial = true;
        errors.add(error);
    }
    arguments
}

/// `Err` where not even the name can be read.
fn option(
    input: ParseStream<'_>,
    example: &str,
    arguments: &mut Arguments,
    errors: &mut Errors,
) -> syn::Result<()> {
    if !input.peek(Ident::peek_any) {
        let message = format!("expected an option; write its name first, such as {example}");
        return Err(input.error(message));
    }
    let name = input.call(Ident::parse_any)?;
    let written = value(input, &name).or_else(|error| {
        errors.add(error);
        skip_to_comma(input)?;
        syn::Result::Ok(Written::lost(name))
    })?;
    arguments.options.push(written);
    Ok(())
}

fn value(input: ParseStream<'_>, name: &Ident) -> syn::Result<Written> {
    if input.peek(token::Paren) {
        let group: Group = input.parse()?;
        let tokens = group.stream();
        let delimiter = MacroDelimiter::Paren(token::Paren(group.span()));
        let list = |path| {
            Meta::List(MetaList {
                path,
                delimiter,
                tokens,
            })
        };
        Ok(Written::new(name.clone(), list))
    } else if input.peek(Token![=]) {
        let eq_token: Token![=] = input.parse()?;
        if input.is_empty() || input.peek(Token![,]) {
            let message = format!("`{name}` has no value; write it after the `=`");
            return Err(syn::Error::new_spanned(eq_token, message));
        }
        let value = one_value(input)?;
        let pair = |path| {
            Meta::NameValue(MetaNameValue {
                path,
                eq_token,
                value,
            })
        };
        Ok(Written::new(name.clone(), pair))
    } else if input.is_empty() || input.peek(Token![,]) {
        Ok(Written::new(name.clone(), Meta::Path))
    } else {
        let message = format!("no `=` after `{name}`; write it between the two");
        Err(syn::Error::new(input.span(), message))
    }
}

/// What stands up to the comma. What is no expression, as `<id>`, or more than one, as `5 m`, is a value that no
/// option takes, so that the option says what to write.
fn one_value(input: ParseStream<'_>) -> syn::Result<Expr> {
    let is_option = |input: ParseStream<'_>| {
        input.peek(Ident::peek_any) && (input.peek2(Token![=]) || input.peek2(token::Paren))
    };
    let ends = |input: ParseStream<'_>| {
        input.is_empty() || input.peek(Token![,]) || input.peek(Token![;]) || is_option(input)
    };
    let ahead = input.fork();
    let value = ahead.parse();
    if value.is_ok() && ends(&ahead) {
        input.advance_to(&ahead);
        return value;
    }
    let mut tokens = TokenStream::new();
    while tokens.is_empty() || !ends(input) {
        tokens.extend([input.parse::<TokenTree>()?]);
    }
    Ok(Expr::Verbatim(tokens))
}

fn skip_to_comma(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}
