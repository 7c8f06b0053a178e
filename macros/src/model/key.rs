//! Template and arguments to the steps that write a key.
use proc_macro2::{Ident, Span};
use syn::{LitStr, Member, Signature, Type};

use super::{
    generics, output,
    prefix::Prefix,
    signature::{Argument, Place},
};
use crate::{
    errors::Errors,
    nearest::nearest,
    template::{self, Form, Placeholder, Segment, Template},
    tokens::plain,
};

pub struct Key {
    /// The template as written, or the one that the arguments make.
    pub text: String,
    pub steps: Vec<Step>,
}

pub enum Step {
    Text(String),
    Part(Box<Part>),
}

/// A value in the key.
pub struct Part {
    pub form: Form,
    pub name: Ident,
    pub fields: Vec<Member>,
    /// Where it is known and can be written in an expression.
    pub ty: Option<Type>,
    /// Where it is asked for.
    pub at: Span,
}

impl Key {
    /// The names that the key needs.
    pub fn names(&self) -> impl Iterator<Item = &Ident> {
        self.steps.iter().filter_map(|step| match step {
            Step::Part(part) => Some(&part.name),
            Step::Text(_) => None,
        })
    }
}

/// What a key is made from.
pub struct Sources<'a> {
    pub sig: &'a Signature,
    pub arguments: &'a [Argument],
    pub prefix: &'a Prefix,
    pub template: Option<LitStr>,
    pub skip: Vec<Ident>,
    pub place: Place,
}

/// Where the template is broken, the key is empty, and nothing is made of it.
pub fn check(sources: &Sources<'_>, errors: &mut Errors) -> Key {
    check_skip(sources, errors);
    match &sources.template {
        Some(literal) => written(sources, literal, errors),
        None => default(sources),
    }
}

fn check_skip(sources: &Sources<'_>, errors: &mut Errors) {
    let (types, consts) = generics::names(&sources.sig.generics);
    let names = sources
        .arguments
        .iter()
        .flat_map(|argument| &argument.names);
    let mut known: Vec<String> = names.chain(types).chain(consts).map(plain).collect();
    known.extend(["self", "Self"].map(str::to_owned));
    for (at, name) in sources.skip.iter().enumerate() {
        if name == "self" && sources.sig.receiver().is_none() {
            errors.on(
                name,
                format!(
                    "`{}` has no `self`; take it out of skip(..)",
                    sources.sig.ident
                ),
            );
        } else if name == "Self" && sources.place == Place::Module {
            let message = "`Self` is the type of an `impl`, and this function stands in none; take it out of skip(..)";
            errors.on(name, message);
        } else if !known.contains(&plain(name)) {
            errors.on(
                name,
                format!(
                    "`{name}` is no argument of `{}`{}",
                    sources.sig.ident,
                    fix(&plain(name), &known[..known.len() - 2], ("", ""))
                ),
            );
        } else if sources.skip[..at].contains(name) {
            errors.on(name, format!("`{name}` is skipped twice; keep one"));
        }
    }
}

/// "; write `user_id`", or the list of names where none is near.
pub fn fix(name: &str, known: &[String], (open, close): (&str, &str)) -> String {
    let shown = |name: &str| format!("`{open}{name}{close}`");
    match (nearest(name, known.iter().map(String::as_str)), known) {
        (Some(near), _) => format!("; write {}", shown(near)),
        (None, []) => "; it has none".to_owned(),
        (None, [only]) => format!("; write {}", shown(only)),
        (None, [rest @ .., last]) => {
            let rest: Vec<_> = rest.iter().map(|name| shown(name)).collect();
            format!("; write {} or {}", rest.join(", "), shown(last))
        }
    }
}

fn written(sources: &Sources<'_>, literal: &LitStr, errors: &mut Errors) -> Key {
    let mut steps = Vec::new();
    let text = literal.value();
    let Some(template) = template::parse(literal, errors) else {
        return named(sources, text);
    };
    template::check_braces(&template, literal, errors);
    check_skipped_and_used(sources, &template, errors);
    for segment in template.segments {
        match segment {
            Segment::Text(text) => steps.push(Step::Text(text)),
            Segment::Placeholder(placeholder) => {
                steps.extend(
                    resolve(sources, placeholder, errors).map(|part| Step::Part(Box::new(part))),
                );
            }
        }
    }
    Key { text, steps }
}

