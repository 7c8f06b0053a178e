//! Template and arguments to the steps that write a key.
use std::collections::HashSet;

use proc_macro2::{Ident, Span};
use syn::{LitStr, Member, Signature, Type};

use super::{generics, output, prefix::Prefix, signature::Argument, spelling::value_type};
use crate::{
    errors::Errors,
    nearest::nearest,
    template::{self, Form, Placeholder, Segment, Template},
    tokens::{identifiers, plain},
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
    pub template: Option<&'a LitStr>,
    pub skip: &'a [Ident],
    /// Nothing of the attribute was lost to another mistake.
    pub is_whole: bool,
}

/// Where the template is broken, the key is empty, and nothing is made of it.
pub fn check(sources: &Sources<'_>, errors: &mut Errors) -> Key {
    let before = errors.count();
    check_skip(sources, errors);
    let key = match sources.template {
        Some(literal) => written(sources, literal, errors),
        None => default(sources),
    };
    // A broken name leaves arguments uncovered; saying so would be a second error for one mistake.
    if sources.is_whole && errors.count() == before {
        check_covered(sources, &key, errors);
        check_generics(sources, &key, errors);
    }
    key
}

fn check_skip(sources: &Sources<'_>, errors: &mut Errors) {
    let (types, consts) = generics::names(&sources.sig.generics);
    let names = sources
        .arguments
        .iter()
        .flat_map(|argument| &argument.names);
    let known: Vec<String> = names.chain(types).chain(consts).map(plain).collect();
    for (at, name) in sources.skip.iter().enumerate() {
        if name == "self" {
            errors.on(name, "`self` is in the key only where the template says `<self.field>`; take it out of skip(..)");
        } else if !known.contains(&plain(name)) {
            errors.on(
                name,
                format!(
                    "`{name}` is no argument of `{}`{}",
                    sources.sig.ident,
                    fix(&plain(name), &known, ("", ""))
                ),
            );
        } else if sources.skip[..at].contains(name) {
            errors.on(name, format!("`{name}` is skipped twice; keep one"));
        }
    }
}

/// "; write `user_id`", or the list of names where none is near.
fn fix(name: &str, known: &[String], (open, close): (&str, &str)) -> String {
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
        return Key { text, steps };
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
    for name in sources.skip {
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
            .filter(|name| !is_skipped(sources, name))
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

fn is_skipped(sources: &Sources<'_>, name: &Ident) -> bool {
    sources
        .skip
        .iter()
        .any(|skipped| plain(skipped) == plain(name))
}

/// An argument that the key leaves out by mistake makes one caller see what another asked for.
fn check_covered(sources: &Sources<'_>, key: &Key, errors: &mut Errors) {
    for name in sources
        .arguments
        .iter()
        .flat_map(|argument| &argument.names)
    {
        if !is_skipped(sources, name) && !key.names().any(|used| plain(used) == plain(name)) {
            let braced = format!("{{{}}}", plain(name));
            if let Some(literal) = sources.template.filter(|_| key.text.contains(&braced)) {
                errors.on(
                    literal,
                    format!(
                        "`{braced}` is text, not the argument; write `<{}>`",
                        plain(name)
                    ),
                );
                continue;
            }
            let message = format!(
                "`{name}` is not in the key, so calls that differ only in `{name}` would share one entry; write `<{}>` in the key, or skip({name})",
                plain(name)
            );
            errors.on(name, message);
        }
    }
}

/// `load::<A>(1)` and `load::<B>(1)` return different types.
fn check_generics(sources: &Sources<'_>, key: &Key, errors: &mut Errors) {
    let Some(output) = output::written(sources.sig) else {
        return;
    };
    let value = identifiers(value_type(output));
    let prefix = match sources.prefix {
        Prefix::Const(path) => identifiers(path),
        Prefix::Literal(_) => HashSet::new(),
    };
    let (types, consts) = generics::names(&sources.sig.generics);
    let is_open = |param: &Ident| {
        value.contains(&plain(param))
            && !prefix.contains(&plain(param))
            && !is_skipped(sources, param)
    };
    for param in types.into_iter().filter(|param| is_open(param)) {
        let message = format!(
            "type parameter `{param}` is in the value but not in the key; write prefix = {param}::PREFIX, or skip({param})"
        );
        errors.on(param, message);
    }
    for param in consts.into_iter().filter(|param| is_open(param)) {
        if !key.names().any(|used| used == param) {
            let message = format!(
                "const parameter `{param}` is in the value but not in the key; write `<{param}>` in the key, or skip({param})"
            );
            errors.on(param, message);
        }
    }
}
