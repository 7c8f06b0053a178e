//! How much a reply will take, told from the bytes as they arrive: a server that announces 9 GB, or ten
//! million elements, is not believed until memory ends.

/// Arrays within arrays. The parser of `redis` gives up at 100.
const DEEPEST: usize = 100;

/// What an element takes in memory beside its bytes.
const ELEMENT: u64 = 64;

/// Follows the replies on one connection.
pub(super) struct Frames {
    largest: u64,
    /// What the reply that is being read takes, so far and by what it has announced.
    cost: u64,
    /// How many elements are still to come, for each array that is open.
    open: Vec<u64>,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    Start,
    /// Up to the end of the line.
    Line,
    /// The length after the type byte.
    Length {
        of: u8,
        length: u64,
        is_null: bool,
    },
    /// This many bytes of a text and its line end.
    Text(u64),
    /// No reply begins like that; the parser will say so.
    Lost,
}

/// The reply is larger than what is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

impl Frames {
    pub(super) fn new(largest: usize) -> Self {
        Self {
            largest: u64::try_from(largest).unwrap_or(u64::MAX),
            cost: 0,
            open: Vec::new(),
            state: State::Start,
        }
    }

    /// Takes note of bytes that arrived. After an error the connection is of no use any more.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Result<(), TooLarge> {
        while let Some((&byte, rest)) = bytes.split_first() {
            bytes = rest;
            match self.state {
                State::Start if byte == b'$' => match whole_text(rest) {
                    Some((length, after)) => {
                        self.add(ELEMENT.saturating_add(length))?;
                        self.end();
                        bytes = after;
                    }
                    None => self.begin(byte)?,
                },
                State::Start => self.begin(byte)?,
                State::Line => {
                    self.add(1)?;
                    if byte == b'\n' {
                        self.end();
                    }
                }
                State::Length {
                    of,
                    length,
                    is_null,
                } => match byte {
                    b'0'..=b'9' => {
                        let length = length
                            .saturating_mul(10)
                            .saturating_add(u64::from(byte - b'0'));
                        self.state = State::Length {
                            of,
                            length,
                            is_null,
                        };
                    }
                    b'-' => {
                        self.state = State::Length {
                            of,
                            length,
                            is_null: true,
                        };
                    }
                    b'\n' => self.announce(of, if is_null { None } else { Some(length) })?,
                    _ => {}
                },
                State::Text(left) => {
                    let here = u64::try_from(rest.len())
                        .unwrap_or(u64::MAX)
                        .saturating_add(1);
                    if left > here {
                        self.state = State::Text(left - here);
                        return Ok(());
                    }
                    let skipped = usize::try_from(left - 1).unwrap_or(usize::MAX);
                    bytes = rest.get(skipped..).unwrap_or_default();
                    self.end();
                }
                State::Lost => {
                    let here = u64::try_from(rest.len()).unwrap_or(u64::MAX);
                    return self.add(here.saturating_add(1));
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, of: u8) -> Result<(), TooLarge> {
        self.add(ELEMENT)?;
        self.state = match of {
            b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => State::Line,
            b'$' | b'!' | b'=' | b'*' | b'~' | b'>' | b'%' | b'|' => State::Length {
                of,
                length: 0,
                is_null: false,
            },
            _ => State::Lost,
        };
        Ok(())
    }

    /// The length of a text, or how many elements follow.
    fn announce(&mut self, of: u8, length: Option<u64>) -> Result<(), TooLarge> {
        let Some(length) = length else {
            self.end();
            return Ok(());
        };
        let elements = match of {
            b'$' | b'!' | b'=' => {
                self.add(length)?;
                self.state = State::Text(length.saturating_add(2));
                return Ok(());
            }
            b'%' => length.saturating_mul(2),
            // The value that the attributes belong to follows them.
            b'|' => length.saturating_mul(2).saturating_add(1),
            _ => length,
        };
        // Nothing is added yet: each element is counted when it comes.
        let announced = elements.saturating_mul(ELEMENT);
        if self.cost.saturating_add(announced) > self.largest || self.open.len() >= DEEPEST {
            return Err(TooLarge);
        }
        if elements == 0 {
            self.end();
        } else {
            self.open.push(elements);
            self.state = State::Start;
        }
        Ok(())
    }

    /// An element is complete, and with it perhaps the arrays that it is the last of.
    fn end(&mut self) {
        self.state = State::Start;
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return;
            }
            self.open.pop();
        }
        self.cost = 0;
    }

