//! What a function stands in, as its source file shows: an attribute is not told. It serves messages alone, since there
//! is not always a file, and a function that a macro writes stands where the macro is called.
use std::fs;

use proc_macro2::Span;

/// The innermost braces around a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Surroundings {
    Impl,
    TraitImpl,
    Trait,
    /// None, a module, or the body of a function.
    Free,
}

/// `None` where it cannot be seen.
pub fn of(name: Span) -> Option<Surroundings> {
    if !proc_macro::is_available() {
        return None;
    }
    let span = name.unwrap();
    let text = fs::read_to_string(span.local_file()?).ok()?;
    around(&text, span.line(), span.column())
}

/// Around the character in this line and column, both counted from 1.
fn around(text: &str, line: usize, column: usize) -> Option<Surroundings> {
    let mut lines = text.split_inclusive('\n');
    let before: usize = lines
        .by_ref()
        .take(line.checked_sub(1)?)
        .map(str::len)
        .sum();
    let within = lines.next()?.char_indices().nth(column.checked_sub(1)?)?.0;
    // What opened each pair of braces that is still open.
    let mut open: Vec<Vec<&str>> = Vec::new();
    let mut words = Vec::new();
    let mut rest = &text[..before + within];
    while let Some(first) = rest.chars().next() {
        let length = skipped(rest);
        let (token, after) =
            rest.split_at(length.unwrap_or_else(|| word(rest).max(first.len_utf8())));
        rest = after;
        match token {
            _ if length.is_some() => {}
            "{" => open.push(std::mem::take(&mut words)),
            "}" => {
                open.pop()?;
                words.clear();
            }
            ";" => words.clear(),
            _ if token.trim().is_empty() => {}
            _ => words.push(token),
        }
    }
    if open.iter().any(|words| words.contains(&"!")) {
        return None;
    }
    Some(open.last().map_or(Surroundings::Free, |words| kind(words)))
}

fn kind(words: &[&str]) -> Surroundings {
    let item = words
        .iter()
        .find(|word| matches!(**word, "fn" | "mod" | "trait" | "impl"));
    match item {
        Some(&"trait") => Surroundings::Trait,
        Some(&"impl") => {
            // `for<'a>` is a bound.
            let is_for = |pair: &[&str]| pair[0] == "for" && pair[1] != "<";
            if words.windows(2).any(is_for) {
                Surroundings::TraitImpl
            } else {
                Surroundings::Impl
            }
        }
        _ => Surroundings::Free,
    }
}

/// The length of the identifier at the beginning.
fn word(rest: &str) -> usize {
    let end = rest.find(|character: char| !character.is_alphanumeric() && character != '_');
    end.unwrap_or(rest.len())
}

/// The length of what may hold braces that mean nothing: a comment, a string, a character, an attribute's `!`.
fn skipped(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(comment(rest));
    }
    if rest.starts_with("#![") {
        return Some(2);
    }
    if rest.starts_with('"') {
        return Some(string(rest));
    }
    if let Some(inner) = rest.strip_prefix('\'') {
        return Some(1 + character(inner));
    }
    let prefix = ["br", "cr", "r"]
        .into_iter()
        .find(|prefix| rest.starts_with(prefix))?;
    let hashes = rest[prefix.len()..]
        .bytes()
        .take_while(|byte| *byte == b'#')
        .count();
    let inner = rest[prefix.len() + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inner.find(&end).map_or(inner.len(), |at| at + end.len());
    Some(prefix.len() + hashes + 1 + length)
}

fn comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest[at..];
        if here.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if here.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn string(rest: &str) -> usize {
    let mut escaped = true;
    for (at, character) in rest.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Behind the first quote: a character and its quote, or the name of a lifetime.
fn character(inner: &str) -> usize {
    if let Some(escaped) = inner.strip_prefix('\\') {
        let at = escaped
            .char_indices()
            .skip(1)
            .find(|(_, character)| *character == '\'');
        return at.map_or(inner.len(), |(at, _)| at + 2);
    }
    let mut characters = inner.chars();
    match (characters.next(), characters.next()) {
        (Some(first), Some('\'')) => first.len_utf8() + 1,
        _ => word(inner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Option<Surroundings> {
        let at = text.find('@').unwrap();
        let line = text[..at].matches('\n').count() + 1;
        let column = text[..at].rsplit('\n').next().unwrap().chars().count() + 1;
        around(text, line, column)
    }

    #[test]
    fn the_innermost_braces_decide() {
        for (text, expected) in [
            ("@", Surroundings::Free),
            ("mod a { fn b() {} @ }", Surroundings::Free),
            ("impl Repo { fn a() { } @ }", Surroundings::Impl),
            (
                "impl<T: for<'a> Fn(&'a str)> Repo<T> { @ }",
                Surroundings::Impl,
            ),
            (
                "impl<T> Source for Repo<T>\nwhere T: Clone {\n    #[cached(prefix = \"{\")]\n    @ }",
                Surroundings::TraitImpl,
            ),
            ("pub trait Source { @ }", Surroundings::Trait),
            ("impl Repo { fn a() { @ } }", Surroundings::Free),
            ("impl Repo {} @", Surroundings::Free),
            ("// impl Repo {\n@", Surroundings::Free),
            ("/* impl /* { */ { */ @", Surroundings::Free),
            ("const A: &str = \"impl \\\" {\"; @", Surroundings::Free),
            ("const A: &str = r#\"impl \" {\"#; @", Surroundings::Free),
            (
                "const A: char = '{'; const B: char = '\\''; fn c<'a>(x: &'a str) {} @",
                Surroundings::Free,
            ),
            (
                "impl Ä { const Ö: char = '{'; /* ü */ @ }",
                Surroundings::Impl,
            ),
            ("fn a() -> impl Fn() { @ }", Surroundings::Free),
        ] {
            assert_eq!(place(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_a_macro_writes_is_not_known() {
        assert_eq!(
            place("macro_rules! methods { () => { impl A { @ } } }"),
            None
        );
        assert_eq!(place("wrap! { impl A { @ } }"), None);
    }
}
