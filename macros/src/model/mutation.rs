//! `#[invalidates]` and `#[updates]`: which entries, worked out when.
use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{
    Expr, ExprCall, ExprLit, ExprPath, Lit, Path, Token, Type, punctuated::Punctuated, visit::Visit,
};

use super::{
    callee::{self, Callee},
    choice::choice,
    names::entry_name,
    option::{self, Options, options},
    output,
    refused::Refused,
    signature,
    value::Runtime,
};
use crate::{
    errors::Errors,
    function::Function,
    parse,
    tokens::{plain, text},
};

options! {
    /// The options of `#[invalidates]`.
    pub struct Given {
        after: After, also ["on", "when"];
        runtime as "crate": Runtime, also ["crate_path"];
    }
    later []
}

options! {
    /// The options of `#[updates]`.
    pub struct GivenUpdate {
        runtime as "crate": Runtime, also ["crate_path"];
    }
    later []
}

choice! {
    /// When it acts, besides after `Ok`.
    pub enum After {
        Always = "always",
    }
    later []
}

/// What stands for the success value in the list.
const OUTPUT: &str = "output";

pub struct Mutation {
    pub runtime: Path,
    pub function: Function,
    /// `None` is `()`.
    pub output: Option<Type>,
    pub effect: Effect,
}

pub enum Effect {
    Invalidate {
        early: Vec<Target>,
        late: Vec<Target>,
        /// Also when the body returned `Err`.
        always: bool,
    },
    Update {
        updated: Vec<Target>,
        /// What an `#[invalidates]` on the same function names: in one step with the update, since a tag of the entry
        /// that moved on its own would make a miss of what is stored, or hide that another moved it.
        invalidated: Vec<Target>,
    },
}

/// A call that gives an entry.
pub struct Target {
    pub callee: Callee,
    pub arguments: Vec<Argument>,
    /// `team_posts(..)`: every entry of the function.
    pub is_all: bool,
}

pub struct Argument {
    pub expr: Expr,
    /// Names the success value, so it cannot be worked out before the body.
    pub is_late: bool,
}

/// The list of the other attribute, where both can be one step: it stands below this one, has no options, and needs
/// nothing of the success value. Otherwise it stays where it is, and wraps the body by itself.
fn take_other(name: &str, function: &mut Function) -> Vec<Target> {
    let is_other = |attr: &syn::Attribute| {
        let last = attr.path().segments.last();
        last.is_some_and(|last| last.ident == name)
    };
    let Some(at) = function.attrs.iter().position(is_other) else {
        return Vec::new();
    };
    let syn::Meta::List(list) = &function.attrs[at].meta else {
        return Vec::new();
    };
    let mut errors = Errors::new();
    let written = parse::targets(list.tokens.clone(), &mut errors);
    let has_options = !written.options.is_empty();
    let calls = written.targets.into_iter();
    let targets: Vec<Target> = calls.filter_map(|call| target(call, &mut errors)).collect();
    // Its mistakes are its own to report.
    let is_broken = errors.finish().is_err();
    if is_broken || has_options || targets.iter().any(Target::is_late) {
        return Vec::new();
    }
    function.attrs.remove(at);
    targets
}

pub fn check_invalidates(tokens: TokenStream, mut function: Function) -> Result<Mutation, Refused> {
    let mut errors = Errors::new();
    let (given, calls) = read::<Given>(tokens, "invalidates", &mut errors);
    check_function(&function, "invalidates", &mut errors);
    let Runtime(runtime) = given.runtime.value(&mut errors).unwrap_or_default();
    let always = given.after.value(&mut errors) == Some(After::Always);
    let targets: Vec<Target> = calls
        .into_iter()
        .filter_map(|call| target(call, &mut errors))
        .collect();
    let (late, early): (Vec<_>, Vec<_>) = targets.into_iter().partition(Target::is_late);
    for argument in late
        .iter()
        .flat_map(|target| &target.arguments)
        .filter(|argument| argument.is_late)
    {
        check_output_is_free(&function, &argument.expr, &mut errors);
    }
    errors.finish()?;
    let output = output::written(&function.sig).cloned();
    let updated = if late.is_empty() && !always && output.is_some() {
        take_other("updates", &mut function)
    } else {
        Vec::new()
    };
    let effect = if updated.is_empty() {
        Effect::Invalidate {
            early,
            late,
            always,
        }
    } else {
        Effect::Update {
            updated,
            invalidated: early,
        }
    };
    Ok(Mutation {
        runtime,
        function,
        output,
        effect,
    })
}

pub fn check_updates(tokens: TokenStream, mut function: Function) -> Result<Mutation, Refused> {
    let mut errors = Errors::new();
    let (given, calls) = read::<GivenUpdate>(tokens, "updates", &mut errors);
    let is_async = check_function(&function, "updates", &mut errors);
    if is_async && output::written(&function.sig).is_none() {
        errors.on(
            &function.sig.ident,
            "there is no value to store; return what #[updates] stores, or write #[invalidates]",
        );
    }
    let Runtime(runtime) = given.runtime.value(&mut errors).unwrap_or_default();
    let targets: Vec<Target> = calls
        .into_iter()
        .filter_map(|call| target(call, &mut errors))
        .collect();
    for argument in targets
        .iter()
        .flat_map(|target| &target.arguments)
        .filter(|argument| argument.is_late)
    {
        errors.on(&argument.expr, "#[updates] needs the entry before the body runs; write arguments of the function, or #[invalidates]");
    }
    errors.finish()?;
    let invalidated = take_other("invalidates", &mut function);
    let output = output::written(&function.sig).cloned();
    Ok(Mutation {
        runtime,
        function,
        output,
        effect: Effect::Update {
            updated: targets,
            invalidated,
        },
    })
}

