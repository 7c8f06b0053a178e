//! Which keys a cached function can have, and whether two functions can have one in common.

use std::collections::HashSet;

/// The keys of a template: segments between colons, which no rendered part holds.
#[derive(Debug)]
pub(crate) struct KeyForm {
    segments: Vec<Vec<Piece>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    /// A byte of the template's own text.
    Byte(u8),
    /// A rendered part: any text without the bytes that are encoded in one.
    Part,
    /// A digit of a hash.
    HexDigit,
}

/// The digits of a SHA-256.
const HASH_DIGITS: usize = 64;

impl KeyForm {
    /// The form of a template. What arguments are called, and whether one may be absent, does not show
    /// in a key.
    pub(crate) fn of(template: &str) -> Self {
        let mut segments = vec![Vec::new()];
        let mut rest = template;
        while let Some(c) = rest.chars().next() {
            let after = &rest[c.len_utf8()..];
            let is_doubled = after.starts_with(c);
            match c {
                ':' => {
                    segments.push(Vec::new());
                    rest = after;
                    continue;
                }
                '<' if !is_doubled => {
                    let (placeholder, after) = after.split_once('>').unwrap_or((after, ""));
                    let is_hash = placeholder.ends_with(":sha256");
                    let (piece, times) = if is_hash {
                        (Piece::HexDigit, HASH_DIGITS)
                    } else {
                        (Piece::Part, 1)
                    };
                    last(&mut segments).extend(std::iter::repeat_n(piece, times));
                    rest = after;
                    continue;
                }
                '<' | '>' if is_doubled => rest = &after[1..],
                _ => rest = after,
            }
            let mut text = [0; 4];
            let bytes = c.encode_utf8(&mut text).bytes();
            last(&mut segments).extend(bytes.map(Piece::Byte));
        }
        if template.is_empty() {
            segments.clear();
        }
        Self { segments }
    }

    /// Whether both can give the same key.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.segments.len() == other.segments.len()
            && self
                .segments
                .iter()
                .zip(&other.segments)
                .all(|(one, other)| segments_meet(one, other))
    }

    /// Whether both give the same keys, whatever the arguments are.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        self.segments == other.segments
    }
}

fn last(segments: &mut Vec<Vec<Piece>>) -> &mut Vec<Piece> {
    if segments.is_empty() {
        segments.push(Vec::new());
    }
    let at = segments.len() - 1;
    &mut segments[at]
}

/// Walks both at once: the states are pairs of positions, and a part stays where it is for as long as
/// the other side has bytes for it.
fn segments_meet(one: &[Piece], other: &[Piece]) -> bool {
    let mut met = HashSet::from([(0, 0)]);
    let mut left = vec![(0, 0)];
    while let Some((i, j)) = left.pop() {
        let (a, b) = (one.get(i).copied(), other.get(j).copied());
        let next = match (a, b) {
            (None, None) => return true,
            // A part may end here, or take what is on the other side.
            (Some(Piece::Part), None) => [Some((i + 1, j)), None],
            (None, Some(Piece::Part)) => [Some((i, j + 1)), None],
            (Some(Piece::Part), Some(Piece::Part)) => [Some((i + 1, j)), Some((i, j + 1))],
            (Some(Piece::Part), Some(piece)) => [
                Some((i + 1, j)),
                stands_in_a_part(piece).then_some((i, j + 1)),
            ],
            (Some(piece), Some(Piece::Part)) => [
                Some((i, j + 1)),
                stands_in_a_part(piece).then_some((i + 1, j)),
            ],
            (Some(a), Some(b)) => [is_same(a, b).then_some((i + 1, j + 1)), None],
            (Some(_), None) | (None, Some(_)) => [None, None],
        };
        left.extend(next.into_iter().flatten().filter(|&pair| met.insert(pair)));
    }
    false
}

fn stands_in_a_part(piece: Piece) -> bool {
    match piece {
        Piece::Byte(byte) => !crate::key::is_encoded_in_parts(byte),
        Piece::Part | Piece::HexDigit => true,
    }
}

fn is_same(one: Piece, other: Piece) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    match (one, other) {
        (Piece::Byte(byte), Piece::HexDigit) | (Piece::HexDigit, Piece::Byte(byte)) => {
            is_digit(byte)
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyWriter;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn templates_are_compared_by_the_keys_that_they_give() {
        let meets = |one: &str, other: &str| {
            let (one, other) = (KeyForm::of(one), KeyForm::of(other));
            assert_eq!(one.meets(&other), other.meets(&one));
            (one.meets(&other), one.equals(&other))
        };
        for (one, other) in [
            ("<id>", "<user_id>"),
            ("<id>:posts", "<user.id>:posts"),
            ("<id?>:<page>", "<user>:<n>"),
            ("<<a>>:<b>", "<<a>>:<c>"),
            ("{<a>}:<b>", "{<id>}:<c>"),
            ("<a:sha256>", "<b:sha256>"),
        ] {
            assert_eq!(meets(one, other), (true, true), "{one} {other}");
        }
        let digest = "0123456789abcdef".repeat(4);
        for (one, other) in [
            ("<name>", "admins"),
            ("<id>", "<id:sha256>"),
            ("a<x>", "<y>b"),
            ("<a><b>:c", "<a>:<b>"),
            (&digest, "<id:sha256>"),
            ("<<a>>", "<x>"),
        ] {
            assert_eq!(meets(one, other), (true, false), "{one} {other}");
        }
        for (one, other) in [
            ("<id>", "<id>:<page>"),
            ("a:<id>", "b:<id>"),
            ("<id>", ""),
            ("<id>", "{<id>}"),
            ("a<x>", "b<y>"),
            ("admins", "<id:sha256>"),
        ] {
            assert_eq!(meets(one, other), (false, false), "{one} {other}");
        }
    }

    /// What a part can be, as far as these templates tell parts apart.
    const PARTS: [&str; 10] = ["", "a", "b", "ab", "ba", "aa", "bb", "abab", "guard", "{"];

    fn template() -> impl Strategy<Value = Vec<Option<&'static str>>> {
        let piece = prop_oneof![
            3 => Just(None),
            2 => prop::sample::select(vec!["a", "b", "ab", "{", "guard"]).prop_map(Some),
            2 => Just(Some(":")),
        ];
        prop::collection::vec(piece, 1..5)
    }

    fn text(template: &[Option<&str>]) -> String {
        template
            .iter()
            .map(|piece| piece.unwrap_or("<x>"))
            .collect()
    }

    /// Every key that a template gives for these parts.
    fn keys(template: &[Option<&'static str>]) -> BTreeSet<String> {
        let holes = template.iter().filter(|piece| piece.is_none()).count();
        (0..PARTS.len().pow(u32::try_from(holes).unwrap()))
            .map(|mut number| {
                let mut writer = KeyWriter::bare("p");
                for piece in template {
                    if let Some(text) = piece {
                        writer.literal(text);
                    } else {
                        writer.part(PARTS[number % PARTS.len()]);
                        number /= PARTS.len();
                    }
                }
                writer.finish().as_str().to_owned()
            })
            .collect()
    }

    proptest! {
        #[test]
        fn no_pair_that_shares_a_key_is_missed(one in template(), other in template()) {
            let shared = !keys(&one).is_disjoint(&keys(&other));
            let (one, other) = (text(&one), text(&other));
            let meets = KeyForm::of(&one).meets(&KeyForm::of(&other));
            prop_assert!(meets || !shared, "{one} {other}");
        }
    }
}
