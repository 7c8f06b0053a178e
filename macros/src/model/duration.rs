//! How long: a named lifetime, a number with a unit, or the path of a constant.
use std::time::Duration;

use syn::{Expr, ExprLit, Lit, LitStr};

use super::options::Options;
use crate::errors::{Errors, instead, nearest};

const NAMED: [(&str, u64); 5] = [
    ("short", 60),
    ("medium", 300),
    ("long", 3_600),
    ("extended", 86_400),
    ("week", 604_800),
];
const UNITS: [(&str, u64); 6] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];
/// A century. Redis refuses an expiry that does not fit its clock.
const LONGEST: u64 = 100 * 365 * 86_400_000;

/// The default of `ttl`.
pub const MEDIUM: Duration = Duration::from_secs(5 * 60);

#[derive(PartialEq)]
pub enum Length {
    Known(Duration),
    /// Not a literal: left to the compiler, which works it out in a `const`.
    Const(Box<Expr>),
}

pub fn option(options: &mut Options, name: &str, errors: &mut Errors) -> Option<Length> {
    let wanted = format!("{name} = \"5m\"");
    match options.expr(name, &wanted, errors)? {
        Expr::Lit(ExprLit {
            lit: Lit::Str(literal),
            ..
        }) => match read(&literal) {
            Ok(length) => Some(Length::Known(length)),
            Err(message) => {
                errors.on(&literal, message);
                None
            }
        },
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) => {
            let seconds = number.base10_digits();
            errors.on(
                &number,
                format!("a duration needs a unit; write {name} = \"{seconds}s\""),
            );
            None
        }
        Expr::Lit(other) => {
            errors.on(other, format!("`{name}` takes a duration; write {wanted}"));
            None
        }
        path => Some(Length::Const(Box::new(path))),
    }
}

fn read(literal: &LitStr) -> Result<Duration, String> {
    let text = literal.value();
    if let Some((_, seconds)) = NAMED.iter().find(|(name, _)| *name == text) {
        return Ok(Duration::from_secs(*seconds));
    }
    let digits = text.trim_end_matches(|character: char| !character.is_ascii_digit());
    let unit = &text[digits.len()..];
    if digits.is_empty() {
        let names = NAMED.map(|(name, _)| name);
        let fix = instead(&text, &names, '"').unwrap_or_default();
        let number = if nearest(&text, names).is_some() {
            ""
        } else {
            ", or a number with a unit such as \"90s\""
        };
        return Err(format!("there is no duration \"{text}\"; {fix}{number}"));
    }
    let Some(milliseconds) = parse_decimal(digits) else {
        return Err(format!(
            "`{digits}` is not a number; write a duration such as \"90s\""
        ));
    };
    if unit.is_empty() {
        return Err(format!(
            "`{text}` has no unit; write \"{text}s\" for seconds"
        ));
    }
    let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        let guess = match unit.trim().as_bytes() {
            [b'm', b'i', b'l', ..] | [b'm', b's', ..] => "ms",
            [first, ..] => UNITS
                .iter()
                .find(|(name, _)| name.as_bytes() == [first.to_ascii_lowercase()])
                .map_or("", |(name, _)| name),
            [] => "",
        };
        let fix = if guess.is_empty() {
            "write ms, s, m, h, d or w".to_owned()
        } else {
            format!("write \"{digits}{guess}\"")
        };
        return Err(format!("there is no unit `{}`; {fix}", unit.trim()));
    };
    let (whole, thousandths) = milliseconds;
    let total = u128::from(whole) * u128::from(*factor)
        + u128::from(thousandths) * u128::from(*factor) / 1_000;
    match u64::try_from(total) {
        Ok(0) => Err(format!(
            "\"{text}\" is no time at all; write at least \"1ms\""
        )),
        Ok(total) if total <= LONGEST => Ok(Duration::from_millis(total)),
        _ => Err(format!(
            "\"{text}\" is longer than a century; write at most \"36500d\""
        )),
    }
}

/// A decimal number as a whole part and thousandths.
fn parse_decimal(digits: &str) -> Option<(u64, u64)> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let thousandths: String = fraction.chars().chain("000".chars()).take(3).collect();
    Some((whole.parse().unwrap_or(u64::MAX), thousandths.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use proc_macro2::Span;

    use super::*;

    fn duration(text: &str) -> Result<Duration, String> {
        read(&LitStr::new(text, Span::call_site()))
    }

    #[test]
    fn names_and_units_are_understood() {
        for (text, milliseconds) in [
            ("short", 60_000),
            ("week", 604_800_000),
            ("90s", 90_000),
            ("1.5h", 5_400_000),
            ("250ms", 250),
            ("2d", 172_800_000),
        ] {
            assert_eq!(
                duration(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn every_mistake_says_what_to_write() {
        for (text, fix) in [
            ("90", "write \"90s\""),
            ("0s", "write at least \"1ms\""),
            ("0.4ms", "write at least \"1ms\""),
            ("shrt", "write \"short\""),
            ("5 minutes", "write \"5m\""),
            ("10sec", "write \"10s\""),
            ("3y", "write ms, s, m, h, d or w"),
            ("-5s", "write a duration"),
            ("", "write \"short\", "),
            ("99999999999999999999w", "write at most"),
        ] {
            let message = duration(text).unwrap_err();
            assert!(message.contains(fix), "{text}: {message}");
        }
    }
}
