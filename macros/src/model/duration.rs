//! How long: a named lifetime, a number with a unit, or the path of a constant.
//!
//! By hand, since `humantime` reads `1month` and `1M`, refuses `1.5h`, and says neither what is wrong nor what to write.
use std::time::Duration;

use darling::FromMeta;
use syn::{Expr, ExprLit, Lit, Meta};

use super::{
    number,
    option::{expr, name_of, words_of, wrong},
};
use crate::nearest::{instead, nearest};

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

impl FromMeta for Length {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        if let Some(words) = words_of(item)
            && let Some(length) = sum(&words)
        {
            let name = name_of(item);
            return Err(wrong(format!(
                "a duration is written in quotes; write {name} = \"{length}\""
            )));
        }
        let expr = expr(item, "\"5m\"")?;
        match expr {
            Expr::Lit(ExprLit { lit, .. }) => literal(&name_of(item), lit).map_err(wrong),
            Expr::Path(path) => match path.path.get_ident().and_then(bare_word) {
                Some(word) => {
                    let name = name_of(item);
                    let what = if named(&word).is_some() {
                        "named duration"
                    } else {
                        "duration"
                    };
                    Err(wrong(format!(
                        "a {what} is written in quotes; write {name} = \"{word}\""
                    )))
                }
                None => Ok(Self::Const(Box::new(expr.clone()))),
            },
            negative if number::is_negative(negative) => {
                let name = name_of(item);
                Err(wrong(format!(
                    "a duration cannot be negative; write {name} = \"5m\""
                )))
            }
            constant => Ok(Self::Const(Box::new(constant.clone()))),
        }
    }
}

/// What a name of a duration, or a unit alone, is written as. A constant is no such word.
fn bare_word(name: &syn::Ident) -> Option<String> {
    let text = name.to_string();
    if named(&text).is_some() {
        return Some(text);
    }
    let is_lower_case = text.chars().all(|letter| letter.is_ascii_lowercase());
    let one = is_lower_case.then(|| in_a_known_unit("1", &text))??;
    Some(one)
}

/// What is in quotes, or should be.
fn literal(name: &str, literal: &Lit) -> Result<Length, String> {
    let (digits, unit) = match literal {
        Lit::Str(text) => return read(&text.value()).map(Length::Known),
        Lit::Int(number) => (number.base10_digits(), number.suffix()),
        Lit::Float(number) => (number.base10_digits(), number.suffix()),
        _ => return Err(format!("`{name}` takes a duration; write {name} = \"5m\"")),
    };
    if unit.is_empty() {
        return Err(format!(
            "a duration needs a unit; write {name} = \"{digits}s\""
        ));
    }
    let text = format!("{digits}{unit}");
    read(&text)?;
    Err(format!(
        "a duration is written in quotes; write {name} = \"{text}\""
    ))
}

fn named(name: &str) -> Option<Duration> {
    let (_, seconds) = NAMED.iter().find(|(known, _)| *known == name)?;
    Some(Duration::from_secs(*seconds))
}

fn read(text: &str) -> Result<Duration, String> {
    if let Some(length) = named(text) {
        return Ok(length);
    }
    let digits = text.trim_end_matches(|character: char| !character.is_ascii_digit());
    let unit = &text[digits.len()..];
    if digits.is_empty() {
        let names = NAMED.map(|(name, _)| name);
        let lower = text.to_lowercase();
        if let Some(one) = in_a_known_unit("1", &lower).filter(|_| nearest(&lower, names).is_none())
        {
            return Err(format!("there is no duration \"{text}\"; write \"{one}\""));
        }
        let fix = instead(&lower, &names, '"').unwrap_or_default();
        let number = if nearest(&lower, names).is_some() {
            ""
        } else {
            ", or a number with a unit such as \"90s\""
        };
        return Err(format!("there is no duration \"{text}\"; {fix}{number}"));
    }
    let Some((whole, thousandths)) = parse_decimal(digits) else {
        if let Some(sum) = sum(text) {
            return Err(format!(
                "a duration has one number and one unit; write \"{sum}\""
            ));
        }
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
        return Err(unknown_unit(digits, unit.trim()));
    };
    let total = u128::from(whole) * u128::from(*factor)
        + u128::from(thousandths) * u128::from(*factor) / 1_000;
    match u64::try_from(total) {
        Ok(0) => Err(format!("\"{text}\" is zero; write at least \"1ms\"")),
        Ok(total) if total <= LONGEST => Ok(Duration::from_millis(total)),
        _ => Err(format!(
            "\"{text}\" is longer than a century; write at most \"36500d\""
        )),
    }
}

