//! The header `Forwarded` (RFC 7239), strictly: what does not parse as a whole is not believed at all, since an
//! open quote could swallow what a proxy appended.

use crate::limit::address::parse as parse_address;
use std::net::IpAddr;

/// The `for` of each element, in order; `None` for one that is no address. All of it is `None` if it does not parse.
pub(super) fn parse(header: &[u8]) -> Option<Vec<Option<IpAddr>>> {
    let mut rest = Text(header);
    let mut elements = Vec::new();
    loop {
        rest.skip_spaces();
        match rest.first() {
            None => return Some(elements),
            // RFC 9110 allows elements of lists to be empty.
            Some(b',') => rest.advance(1),
            Some(_) => {
                element(&mut rest, &mut elements)?;
                if !matches!(rest.first(), None | Some(b',')) {
                    return None;
                }
            }
        }
    }
}

/// `for=192.0.2.60;proto=http;by=203.0.113.43`, whose client is added to the others.
fn element(rest: &mut Text<'_>, clients: &mut Vec<Option<IpAddr>>) -> Option<()> {
    let mut client = None;
    let mut times = 0;
    loop {
        let name = rest.token(is_token);
        if name.is_empty() || rest.first() != Some(b'=') {
            return None;
        }
        rest.advance(1);
        let value = if rest.first() == Some(b'"') {
            rest.quoted()?
        } else {
            // Proxies write ports and IPv6 addresses without the quotes that they need.
            let value = rest.token(|byte| is_token(byte) || matches!(byte, b':' | b'[' | b']'));
            if value.is_empty() {
                return None;
            }
            value.to_vec()
        };
        if name.eq_ignore_ascii_case(b"for") {
            times += 1;
            client = parse_address(&value);
        }
        rest.skip_spaces();
        if rest.first() != Some(b';') {
            // Which of two would it be?
            clients.push(client.filter(|_| times == 1));
            return Some(());
        }
        rest.advance(1);
        rest.skip_spaces();
    }
}

struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    fn first(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn advance(&mut self, by: usize) {
        self.0 = self.0.get(by..).unwrap_or_default();
    }

    fn skip_spaces(&mut self) {
        self.token(|byte| matches!(byte, b' ' | b'\t'));
    }

    fn token(&mut self, is_part: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|byte| !is_part(*byte));
        let (token, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        token
    }

    /// What stands between quotes; `None` if they are never closed.
    fn quoted(&mut self) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        self.advance(1);
        loop {
            let byte = self.first()?;
            self.advance(1);
            match byte {
                b'"' => return Some(text),
                b'\\' => {
                    text.push(self.first()?);
                    self.advance(1);
                }
                byte if byte == b'\t' || (byte >= b' ' && byte != 0x7f) => text.push(byte),
                _ => return None,
            }
        }
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
