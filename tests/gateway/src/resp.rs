//! RESP2, as much as a gateway needs: commands out, replies in, byte for byte.

use bytes::{BufMut, Bytes, BytesMut};
use std::io;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A command's name and arguments.
pub type Command = Vec<Bytes>;

/// What Redis answers to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `+OK` and the like.
    Status(String),
    /// `-ERR …`, the code included.
    Error(String),
    /// `:1`
    Int(i64),
    /// `$3`, a text or bytes.
    Bulk(Bytes),
    /// `$-1`
    Nil,
    /// `*-1`
    NilArray,
    /// `*2`
    Array(Vec<Reply>),
}

impl Reply {
    /// The bytes that Redis sent for this reply.
    pub fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Status(text) => out.put_slice(format!("+{text}\r\n").as_bytes()),
            Self::Error(text) => out.put_slice(format!("-{text}\r\n").as_bytes()),
            Self::Int(number) => out.put_slice(format!(":{number}\r\n").as_bytes()),
            Self::Bulk(bytes) => encode_bulk(bytes, out),
            Self::Nil => out.put_slice(b"$-1\r\n"),
            Self::NilArray => out.put_slice(b"*-1\r\n"),
            Self::Array(items) => {
                out.put_slice(format!("*{}\r\n", items.len()).as_bytes());
                for item in items {
                    item.encode(out);
                }
            }
        }
    }

    /// The text of a status or bulk reply, lossy where it is no UTF-8.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Status(text) => Some(text.clone()),
            Self::Bulk(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        }
    }
}

fn encode_bulk(bytes: &[u8], out: &mut BytesMut) {
    out.put_slice(format!("${}\r\n", bytes.len()).as_bytes());
    out.put_slice(bytes);
    out.put_slice(b"\r\n");
}

/// One connection to a Redis, with one database selected.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects to a Redis on this machine.
    ///
    /// # Errors
    ///
    /// When nothing listens there, or the server has no such database.
    pub async fn open(port: u16, database: u32) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let mut connection = Self {
            stream: BufReader::new(stream),
        };
        let select = vec![Bytes::from("SELECT"), Bytes::from(database.to_string())];
        match connection.call(&select).await? {
            Reply::Error(text) => Err(io::Error::other(text)),
            _ => Ok(connection),
        }
    }

    /// The other end of one: commands are received, and replies are sent.
    pub(crate) fn of(client: TcpStream) -> Self {
        Self {
            stream: BufReader::new(client),
        }
    }

    pub(crate) async fn answer(&mut self, reply: &Reply) -> io::Result<()> {
        let mut out = BytesMut::new();
        reply.encode(&mut out);
        self.write(&out).await
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes).await
    }

    /// Waits until the other side has closed it, or said something that it was not asked for.
    pub(crate) async fn ended(&mut self) {
        // An error is an end as well.
        let _ = self.stream.fill_buf().await;
    }

    /// Makes the end of this connection a reset; always an error, which ends it.
    pub(crate) fn reset(&mut self) -> io::Result<()> {
        self.stream.get_mut().set_zero_linger()?;
        Err(io::ErrorKind::ConnectionReset.into())
    }

    /// Sends one command and waits for its reply.
    ///
    /// # Errors
    ///
    /// When the connection breaks; an error of the command is a [`Reply::Error`].
    pub async fn call(&mut self, command: &[Bytes]) -> io::Result<Reply> {
        self.send(&[command]).await?;
        self.receive().await
    }

    /// Writes commands without waiting for the replies.
    ///
    /// # Errors
    ///
    /// When the connection breaks.
    pub async fn send<C: AsRef<[Bytes]>>(&mut self, commands: &[C]) -> io::Result<()> {
        let mut out = BytesMut::new();
        for command in commands {
            let command = command.as_ref();
            out.put_slice(format!("*{}\r\n", command.len()).as_bytes());
            for argument in command {
                encode_bulk(argument, &mut out);
            }
        }
        self.stream.get_mut().write_all(&out).await
    }

    /// Reads the next reply.
    ///
    /// # Errors
    ///
    /// When the connection breaks or the bytes are no RESP2.
    pub async fn receive(&mut self) -> io::Result<Reply> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).await?;
        let line = line
            .strip_suffix(b"\r\n")
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        let (kind, rest) = line.split_first().ok_or_else(malformed)?;
        let text = String::from_utf8_lossy(rest);
        match kind {
            b'+' => Ok(Reply::Status(text.into_owned())),
            b'-' => Ok(Reply::Error(text.into_owned())),
            b':' => Ok(Reply::Int(text.parse().map_err(|_| malformed())?)),
            b'$' if text == "-1" => Ok(Reply::Nil),
            b'*' if text == "-1" => Ok(Reply::NilArray),
            b'$' => {
                let length: usize = text.parse().map_err(|_| malformed())?;
                let mut bytes = vec![0; length + 2];
                self.stream.read_exact(&mut bytes).await?;
                bytes.truncate(length);
                Ok(Reply::Bulk(bytes.into()))
            }
            b'*' => {
                let length: usize = text.parse().map_err(|_| malformed())?;
                let mut items = Vec::with_capacity(length);
                for _ in 0..length {
                    items.push(Box::pin(self.receive()).await?);
                }
                Ok(Reply::Array(items))
            }
            _ => Err(malformed()),
        }
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the server sent no RESP2")
}
