//! Keys: what callers pass as arguments.

use millpond::key;

/// Arguments that differ have keys that differ, and no key holds what another part of Redis would read.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.splitn(4, '\n');
    let mut next = || parts.next().unwrap_or_default();
    let (a, b, c, d) = (next(), next(), next(), next());
    let plain = |x: &str, y: &str| key!("fuzz:<x>:<y>").as_str().to_owned();
    same(&plain(a, b), &plain(c, d), (a, b) == (c, d));
    let optional = |x: &str, y: &str| {
        let x = (!x.is_empty()).then_some(x);
        key!("fuzz:<x?>:<y>").as_str().to_owned()
    };
    same(&optional(a, b), &optional(c, d), (a, b) == (c, d));
    let hashed = |x: &str, y: &str| key!("fuzz:<x:sha256>:<y>:end").as_str().to_owned();
    same(&hashed(a, b), &hashed(c, d), (a, b) == (c, d));
}

fn same(one: &str, other: &str, are_equal: bool) {
    assert_eq!(one == other, are_equal, "{one} and {other}");
    for key in [one, other] {
        let is_odd = |c: char| c.is_whitespace() || c.is_control() || "*?[]{}\\".contains(c);
        assert!(!key.contains(is_odd), "{key:?}");
        assert_eq!(
            key.matches(':').count(),
            if key.ends_with(":end") { 3 } else { 2 },
            "{key}"
        );
        for word in ["guard", "fence", "doubt", "lease"] {
            assert!(!key.ends_with(&format!(":{word}")), "{key}");
        }
        assert!(key.len() < 2 * 3 * 256 + 100, "{key}");
    }
}