fn check_skipped_and_used(sources: &Sources<'_>, template: &Template, errors: &mut Errors) {
    for name in &sources.skip {
        if template
            .placeholders()
            .any(|placeholder| plain(&placeholder.name) == plain(name))
        {
            errors.on(
                name,
                format!("`{name}` is skipped and in the key; take it out of one of the two"),
            );
        }
    }
}

fn resolve(sources: &Sources<'_>, placeholder: Placeholder, errors: &mut Errors) -> Option<Part> {
    let Placeholder {
        text,
        name,
        fields,
        form,
        span,
    } = placeholder;
    let sought = plain(&name);
    if let (Some(receiver), "self") = (sources.sig.receiver(), sought.as_str()) {
        let name = Ident::new("self", receiver.self_token.span);
        return Some(Part {
            form,
            name,
            fields,
            ty: None,
            at: span,
        });
    }
    for argument in sources.arguments {
        if let Some(bound) = argument.names.iter().find(|bound| plain(bound) == sought) {
            let ty = writable(argument).filter(|_| fields.is_empty());
            return Some(Part {
                form,
                name: bound.clone(),
                fields,
                ty,
                at: span,
            });
        }
    }
    let (types, consts) = generics::names(&sources.sig.generics);
    if let Some(param) = consts.iter().find(|param| plain(param) == sought) {
        return Some(Part {
            form,
            name: (*param).clone(),
            fields,
            ty: None,
            at: span,
        });
    }
    if types.iter().any(|param| plain(param) == sought) {
        errors.at(span, format!("`{text}` is a type and has no text; write prefix = {sought}::PREFIX, or skip({sought})"));
        return None;
    }
    let mut known: Vec<String> = sources
        .arguments
        .iter()
        .flat_map(|argument| &argument.names)
        .chain(consts)
        .map(plain)
        .collect();
    if sources.sig.receiver().is_some() && known.is_empty() {
        known.push("self.field".to_owned());
    }
    errors.at(
        span,
        format!(
            "`{text}` names no argument of `{}`{}",
            sources.sig.ident,
            fix(&sought, &known, ("<", ">"))
        ),
    );
    None
}

/// The type of a plain argument, unless it is one that only a signature can hold.
fn writable(argument: &Argument) -> Option<Type> {
    (argument.is_plain() && output::hidden(&argument.typed.ty).is_none())
        .then(|| (*argument.typed.ty).clone())
}

/// The arguments that a broken template probably means, for what stands beside the function.
fn named(sources: &Sources<'_>, text: String) -> Key {
    let is_named = |step: &Step| match step {
        Step::Part(part) => text.contains(&plain(&part.name)),
        Step::Text(_) => false,
    };
    let mut steps = default(sources).steps;
    steps.retain(is_named);
    Key { text, steps }
}

/// Every argument that is not skipped, in order.
fn default(sources: &Sources<'_>) -> Key {
    let mut key = Key {
        text: String::new(),
        steps: Vec::new(),
    };
    for argument in sources.arguments {
        for name in argument
            .names
            .iter()
            .filter(|name| !sources.skips(&plain(name)))
        {
            if !key.steps.is_empty() {
                key.text.push(':');
                key.steps.push(Step::Text(":".to_owned()));
            }
            key.text.extend(["<", &plain(name), ">"]);
            let part = Part {
                form: Form::Display,
                name: name.clone(),
                fields: Vec::new(),
                ty: writable(argument),
                at: name.span(),
            };
            key.steps.push(Step::Part(Box::new(part)));
        }
    }
    key
}

impl Sources<'_> {
    pub fn skips(&self, name: &str) -> bool {
        self.skip.iter().any(|skipped| plain(skipped) == name)
    }
}
