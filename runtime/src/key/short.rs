//! A short text as three words, which are hashed and compared as such: most keys that this process keeps values under are
//! short. No byte is written to memory and read again as a part of a word, for which a processor waits.

#![expect(
    clippy::inline_always,
    reason = "the length of a prefix is known at compile time, and with it where the words after it go"
)]

use super::escape::is_plain;

/// Most bytes.
const MOST: usize = 24;

/// A text of at most [`MOST`] bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Short {
    /// The first byte in the lowest place of the first word; zeros behind the last.
    words: [u64; 3],
    length: u32,
}

impl Short {
    /// Nothing for a text that is longer.
    #[expect(clippy::cast_possible_truncation, reason = "it is at most `MOST`")]
    pub(crate) const fn of(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; MOST];
        let Some((room, _)) = bytes.split_at_mut_checked(text.len()) else {
            return None;
        };
        room.copy_from_slice(text);
        let ([first, second, third], _) = bytes.as_chunks() else {
            return None;
        };
        Some(Self {
            words: [
                u64::from_le_bytes(*first),
                u64::from_le_bytes(*second),
                u64::from_le_bytes(*third),
            ],
            length: text.len() as u32,
        })
    }

    /// What the keys of this prefix and version begin with; nothing where that is longer.
    pub(crate) const fn head(prefix: &str, version: Option<u32>) -> Option<Self> {
        let Some(mut head) = Self::of(prefix.as_bytes()) else {
            return None;
        };
        if let Some(version) = version {
            let Some(marked) = head.and(b'@') else {
                return None;
            };
            head = marked;
            let mut unit = match version.checked_ilog10() {
                Some(power) => 10_u32.pow(power),
                None => 1,
            };
            while unit > 0 {
                let digit = (version / unit % 10) as u8;
                let Some(longer) = head.and(b'0' + digit) else {
                    return None;
                };
                head = longer;
                unit /= 10;
            }
        }
        head.and(b':')
    }

    /// This with one more byte; nothing where there is no room.
    const fn and(self, byte: u8) -> Option<Self> {
        if self.room() == 0 {
            return None;
        }
        Some(self.with(byte as u64, 1))
    }

    #[inline(always)]
    pub(crate) const fn words(&self) -> [u64; 3] {
        self.words
    }

    /// What has these words and this length, of which there is a text.
    pub(crate) fn of_words(words: [u64; 3], length: u64) -> Self {
        let length = u32::try_from(length).unwrap_or(0);
        Self { words, length }
    }

    #[inline(always)]
    pub(crate) const fn len(&self) -> u32 {
        self.length
    }

    /// How many bytes more there is room for.
    #[inline(always)]
    const fn room(&self) -> usize {
        MOST - self.length as usize
    }

    /// This with the lowest so many bytes of a word behind it, above which there are zeros. There has to be room.
    #[inline(always)]
    const fn with(self, word: u64, count: u32) -> Self {
        let [mut first, mut second, mut third] = self.words;
        let shift = self.length % 8 * 8;
        let low = word << shift;
        let high = word >> 8 >> (56 - shift);
        match self.length / 8 {
            0 => {
                first |= low;
                second |= high;
            }
            1 => {
                second |= low;
                third |= high;
            }
            _ => third |= low,
        }
        Self {
            words: [first, second, third],
            length: self.length + count,
        }
    }

    /// This with the digits of a number of up to eight behind it.
    #[inline(always)]
    pub(super) fn with_digits(self, number: u64) -> Option<Self> {
        if number > MOST_DIGITS {
            return None;
        }
        let (digits, count) = digits(number);
        let has_room = self.room() >= 8 || self.room() >= count as usize;
        has_room.then(|| self.with(digits, count))
    }

    /// This with a text behind it that stays as it is; nothing where it has to be encoded, may have to be, or has no room.
    #[inline(always)]
    pub(super) fn with_plain(self, text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() > 8 {
            return self.with_long_plain(bytes);
        }
        if bytes.len() > self.room() {
            return None;
        }
        self.with_plain_word(bytes)
    }

    #[inline(always)]
    fn with_plain_word(self, bytes: &[u8]) -> Option<Self> {
        // Both at once: each byte is read once.
        let (mut word, mut shift, mut stays) = (0, 0, true);
        for &byte in bytes {
            stays &= is_plain(byte);
            word |= u64::from(byte) << shift;
            shift += 8;
        }
        if !stays {
            return None;
        }
        Some(self.with(word, shift / 8))
    }

    /// This with a text of a template behind it, which stays as it is.
    #[inline]
    pub(super) fn with_literal(self, text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let add = |short: Self, bytes| {
            let (word, count) = word(bytes);
            short.with(word, count)
        };
        (bytes.len() <= self.room()).then(|| bytes.chunks(8).fold(self, add))
    }

    #[inline(never)]
    fn with_long_plain(self, bytes: &[u8]) -> Option<Self> {
        if bytes.len() > self.room() {
            return None;
        }
        let mut chunks = bytes.chunks(8);
        chunks.try_fold(self, Self::with_plain_word)
    }

    /// The bytes, and zeros behind them.
    pub(crate) fn bytes(&self) -> [u8; MOST] {
        let mut bytes = [0; MOST];
        for (room, word) in bytes.chunks_exact_mut(8).zip(self.words) {
            room.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// What these bytes begin with.
    pub(crate) fn text<'a>(&self, bytes: &'a [u8; MOST]) -> &'a str {
        std::str::from_utf8(self.as_slice(bytes)).unwrap_or_default()
    }

    /// The same as bytes.
    pub(crate) fn as_slice<'a>(&self, bytes: &'a [u8; MOST]) -> &'a [u8] {
        bytes.get(..self.length as usize).unwrap_or_default()
    }
}

