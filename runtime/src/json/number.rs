//! Numbers as JavaScript writes them.

/// The text of a number with a fraction or an exponent, as JavaScript would write it; nothing where it
/// has more digits than such a number has.
pub(crate) fn as_javascript(json: &str) -> Option<String> {
    if !json.contains(['.', 'e', 'E']) {
        return None;
    }
    let float: f64 = json.parse().ok()?;
    // With `arbitrary_precision`, a number of `serde_json` may have more of them.
    if !float.is_finite() || serde_json::to_string(&float).ok()? != json {
        return None;
    }
    if float == 0.0 {
        return Some("0".to_owned());
    }
    let sign = if float < 0.0 { "-" } else { "" };
    let scientific = format!("{:e}", float.abs());
    let (digits, exponent) = scientific.split_once('e')?;
    let (digits, exponent): (String, i32) = (digits.replace('.', ""), exponent.parse().ok()?);
    Some(format!("{sign}{}", placed(&digits, exponent + 1)))
}

/// The digits with their point after so many of them.
/// Source: <https://tc39.es/ecma262/#sec-numeric-types-number-tostring>.
fn placed(digits: &str, point: i32) -> String {
    let length = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let zeros = |number: i32| "0".repeat(usize::try_from(number).unwrap_or(0));
    if (length..=21).contains(&point) {
        return format!("{digits}{}", zeros(point - length));
    }
    if (-5..=0).contains(&point) {
        return format!("0.{}{digits}", zeros(-point));
    }
    let is_plain = (1..=21).contains(&point);
    let whole = if is_plain { point } else { 1 };
    let (whole, rest) = digits.split_at(usize::try_from(whole).unwrap_or(1).min(digits.len()));
    let mantissa = match rest {
        "" => whole.to_owned(),
        rest => format!("{whole}.{rest}"),
    };
    match point - 1 {
        _ if is_plain => mantissa,
        exponent if exponent < 0 => format!("{mantissa}e{exponent}"),
        exponent => format!("{mantissa}e+{exponent}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_in_javascript() {
        // What `String(x)` says in Node.
        for (float, text) in [
            (1.0, "1"),
            (-1.0, "-1"),
            (0.0, "0"),
            (-0.0, "0"),
            (0.1, "0.1"),
            (100.5, "100.5"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e21, "1.5e+21"),
            (1.234e300, "1.234e+300"),
            (0.000_001, "0.000001"),
            (0.000_000_1, "1e-7"),
            (1.25e-7, "1.25e-7"),
            (5e-324, "5e-324"),
            (9_007_199_254_740_992.0, "9007199254740992"),
            (f64::MAX, "1.7976931348623157e+308"),
            (123_456_789.125, "123456789.125"),
        ] {
            let json = serde_json::to_string(&float).unwrap();
            assert_eq!(as_javascript(&json).as_deref(), Some(text), "{json}");
        }
        assert_eq!(as_javascript("12"), None);
        assert_eq!(as_javascript("0.1000000000000000055"), None);
    }
}
