//! The key language: `"<user_id>:posts"` to segments. Knows nothing of functions; names are resolved by
//! `model::key`.
use proc_macro2::{Ident, Span};
use syn::{LitStr, Member, ext::IdentExt, parse::Parser};

use crate::{errors::Errors, nearest::instead, tokens::respanned};

pub struct Template {
    pub segments: Vec<Segment>,
}

pub enum Segment {
    Text(String),
    Placeholder(Placeholder),
}

/// `<name.field?>`
pub struct Placeholder {
    /// With its angle brackets, as it is shown in messages.
    pub text: String,
    /// What stands before the first `.`.
    pub name: Ident,
    pub fields: Vec<Member>,
    pub form: Form,
    pub span: Span,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// `<x>`
    Display,
    /// `<x?>`
    Optional,
    /// `<x:sha256>`
    Hashed,
}

impl Template {
    pub fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Placeholder(placeholder) => Some(placeholder),
            Segment::Text(_) => None,
        })
    }
}

/// Nothing comes back where a mistake was found, so that no consequence of it is reported as well.
pub fn parse(literal: &LitStr, errors: &mut Errors) -> Option<Template> {
    let before = errors.count();
    let source = literal.value();
    let segments = segments(&source, literal, errors);
    check_separators(&segments, errors);
    check_reserved(&segments, literal, errors);
    if source.starts_with(':') {
        errors.on(
            literal,
            "the template begins with `:`; leave that out, it is written between the prefix and the rest",
        );
    }
    if source.is_empty() {
        errors.on(literal, "the template is empty; write a placeholder such as `<user_id>`, or leave the option out");
    }
    (errors.count() == before).then_some(Template { segments })
}

fn segments(source: &str, literal: &LitStr, errors: &mut Errors) -> Vec<Segment> {
    let mut found = Vec::new();
    let mut text = String::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let at = source.len() - rest.len();
        rest = &rest[first.len_utf8()..];
        match first {
            '<' | '>' if rest.starts_with(first) => {
                text.push(first);
                rest = &rest[1..];
            }
            '<' => {
                let inside = rest.split(['<', '>']).next().unwrap_or_default();
                if !rest[inside.len()..].starts_with('>') {
                    let message = format!(
                        "`<{inside}` is never closed; write `<{}>`, or `<<` for the character",
                        inside.trim()
                    );
                    errors.at(part(literal, at, at + 1 + inside.len()), message);
                    rest = &rest[inside.len()..];
                    continue;
                }
                rest = &rest[inside.len() + 1..];
                if !text.is_empty() {
                    found.push(Segment::Text(std::mem::take(&mut text)));
                }
                let span = part(literal, at, at + inside.len() + 2);
                // Text in the place of a broken one, so that its neighbours are not said to touch.
                let broken = || Segment::Text(":".to_owned());
                found.push(
                    placeholder(inside, span, errors).map_or_else(broken, Segment::Placeholder),
                );
            }
            '>' => errors.at(
                part(literal, at, at + 1),
                "a `>` without its `<`; write `>>` for the character",
            ),
            other => text.push(other),
        }
    }
    if !text.is_empty() {
        found.push(Segment::Text(text));
    }
    found
}

/// What the names of keys that belong to another one end in: that of a guard, of a lock's number, of a write
/// of unknown outcome, of a load for all processes.
const RESERVED: [&str; 4] = ["guard", "fence", "doubt", "lease"];

/// Text that would make a key look like what data is kept from being: an encoded part, or a key that belongs
/// to another one.
fn check_reserved(segments: &[Segment], literal: &LitStr, errors: &mut Errors) {
    let texts = segments.iter().filter_map(|segment| match segment {
        Segment::Text(text) => Some(text),
        Segment::Placeholder(_) => None,
    });
    if texts.clone().any(|text| text.contains('%')) {
        errors.on(
            literal,
            "a `%` in the text of the template, where it marks what is encoded; write another character",
        );
    }
    let last = match segments {
        [Segment::Text(text)] => text.rsplit(':').next(),
        [.., Segment::Text(text)] => text.rsplit_once(':').map(|(_, last)| last),
        _ => None,
    };
    if let Some(last) = last.filter(|last| RESERVED.contains(last)) {
        errors.on(
            literal,
            format!("the template ends in `{last}`, as the names of keys that belong to another one do; write another word"),
        );
    }
}

fn placeholder(inside: &str, span: Span, errors: &mut Errors) -> Option<Placeholder> {
    let text = format!("<{inside}>");
    if inside.trim().is_empty() {
        errors.at(
            span,
            format!("`{text}` names nothing; write the name of an argument, such as `<user_id>`"),
        );
        return None;
    }
    let (path, form) = match inside.split_once(':') {
        Some((path, "sha256")) => (path, Form::Hashed),
        Some((path, other)) => {
            let fix = instead(other, &["sha256"], '`')
                .map_or_else(String::new, |_| format!("; write `<{path}:sha256>`"));
            errors.at(
                span,
                format!("`{text}` asks for `{other}`, which is not known{fix}"),
            );
            return None;
        }
        None => inside
            .strip_suffix('?')
            .map_or((inside, Form::Display), |path| (path, Form::Optional)),
    };
    let mut names = path.split('.').map(|name| member(name, span));
    let (Some(Some(Member::Named(name))), Some(fields)) =
        (names.next(), names.collect::<Option<Vec<_>>>())
    else {
        let message = format!(
            "`{text}` is not a placeholder; write `<name>`, `<name.field>`, `<name?>` or `<name:sha256>`"
        );
        errors.at(span, message);
        return None;
    };
    Some(Placeholder {
        text,
        name,
        fields,
        form,
        span,
    })
}