    fn add(&mut self, cost: u64) -> Result<(), TooLarge> {
        self.cost = self.cost.saturating_add(cost);
        if self.cost > self.largest {
            return Err(TooLarge);
        }
        Ok(())
    }
}

/// The length of a text that is here to its end, as nearly every one is, and what follows it. `bytes` are those behind the
/// type byte.
fn whole_text(bytes: &[u8]) -> Option<(u64, &[u8])> {
    if let Some(after) = bytes.strip_prefix(b"-1\r\n") {
        return Some((0, after));
    }
    let mut length = 0_usize;
    let mut digits = 0;
    for byte in bytes {
        match byte {
            b'0'..=b'9' => {
                length = length
                    .checked_mul(10)?
                    .checked_add(usize::from(byte - b'0'))?;
                digits += 1;
            }
            _ => break,
        }
    }
    let text = bytes.get(digits..)?.strip_prefix(b"\r\n")?;
    let after = text.get(length..)?.strip_prefix(b"\r\n")?;
    (digits > 0).then_some((u64::try_from(length).ok()?, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGEST: usize = 10_000;

    /// In pieces of every size, since a socket divides where it likes.
    fn read(reply: &[u8]) -> Result<(), TooLarge> {
        let results: Vec<_> = (1..=reply.len())
            .map(|size| {
                let mut frames = Frames::new(LARGEST);
                reply.chunks(size).try_for_each(|piece| frames.read(piece))
            })
            .collect();
        assert!(
            results.windows(2).all(|two| two[0] == two[1]),
            "{results:?}"
        );
        results[0]
    }

    #[test]
    fn what_fits_passes_however_many_replies_come() {
        let mut frames = Frames::new(LARGEST);
        let text = format!("$1000\r\n{}\r\n", "\r\n".repeat(500));
        let replies = [
            "+OK\r\n",
            ":12\r\n",
            "-ERR no\r\n",
            "$-1\r\n",
            "*-1\r\n",
            "*0\r\n",
            "*2\r\n*2\r\n:1\r\n$0\r\n\r\n$1\r\na\r\n",
            "%1\r\n+a\r\n:1\r\n",
            "|1\r\n+a\r\n:1\r\n+b\r\n",
            text.as_str(),
        ];
        for _ in 0..100 {
            for reply in replies {
                assert_eq!(read(reply.as_bytes()), Ok(()), "{reply:?}");
                assert_eq!(frames.read(reply.as_bytes()), Ok(()), "{reply:?}");
            }
        }
    }

    #[test]
    fn what_is_announced_is_refused_before_it_comes() {
        for header in [
            "$9000000000\r\n",
            "*9000000000\r\n",
            "$99999999999999999999999999\r\n",
            "%9000000000\r\n",
            "~200\r\n",
            "*1\r\n*1\r\n$9000000000\r\n",
        ] {
            assert_eq!(read(header.as_bytes()), Err(TooLarge), "{header:?}");
        }
    }

    #[test]
    fn what_adds_up_is_refused_as_well() {
        let line = format!("+{}", "x".repeat(LARGEST));
        let nested = "*1\r\n".repeat(DEEPEST + 1);
        let parts = format!(
            "*100\r\n{}",
            "$200\r\n".to_owned() + &"x".repeat(200) + "\r\n"
        );
        let parts = parts.clone() + &parts[6..].repeat(99);
        let no_redis = "H".repeat(LARGEST + 1);
        for reply in [line, nested, parts, no_redis] {
            let mut frames = Frames::new(LARGEST);
            assert_eq!(frames.read(reply.as_bytes()), Err(TooLarge));
        }
    }
}
