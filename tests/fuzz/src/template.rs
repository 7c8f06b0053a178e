//! Templates: what a user writes into an attribute.

use crate::errors::Errors;
use proc_macro2::Span;
use syn::LitStr;

#[allow(dead_code, unreachable_pub, reason = "a part of another crate")]
#[path = "../../../macros/src/template.rs"]
mod parser;

use parser::{Segment, check_braces, parse};

/// A template that is accepted says what was written; one that is not has an error of one line.
pub fn run(data: &[u8]) {
    let Ok(source) = std::str::from_utf8(data) else {
        return;
    };
    let literal = LitStr::new(source, Span::call_site());
    let mut errors = Errors::new();
    let template = parse(&literal, &mut errors);
    if let Some(template) = &template {
        assert_eq!(written(&template.segments), source);
        check_braces(template, &literal, &mut errors);
    }
    let is_accepted = template.is_some();
    match errors.finish() {
        Ok(()) => assert!(is_accepted, "{source:?} is refused without an error"),
        Err(all) => {
            for error in all {
                let text = error.to_string();
                let quotes_lines = source.contains(char::is_control);
                assert!(
                    !text.is_empty() && (quotes_lines || !text.contains('\n')),
                    "{text:?}"
                );
            }
        }
    }
    proc_macro2::extra::invalidate_current_thread_spans();
}

fn written(segments: &[Segment]) -> String {
    let mut text = String::new();
    for segment in segments {
        match segment {
            Segment::Text(part) => text += &part.replace('<', "<<").replace('>', ">>"),
            Segment::Placeholder(placeholder) => text += &placeholder.text,
        }
    }
    text
}
