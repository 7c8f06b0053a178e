//! What every option has in common: it is known, it is here already, it is given once, and its value
//! has the right form.
use proc_macro2::Ident;
use syn::{Expr, ExprLit, Lit, LitStr, Path};

use crate::{
    errors::{Errors, instead, nearest},
    parse::{Given, Value},
};

/// The options of one attribute, by name.
pub struct Options {
    given: Vec<Given>,
    /// What the unknown ones were probably meant to be.
    meant: Vec<&'static str>,
}

/// What there is, and what there will be.
pub struct Known {
    pub here: &'static [&'static str],
    pub later: &'static [&'static str],
}

impl Options {
    pub fn new(all: Vec<Given>, known: &Known, errors: &mut Errors) -> Self {
        let mut given: Vec<Given> = Vec::new();
        let mut meant = Vec::new();
        for option in all {
            let name = option.name.to_string();
            if known.later.contains(&name.as_str()) {
                errors.on(
                    &option.name,
                    format!("`{name}` is not there yet; leave it out"),
                );
            } else if !known.here.contains(&name.as_str()) {
                let near = nearest(&name, known.here.iter().copied());
                meant.extend(near);
                let fix = near.map_or_else(
                    || "leave it out".to_owned(),
                    |near| format!("write `{near}`"),
                );
                errors.on(&option.name, format!("there is no option `{name}`; {fix}"));
            } else if given.iter().any(|first| first.name == option.name) {
                errors.on(&option.name, format!("`{name}` is given twice; keep one"));
            } else {
                given.push(option);
            }
        }
        Self { given, meant }
    }

    /// A misspelt `name` was reported, so that its absence is not a second mistake.
    pub fn was_meant(&self, name: &str) -> bool {
        self.meant.contains(&name)
    }

    pub fn take(&mut self, name: &str) -> Option<Given> {
        let at = self.given.iter().position(|given| given.name == name)?;
        Some(self.given.swap_remove(at))
    }

    pub fn name_of(&self, name: &str) -> Option<&Ident> {
        self.given
            .iter()
            .map(|given| &given.name)
            .find(|given| *given == name)
    }

    /// `in_impl`
    pub fn word(&mut self, name: &str, errors: &mut Errors) -> bool {
        let Some(given) = self.take(name) else {
            return false;
        };
        if !matches!(given.value, Value::Word) {
            errors.on(
                &given.name,
                format!("`{name}` takes no value; write it alone"),
            );
        }
        true
    }

    /// `when = expr`
    pub fn expr(&mut self, name: &str, wanted: &str, errors: &mut Errors) -> Option<Expr> {
        let given = self.take(name)?;
        if let Value::Expr(expr) = given.value {
            return Some(ungrouped(*expr));
        }
        errors.on(
            &given.name,
            format!("`{name}` takes a value; write {wanted}"),
        );
        None
    }

    /// `key = "<id>"`
    pub fn string(&mut self, name: &str, wanted: &str, errors: &mut Errors) -> Option<LitStr> {
        let expr = self.expr(name, wanted, errors)?;
        if let Expr::Lit(ExprLit {
            lit: Lit::Str(literal),
            ..
        }) = expr
        {
            return Some(literal);
        }
        errors.on(expr, format!("`{name}` takes a string; write {wanted}"));
        None
    }

    /// `crate = my_crate::millpond`
    pub fn path(&mut self, name: &str, wanted: &str, errors: &mut Errors) -> Option<Path> {
        match self.expr(name, wanted, errors)? {
            Expr::Path(path) if path.qself.is_none() => Some(path.path),
            other => {
                errors.on(other, format!("`{name}` takes a path; write {wanted}"));
                None
            }
        }
    }

    /// `flight = "off"`
    pub fn choice(&mut self, name: &str, known: &Known, errors: &mut Errors) -> Option<String> {
        let wanted = format!(
            "{name} = \"{}\"",
            known.here.first().copied().unwrap_or_default()
        );
        let literal = self.string(name, &wanted, errors)?;
        let value = literal.value();
        if known.here.contains(&value.as_str()) {
            return Some(value);
        }
        let fix = instead(&value, known.here, '"').unwrap_or(format!("write {wanted}"));
        if known.later.contains(&value.as_str()) {
            errors.on(
                &literal,
                format!("{name} = \"{value}\" is not there yet; {fix}"),
            );
        } else {
            errors.on(&literal, format!("`{name}` cannot be \"{value}\"; {fix}"));
        }
        None
    }
}

/// A value that came through a `macro_rules!` variable stands in an invisible group.
fn ungrouped(expr: Expr) -> Expr {
    match expr {
        Expr::Group(group) => ungrouped(*group.expr),
        other => other,
    }
}
