//! `tags(org(org_id), "team:<team_id>")`: the groups that an entry belongs to.
use std::collections::HashSet;

use darling::FromMeta;
use proc_macro2::Ident;
use syn::{
    Expr, ExprLit, Lit, LitStr, Meta, Token,
    parse::{ParseStream, Parser},
    punctuated::Punctuated,
    visit::Visit,
};

use super::{
    generics,
    key::{self, Sources, Step},
    option::{Opt, at_name, name_of, ungrouped, wrong},
};
use crate::{
    errors::Errors,
    tokens::{identifiers, plain, text},
};

/// How many an entry can have.
const MOST: usize = 16;

/// As written.
pub struct TagList(Vec<Expr>);

impl FromMeta for TagList {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let name = name_of(item);
        let example = format!(
            "`{name}` takes tags in parentheses; write {name}(org(org_id), \"team:<team_id>\")"
        );
        let Meta::List(list) = item else {
            return Err(at_name(item, example));
        };
        let each = |input: ParseStream<'_>| Punctuated::<Expr, Token![,]>::parse_terminated(input);
        let tags = each
            .parse2(list.tokens.clone())
            .map_err(|error| wrong(&example).with_span(&error.span()))?;
        if tags.is_empty() {
            return Err(at_name(item, example));
        }
        Ok(Self(tags.into_iter().collect()))
    }
}

/// One tag of an entry.
pub enum Tag {
    /// `org(org_id)`: an expression that gives one.
    Typed(Box<Expr>),
    /// `"team:<team_id>"`
    Text(Vec<Step>),
}

impl Tag {
    /// The names that it needs.
    pub fn names(&self) -> HashSet<String> {
        match self {
            Self::Typed(expr) => identifiers(expr),
            Self::Text(steps) => steps
                .iter()
                .filter_map(|step| match step {
                    Step::Part(part) => Some(plain(&part.name)),
                    Step::Text(_) => None,
                })
                .collect(),
        }
    }
}

pub fn check(given: Opt<TagList>, sources: &Sources<'_>, errors: &mut Errors) -> Vec<Tag> {
    let TagList(list) = given.value(errors).unwrap_or(TagList(Vec::new()));
    if let Some(over) = list.get(MOST) {
        errors.on(
            over,
            format!("more than {MOST} tags; write one that stands for several"),
        );
    }
    list.iter()
        .filter_map(|expr| tag(ungrouped(expr), sources, errors))
        .collect()
}

fn tag(expr: &Expr, sources: &Sources<'_>, errors: &mut Errors) -> Option<Tag> {
    match expr {
        Expr::Lit(ExprLit {
            lit: Lit::Str(literal),
            ..
        }) => Some(Tag::Text(steps(literal, sources, errors))),
        Expr::Call(_) | Expr::MethodCall(_) => {
            check_arguments(expr, sources, errors);
            Some(Tag::Typed(Box::new(expr.clone())))
        }
        Expr::Path(path) => {
            let name = text(path);
            errors.on(
                path,
                format!("`{name}` has no arguments; write {name}(..) with those of the tag"),
            );
            None
        }
        other => {
            errors.on(
                other,
                "not a tag; write one with its arguments, such as org(org_id), or a template, such as \"org:<org_id>\"",
            );
            None
        }
    }
}

fn steps(literal: &LitStr, sources: &Sources<'_>, errors: &mut Errors) -> Vec<Step> {
    let sources = Sources {
        template: Some(literal.clone()),
        skip: Vec::new(),
        ..*sources
    };
    key::check(&sources, errors).steps
}

/// A plain name that is no argument would be looked for in the whole file.
fn check_arguments(expr: &Expr, sources: &Sources<'_>, errors: &mut Errors) {
    let arguments = sources
        .arguments
        .iter()
        .flat_map(|argument| &argument.names);
    let (_, consts) = generics::names(&sources.sig.generics);
    let known: Vec<String> = arguments.chain(consts).map(plain).collect();
    let mut unknown = Unknown {
        known: &known,
        found: Vec::new(),
    };
    unknown.visit_expr(expr);
    for name in unknown.found {
        let text = plain(&name);
        let fix = key::fix(&text, &known, ("", ""));
        let function = &sources.sig.ident;
        errors.on(
            &name,
            format!("`{text}` names no argument of `{function}`{fix}"),
        );
    }
}

struct Unknown<'a> {
    known: &'a [String],
    found: Vec<Ident>,
}

impl<'ast> Visit<'ast> for Unknown<'_> {
    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        // What is called is a function, wherever it stands.
        call.args
            .iter()
            .for_each(|argument| self.visit_expr(argument));
    }

    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        let Some(name) = path.path.get_ident() else {
            return;
        };
        let text = plain(name);
        let is_variable = text.starts_with(|c: char| c.is_lowercase() || c == '_');
        if is_variable && text != "self" && !self.known.contains(&text) {
            self.found.push(name.clone());
        }
    }

    /// A closure has names of its own.
    fn visit_expr_closure(&mut self, _: &'ast syn::ExprClosure) {}

    fn visit_expr_block(&mut self, _: &'ast syn::ExprBlock) {}
}