impl Target {
    fn is_late(&self) -> bool {
        self.arguments.iter().any(|argument| argument.is_late)
    }
}

fn read<O: Options>(tokens: TokenStream, attribute: &str, errors: &mut Errors) -> (O, Vec<Expr>) {
    let arguments = parse::targets(tokens, errors);
    let is_empty = arguments.targets.is_empty() && errors.count() == 0;
    let given = option::read(arguments.options, errors);
    if is_empty && errors.count() == 0 {
        let message = format!(
            "#[{attribute}] names no cached function; write #[{attribute}(get_user(user_id))]"
        );
        errors.at(Span::call_site(), message);
    }
    (given, arguments.targets)
}

fn check_function(function: &Function, attribute: &str, errors: &mut Errors) -> bool {
    let is_async = signature::check_async(function, attribute, errors);
    let hidden = output::written(&function.sig).and_then(output::hidden);
    if let (Some(hidden), true) = (hidden, is_async) {
        errors.on(hidden, "`impl Trait` hides whether the change was made; write the type itself, such as Result<T, E>");
    }
    is_async
}

fn check_output_is_free(function: &Function, argument: &Expr, errors: &mut Errors) {
    let arguments = signature::arguments(&function.sig);
    if arguments
        .iter()
        .flat_map(|argument| &argument.names)
        .any(|name| plain(name) == OUTPUT)
    {
        errors.on(argument, "`output` is the value that the function returns, and also an argument; rename the argument");
    }
}

pub fn target(call: Expr, errors: &mut Errors) -> Option<Target> {
    match call {
        Expr::Group(group) => target(*group.expr, errors),
        Expr::MethodCall(call) => {
            let name = entry_name(&call.method);
            let callee = Callee::Method(call.receiver, name, call.turbofish);
            Some(named(callee, call.args))
        }
        Expr::Call(ExprCall { func, args, .. }) => {
            let Expr::Path(path) = option::ungrouped(&func).clone() else {
                errors.on(
                    func,
                    "not the name of a cached function; write one, such as get_user(user_id)",
                );
                return None;
            };
            if let Some(function) = companion_of(&path) {
                let message = format!(
                    "the list names the cached function itself; write {function}({})",
                    text(&args)
                );
                errors.on(path, message);
                return None;
            }
            Some(named(callee::of(path), args))
        }
        Expr::Path(path) => {
            let name = text(&path);
            errors.on(
                path,
                format!(
                    "`{name}` has no arguments; write {name}(..) with those that are in its key"
                ),
            );
            None
        }
        Expr::Lit(ExprLit {
            lit: Lit::Str(literal),
            ..
        }) => {
            errors.on(literal, "a string names no function; write the cached function and its arguments, such as get_user(user_id)");
            None
        }
        other => {
            errors.on(other, "not the call of a cached function; write its name and arguments, such as get_user(user_id)");
            None
        }
    }
}

/// `(..)` stands for all arguments there can be.
fn named(callee: Callee, args: Punctuated<Expr, Token![,]>) -> Target {
    let is_all = |argument: &Expr| matches!(argument, Expr::Range(range) if range.start.is_none() && range.end.is_none());
    let is_all = args.len() == 1 && args.first().is_some_and(is_all);
    let args = args.into_iter().filter(|_| !is_all);
    Target {
        callee,
        arguments: args.map(argument).collect(),
        is_all,
    }
}

/// `get_user` of `get_user::entry`.
fn companion_of(path: &ExprPath) -> Option<String> {
    let mut function = path.clone();
    let last = function.path.segments.pop()?;
    function.path.segments.pop_punct();
    let owner = function.path.segments.last()?;
    let is_function = plain(&owner.ident).starts_with(char::is_lowercase)
        && !["self", "super", "crate"].contains(&plain(&owner.ident).as_str());
    let is_member = ["entry", "invalidate"].contains(&plain(&last.ident).as_str());
    (is_function && is_member).then(|| text(&function))
}

fn argument(expr: Expr) -> Argument {
    let mut late = Late(false);
    late.visit_expr(&expr);
    Argument {
        is_late: late.0,
        expr,
    }
}

/// Looks for the variable `output`: fields and methods of that name are something else.
struct Late(bool);

impl<'ast> Visit<'ast> for Late {
    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        self.0 |= path
            .path
            .get_ident()
            .is_some_and(|name| plain(name) == OUTPUT);
    }

    /// What a macro makes of its tokens is not known: `format!("{output}")` names it too.
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let mut after_dot = false;
        let mut named = false;
        let mut each = |token: &TokenTree| {
            match token {
                TokenTree::Ident(name) => named |= !after_dot && plain(name) == OUTPUT,
                TokenTree::Literal(text) => {
                    named |= text.to_string().contains(&format!("{{{OUTPUT}"));
                }
                _ => {}
            }
            after_dot = matches!(token, TokenTree::Punct(dot) if dot.as_char() == '.');
        };
        each_token(call.tokens.clone(), &mut each);
        self.0 |= named;
    }
}

fn each_token(tokens: TokenStream, each: &mut dyn FnMut(&TokenTree)) {
    for token in tokens {
        each(&token);
        if let TokenTree::Group(group) = token {
            each_token(group.stream(), each);
        }
    }
}
