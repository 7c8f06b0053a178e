//! The first segment of a key.
use darling::FromMeta;
use syn::{Expr, ExprPath, LitStr, Meta};

use super::{
    option::{expr, name_of, wrong},
    value::string,
};

#[derive(Clone)]
pub enum Prefix {
    Literal(LitStr),
    Const(ExprPath),
}

impl FromMeta for Prefix {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let expr = expr(item, "\"user\"")?;
        if let Some(literal) = string(expr) {
            return match mistake(&literal.value()) {
                None => Ok(Self::Literal(literal.clone())),
                Some(message) => Err(wrong(message)),
            };
        }
        if let Expr::Path(path) = expr {
            return Ok(Self::Const(path.clone()));
        }
        let name = name_of(item);
        Err(wrong(format!(
            "`{name}` takes a string or the path of a constant; write {name} = \"user\""
        )))
    }
}

/// What `Site::new` asserts of a constant, said of a literal.
pub fn mistake(text: &str) -> Option<String> {
    let wrong = |character: char| character.is_whitespace() || character.is_control();
    Some(if text.is_empty() {
        "the prefix is empty; write a word for what is cached, such as \"user\"".to_owned()
    } else if let Some((first, "")) = text.split_once(':') {
        format!("`:` in a prefix; write \"{first}\", the `:` after it is written for you")
    } else if let Some((first, rest)) = text.split_once(':') {
        format!("`:` in a prefix; write \"{first}\", and `{rest}:` at the beginning of the key")
    } else if text.contains('@') {
        "`@` in a prefix; it stands before a version, which is written version = 2".to_owned()
    } else if text.contains(['{', '}']) {
        "a brace in a prefix; write the hash tag in the key, such as key = \"{<user_id>}\""
            .to_owned()
    } else if text.contains(wrong) {
        "white space in a prefix; write one word, such as \"user_posts\"".to_owned()
    } else {
        return None;
    })
}