fn unknown_unit(digits: &str, unit: &str) -> String {
    if is_one_of(
        &unit.to_lowercase(),
        &["us", "µs", "ns", "microsecond", "nanosecond"],
    ) {
        return format!("there is no unit `{unit}`; write at least \"1ms\"");
    }
    let fix = in_a_known_unit(digits, unit).map_or_else(
        || "write ms, s, m, h, d or w".to_owned(),
        |same| format!("write \"{same}\""),
    );
    format!("there is no unit `{unit}`; {fix}")
}

/// The same length in a unit that there is.
fn in_a_known_unit(digits: &str, unit: &str) -> Option<String> {
    const WORDS: [(&str, &[&str]); 6] = [
        ("ms", &["ms", "milli", "millisec", "millisecond", "msec"]),
        ("s", &["s", "sec", "second"]),
        ("m", &["m", "min", "minute"]),
        ("h", &["h", "hr", "hour"]),
        ("d", &["d", "day"]),
        ("w", &["w", "wk", "week"]),
    ];
    let word = unit.to_lowercase();
    if let Some((unit, _)) = WORDS.iter().find(|(_, words)| is_one_of(&word, words)) {
        return Some(format!("{digits}{unit}"));
    }
    // What has no unit of its own, in days.
    let days = if is_one_of(&word, &["month", "mon", "mo"]) {
        30
    } else if is_one_of(&word, &["year", "yr", "y"]) {
        365
    } else {
        return None;
    };
    let days = digits.parse::<u64>().ok()?.checked_mul(days)?;
    Some(format!("{days}d"))
}

fn is_one_of(word: &str, words: &[&str]) -> bool {
    words
        .iter()
        .any(|known| word == *known || word.strip_suffix('s') == Some(known))
}

/// The sum of what is written as `1h30m` or `1 hour 30 minutes`.
fn sum(text: &str) -> Option<String> {
    let mut total: u64 = 0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.find(|character: char| !character.is_ascii_digit())?;
        let (digits, after) = rest.split_at(end);
        let after = after.trim_start();
        let end = after.find(|character: char| character.is_ascii_digit());
        let (unit, next) = after.split_at(end.unwrap_or(after.len()));
        let unit = unit.trim_matches([' ', ',']).trim_end_matches(" and");
        let known = in_a_known_unit(digits, unit)?;
        let Ok(length) = read(&known) else {
            return None;
        };
        total = total.checked_add(u64::try_from(length.as_millis()).ok()?)?;
        rest = next;
    }
    let (unit, factor) = UNITS
        .iter()
        .rev()
        .find(|(_, factor)| total.is_multiple_of(*factor))?;
    Some(format!("{}{unit}", total / factor))
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
    use super::*;

    fn duration(text: &str) -> Result<Duration, String> {
        read(text)
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
            ("SHORT", "write \"short\""),
            ("hour", "write \"1h\""),
            ("Minutes", "write \"1m\""),
            ("month", "write \"30d\""),
            ("1h30m", "write \"90m\""),
            ("1 day, 12 hours", "write \"36h\""),
            ("1m 30 s", "write \"90s\""),
            ("5 minutes", "write \"5m\""),
            ("10sec", "write \"10s\""),
            ("3y", "write \"1095d\""),
            ("1 month", "write \"30d\""),
            ("5 fortnights", "write ms, s, m, h, d or w"),
            ("500us", "write at least \"1ms\""),
            ("-5s", "write a duration"),
            ("", "write \"short\", "),
            ("99999999999999999999w", "write at most"),
        ] {
            let message = duration(text).unwrap_err();
            assert!(message.contains(fix), "{text}: {message}");
        }
    }
}