/// An identifier, or the index of a tuple.
fn member(name: &str, span: Span) -> Option<Member> {
    if let Ok(index) = name.parse::<u32>() {
        return Some(Member::Unnamed(syn::Index { index, span }));
    }
    let ident = Ident::parse_any.parse_str(name).ok()?;
    Some(Member::Named(respanned(&ident, span)))
}

/// Without a `:` between them, `<a><b>` would give one key for `("1", "23")` and `("12", "3")`.
fn check_separators(segments: &[Segment], errors: &mut Errors) {
    let mut last: Option<&Placeholder> = None;
    let mut separated = true;
    for segment in segments {
        match segment {
            Segment::Text(text) => separated |= text.contains(':'),
            Segment::Placeholder(next) => {
                if let (Some(last), false) = (last, separated) {
                    let message = format!(
                        "no `:` between `{0}` and `{1}`; write `{0}:{1}`",
                        last.text, next.text
                    );
                    errors.at(next.span, message);
                }
                (last, separated) = (Some(next), false);
            }
        }
    }
}

/// Redis Cluster hashes what stands between the first `{` and the next `}`.
pub fn check_braces(template: &Template, at: &LitStr, errors: &mut Errors) {
    let mut open = false;
    let mut filled = false;
    let mut tags = 0;
    let mut wrong = None;
    for segment in &template.segments {
        let Segment::Text(text) = segment else {
            filled = true;
            continue;
        };
        for character in text.chars() {
            match character {
                '{' if open => wrong = wrong.or(Some("a `{` inside of a tag; write one `{tag}`")),
                '{' => (open, filled) = (true, false),
                '}' if !open => wrong = wrong.or(Some("a `}` without its `{`; write one `{tag}`")),
                '}' if !filled => wrong = wrong.or(Some("an empty `{}` is no hash tag; write a placeholder in it, such as `{<user_id>}`")),
                '}' => (open, tags) = (false, tags + 1),
                _ => filled = true,
            }
        }
    }
    if open {
        wrong = wrong.or(Some("a `{` without its `}`; write one `{tag}`"));
    }
    if tags > 1 {
        wrong = wrong.or(Some(
            "two hash tags in one key; write one `{tag}`, Redis Cluster looks at the first only",
        ));
    }
    if let Some(message) = wrong {
        errors.on(at, message);
    }
}

/// The place of some bytes of the literal: stable compilers give the whole literal.
fn part(literal: &LitStr, from: usize, to: usize) -> Span {
    let token = literal.token();
    let has_plain_quotes = token.to_string().len() == literal.value().len() + 2;
    let found = if has_plain_quotes {
        token.subspan(from + 1..=to)
    } else {
        None
    };
    found.unwrap_or_else(|| literal.span())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> Result<Vec<String>, Vec<String>> {
        let mut errors = Errors::new();
        let literal = LitStr::new(source, Span::call_site());
        let template = parse(&literal, &mut errors);
        if let Some(template) = &template {
            check_braces(template, &literal, &mut errors);
        }
        errors.finish().map_err(|all| {
            all.into_iter()
                .map(|error| error.to_string())
                .collect::<Vec<_>>()
        })?;
        let shown = |segment: &Segment| match segment {
            Segment::Text(text) => text.clone(),
            Segment::Placeholder(placeholder) => {
                format!("{}/{:?}", placeholder.name, placeholder.form)
            }
        };
        Ok(template
            .iter()
            .flat_map(|template| &template.segments)
            .map(shown)
            .collect())
    }

    #[test]
    fn placeholders_and_text_alternate() {
        assert_eq!(
            read("<user_id>:posts:<page?>").unwrap(),
            ["user_id/Display", ":posts:", "page/Optional"]
        );
        assert_eq!(
            read("<self.tenant.0>:<r#type:sha256>").unwrap(),
            ["self/Display", ":", "r#type/Hashed"]
        );
    }

    #[test]
    fn doubled_angle_brackets_are_characters() {
        assert_eq!(read("<<<id>>>").unwrap(), ["<", "id/Display", ">"]);
    }

    #[test]
    fn a_hash_tag_may_hold_placeholders() {
        assert_eq!(read("{<id>}:x").unwrap(), ["{", "id/Display", "}:x"]);
        assert!(read("{}").is_err());
        assert!(read("{<a>}:{<b>}").is_err());
        assert!(read("<a>}").is_err());
    }

    #[test]
    fn each_mistake_has_one_message() {
        for wrong in [
            "",
            "<",
            "<id",
            "id>",
            "<>",
            "<user id>",
            "<id:sha1>",
            "<a><b>",
            "<a>-<b>",
            "<a>b<",
            ":x",
            "<1>",
            "<.a>",
        ] {
            assert_eq!(read(wrong).unwrap_err().len(), 1, "{wrong}");
        }
    }
}
