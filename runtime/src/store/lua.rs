//! Lua texts without what a server has no use for: comments and indentation. They are in every binary, and go to the
//! server when a script is first used there.

/// The text of a file, without lines that are comments and without the blanks that lines begin with.
macro_rules! script {
    ($file:literal) => {{
        const TEXT: &str = include_str!($file);
        const LENGTH: usize = crate::store::lua::length(TEXT);
        const BYTES: [u8; LENGTH] = crate::store::lua::bytes(TEXT);
        const {
            match str::from_utf8(&BYTES) {
                Ok(text) => text,
                Err(_) => panic!("whole lines of a text are text"),
            }
        }
    }};
}
pub(super) use script;

/// How many bytes are left of a text.
pub(super) const fn length(text: &str) -> usize {
    strip(text, &mut [])
}

/// What is left of a text.
pub(super) const fn bytes<const LENGTH: usize>(text: &str) -> [u8; LENGTH] {
    let mut left = [0; LENGTH];
    strip(text, &mut left);
    left
}

/// Writes what is left of a text as far as there is room; the length of all of it.
const fn strip(text: &str, left: &mut [u8]) -> usize {
    let text = text.as_bytes();
    let (mut at, mut length) = (0, 0);
    while at < text.len() {
        while at < text.len() && text[at] == b' ' {
            at += 1;
        }
        let is_comment = at + 1 < text.len() && text[at] == b'-' && text[at + 1] == b'-';
        let mut is_over = false;
        while at < text.len() && !is_over {
            is_over = text[at] == b'\n';
            if !is_comment {
                if length < left.len() {
                    left[length] = text[at];
                }
                length += 1;
            }
            at += 1;
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::{bytes, length};

    #[test]
    fn lines_that_are_comments_and_indentation_go() {
        const TEXT: &str =
            "-- what it does\nif a then\n    -- why\n    return a - -b -- this stays\nend\n";
        const LEFT: &str = "if a then\nreturn a - -b -- this stays\nend\n";
        const BYTES: [u8; length(TEXT)] = bytes(TEXT);
        assert_eq!(str::from_utf8(&BYTES), Ok(LEFT));
        assert_eq!((length(""), length("--"), length("  ")), (0, 0, 0));
    }
}
