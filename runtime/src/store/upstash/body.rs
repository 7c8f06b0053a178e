//! The body of a request: JSON.

use crate::error::{Error, ErrorKind};
use crate::store::command::{Call, Command, Effect, Script};
use crate::store::transport::Outgoing;
use bytes::Bytes;

/// A command as JSON.
#[derive(Debug)]
pub(crate) struct EncodedCommand {
    effect: Effect,
    count: usize,
    /// Of an `MGET`.
    keys: Option<usize>,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Plain(Vec<u8>),
    /// The number of keys, the keys and the arguments: what `EVALSHA` and `EVAL` have in common.
    Script {
        script: Script,
        tail: Vec<u8>,
        known: bool,
    },
    /// The commands, divided by commas: the body of a request of its own, but for the brackets.
    Transaction(Vec<u8>),
}

impl Outgoing for EncodedCommand {
    /// An error if an argument is not UTF-8, which JSON cannot carry.
    fn new(command: Command) -> Result<Self, Error> {
        let form = match &command.call {
            Call::Plain(args) if args.is_empty() => {
                return Err(Error::new(ErrorKind::InvalidValue, "an empty command"));
            }
            Call::Plain(args) => {
                // Each word in quotes, with a comma; what has to be escaped is rare.
                let words = args.iter().map(|arg| arg.len() + 3).sum::<usize>();
                let mut body = Vec::with_capacity(words + 2);
                write_command(&mut body, args)?;
                Form::Plain(body)
            }
            Call::Pair(keys) => {
                let words = keys.iter().map(|key| key.len() + 3).sum::<usize>();
                let mut body = Vec::with_capacity(words + 9);
                body.extend_from_slice(b"[\"MGET\",");
                write_texts(&mut body, keys)?;
                body.push(b']');
                Form::Plain(body)
            }
            Call::Transaction(commands) if commands.iter().any(Vec::is_empty) => {
                return Err(Error::new(ErrorKind::InvalidValue, "an empty command"));
            }
            Call::Transaction(commands) => {
                let mut body = Vec::new();
                for (index, args) in commands.iter().enumerate() {
                    if index > 0 {
                        body.push(b',');
                    }
                    write_command(&mut body, args)?;
                }
                Form::Transaction(body)
            }
            Call::Script { script, keys, args } => {
                let mut tail = format!(",\"{}\"", keys.len()).into_bytes();
                for texts in [keys, args].into_iter().filter(|texts| !texts.is_empty()) {
                    tail.push(b',');
                    write_texts(&mut tail, texts)?;
                }
                Form::Script {
                    script: *script,
                    tail,
                    known: true,
                }
            }
        };
        Ok(Self {
            effect: command.effect,
            count: command.call.count(),
            keys: command.mget().map(<[Bytes]>::len),
            form,
        })
    }

    fn effect(&self) -> Effect {
        self.effect
    }

    fn bytes(&self) -> usize {
        match &self.form {
            Form::Plain(json) | Form::Transaction(json) => json.len(),
            Form::Script { tail, .. } => tail.len() + 64,
        }
    }

    fn count(&self) -> usize {
        self.count
    }

    fn keys(&self) -> Option<usize> {
        self.keys
    }

    /// A transaction goes to an address of its own.
    fn is_alone(&self) -> bool {
        matches!(self.form, Form::Transaction(_))
    }

    fn send_source(&mut self) -> bool {
        match &mut self.form {
            Form::Script { known, .. } => std::mem::take(known),
            Form::Plain(_) | Form::Transaction(_) => false,
        }
    }
}

impl EncodedCommand {
    /// Several are an `MGET` each, and are written as one.
    pub(crate) fn write(commands: &[&Self], body: &mut Vec<u8>) {
        for (index, command) in commands.iter().enumerate() {
            if index == 0 {
                command.write_alone(body);
            } else if let Form::Plain(json) = &command.form {
                body.pop();
                body.extend_from_slice(json.strip_prefix(b"[\"MGET\"").unwrap_or(json));
            }
        }
    }

    fn write_alone(&self, body: &mut Vec<u8>) {
        match &self.form {
            Form::Plain(json) | Form::Transaction(json) => body.extend_from_slice(json),
            Form::Script {
                script,
                tail,
                known,
            } => {
                body.extend_from_slice(if *known {
                    b"[\"EVALSHA\","
                } else {
                    b"[\"EVAL\","
                });
                write_text(
                    body,
                    if *known {
                        script.upstash_sha()
                    } else {
                        script.upstash_source()
                    },
                );
                body.extend_from_slice(tail);
                body.push(b']');
            }
        }
    }
}

fn write_command(body: &mut Vec<u8>, args: &[Bytes]) -> Result<(), Error> {
    body.push(b'[');
    write_texts(body, args)?;
    body.push(b']');
    Ok(())
}

fn write_texts(body: &mut Vec<u8>, args: &[Bytes]) -> Result<(), Error> {
    for (index, arg) in args.iter().enumerate() {
        let text = std::str::from_utf8(arg).map_err(|_| {
            Error::new(
                ErrorKind::InvalidValue,
                format!("argument {index} is not UTF-8, and the REST protocol carries only text"),
            )
        })?;
        if index > 0 {
            body.push(b',');
        }
        write_text(body, text);
    }
    Ok(())
}

/// A JSON string, by RFC 8259, section 7.
fn write_text(body: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    body.reserve(text.len() + 2);
    body.push(b'"');
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    let (plain, rest) = match text.bytes().position(|byte| !is_plain(byte)) {
        Some(end) => text.as_bytes().split_at(end),
        None => (text.as_bytes(), &[][..]),
    };
    body.extend_from_slice(plain);
    for &byte in rest {
        match byte {
            b'"' | b'\\' => body.extend_from_slice(&[b'\\', byte]),
            0..0x20 => {
                body.extend_from_slice(b"\\u00");
                body.push(HEX[usize::from(byte >> 4) & 0xf]);
                body.push(HEX[usize::from(byte & 0xf)]);
            }
            _ => body.push(byte),
        }
    }
    body.push(b'"');
}
