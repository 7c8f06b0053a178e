//! Numbers as Redis reads and writes them.

use crate::error::Error;
use crate::store::server_error::server_error;
use bytes::Bytes;

/// Digits after the point that Redis keeps in `INCRBYFLOAT`.
const SCALE: usize = 17;

/// An integer in the only form that Redis takes: no plus, no leading zero, no white space.
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !canonical {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

pub(crate) fn integer_or_error(text: &[u8]) -> Result<i64, Error> {
    integer(text).ok_or_else(not_an_integer)
}

/// The error for an argument or a value that must be an integer.
pub(crate) fn not_an_integer() -> Error {
    server_error("ERR value is not an integer or out of range")
}

/// A float as an argument or a stored value has it; `inf` is one, `nan` is not.
pub(crate) fn float(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let value: f64 = text.parse().ok()?;
    (!value.is_nan()).then_some(value)
}

/// A sum as `INCRBYFLOAT` writes it. Decimal where both fit, so that 0.1 and 0.2 make 0.3 as in the
/// long doubles of Redis; `None` where the sum is no number.
pub(crate) fn add_floats(left: &[u8], right: &[u8]) -> Option<String> {
    if let (Some(left), Some(right)) = (decimal(left), decimal(right))
        && let Some(sum) = left.checked_add(right)
    {
        return Some(decimal_text(sum));
    }
    let sum = float(left)? + float(right)?;
    sum.is_finite().then(|| format!("{sum}"))
}

/// A score as replies carry it.
pub(crate) fn score(value: f64) -> Bytes {
    Bytes::from(match value {
        f64::INFINITY => String::from("inf"),
        f64::NEG_INFINITY => String::from("-inf"),
        value => format!("{value}"),
    })
}

/// The number times 10^17, if it is plain decimal text and fits.
fn decimal(text: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(text).ok()?;
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(part) || part.len() > SCALE {
        return None;
    }
    let scaled: i128 = format!("{whole}{part:0<SCALE$}").parse().ok()?;
    Some(if negative { -scaled } else { scaled })
}

fn decimal_text(scaled: i128) -> String {
    let sign = if scaled < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", scaled.unsigned_abs(), width = SCALE + 1);
    let (whole, part) = digits.split_at(digits.len() - SCALE);
    match part.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        part => format!("{sign}{whole}.{part}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_integers_are_integers() {
        assert_eq!(integer(b"0"), Some(0));
        assert_eq!(integer(b"-9223372036854775808"), Some(i64::MIN));
        for text in [
            "",
            "-",
            "+1",
            "007",
            "-0",
            " 1",
            "1 ",
            "1.0",
            "9223372036854775808",
            "0x1",
        ] {
            assert_eq!(integer(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn floats_add_up_in_decimal() {
        let sum = |left: &str, right: &str| add_floats(left.as_bytes(), right.as_bytes());
        assert_eq!(sum("0.1", "0.2").as_deref(), Some("0.3"));
        assert_eq!(sum("10.50", "0.1").as_deref(), Some("10.6"));
        assert_eq!(sum("-1", "0.5").as_deref(), Some("-0.5"));
        assert_eq!(sum("5.0e3", "200").as_deref(), Some("5200"));
        assert_eq!(sum("3", "-3").as_deref(), Some("0"));
        assert_eq!(sum("1e308", "1e308"), None);
        assert_eq!(sum("inf", "-inf"), None);
    }
}