/// At most eight bytes as a word, and how many they are.
#[inline(always)]
fn word(bytes: &[u8]) -> (u64, u32) {
    let (mut word, mut shift) = (0, 0);
    for &byte in bytes {
        word |= u64::from(byte) << shift;
        shift += 8;
    }
    (word, shift / 8)
}

const MOST_DIGITS: u64 = 99_999_999;

/// The digits of a number up to [`MOST_DIGITS`] as text, the first of them in the lowest byte, and how many there are. All
/// at once: each step divides what stands side by side in one word.
/// Source of the way: <https://lemire.me/blog/2021/11/18/converting-integers-to-fix-digit-representations-quickly/>.
#[inline]
fn digits(number: u64) -> (u64, u32) {
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x7F_0000_007F;
    let twos = hundreds | (fours - 100 * hundreds) << 16;
    let tens = ((twos * 103) >> 10) & 0x000F_000F_000F_000F;
    let each = tens | (twos - 10 * tens) << 8;
    // The last digit stays, be it a zero.
    let zeros = (each | 1 << 56).trailing_zeros() & !7;
    ((each | 0x3030_3030_3030_3030) >> zeros, 8 - zeros / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(short: Short) -> String {
        short.text(&short.bytes()).to_owned()
    }

    #[test]
    fn digits_are_those_of_the_number() {
        let ends = (0..8).map(|power| 10_u64.pow(power));
        let ends = ends.flat_map(|end| [end - 1, end, end + 1]);
        let some = (0..100_000).map(|n| n * 997 % (MOST_DIGITS + 1));
        for number in ends.chain(some).chain([MOST_DIGITS]) {
            for prefix in ["", "user:", "a-prefix-of-16:x"] {
                let short = Short::of(prefix.as_bytes()).unwrap();
                let whole = format!("{prefix}{number}");
                let written = short.with_digits(number).unwrap();
                assert_eq!(shown(written), whole);
                assert_eq!(Short::of(whole.as_bytes()), Some(written));
            }
        }
        assert_eq!(Short::default().with_digits(MOST_DIGITS + 1), None);
        let long = Short::of(b"a-prefix-of-22-bytes:x").unwrap();
        assert_eq!(long.with_digits(12), Short::of(b"a-prefix-of-22-bytes:x12"));
        assert_eq!(long.with_digits(123), None);
    }

    #[test]
    fn a_text_stands_where_its_bytes_do_for_every_length() {
        let text = "abcdefghijklmnopqrstuvwxyz";
        for before in 0..=MOST {
            let (prefix, rest) = text.split_at(before);
            let prefix = Short::of(prefix.as_bytes()).unwrap();
            for more in 0..=rest.len() {
                let whole = &text[..before + more];
                let written = prefix.with_plain(&rest[..more]);
                assert_eq!(written, Short::of(whole.as_bytes()), "{whole}");
                assert_eq!(
                    written.map(shown),
                    (whole.len() <= MOST).then(|| whole.to_owned())
                );
            }
        }
    }

    #[test]
    fn what_would_be_encoded_is_left_to_others() {
        let prefix = Short::of(b"p:").unwrap();
        for text in ["a:b", "%", "\0", "ü", "a b", "nine-bytes{", "\u{7f}"] {
            assert_eq!(prefix.with_plain(text), None, "{text:?}");
        }
    }

    #[test]
    fn heads_are_what_keys_begin_with() {
        let head = |prefix, version| Short::head(prefix, version).map(shown);
        assert_eq!(head("user", None).unwrap(), "user:");
        for version in [0, 1, 9, 10, 4_096, u32::MAX] {
            assert_eq!(
                head("user", Some(version)).unwrap(),
                format!("user@{version}:")
            );
        }
        assert_eq!(head("a-prefix-of-23-bytes-xx", None).unwrap().len(), MOST);
        assert_eq!(head("a-prefix-of-24-bytes-xxx", None), None);
        assert_eq!(head("a-prefix-of-16-x", Some(1_234_567)), None);
    }

    #[test]
    fn texts_that_differ_are_never_the_same() {
        let [one, other] = ["a", "a\0"].map(|text| Short::of(text.as_bytes()));
        assert_ne!(one, other);
    }
}
