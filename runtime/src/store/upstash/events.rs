//! Server-sent events as Upstash sends them: `subscribe,<channel>,<number>` and `message,<channel>,<payload>` behind
//! `data:`. Source of the form: the SDK of Upstash, and its documentation; the event stream itself is
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>.

use super::answer::protocol;
use crate::error::Error;
use bytes::Bytes;

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    Subscribed,
    Message {
        channel: String,
        payload: Bytes,
    },
    /// Something that is not needed here.
    Other,
}

/// Puts events together from what arrives.
pub(super) struct Events {
    /// Of the line that is arriving.
    line: Vec<u8>,
    /// Of the event that is arriving.
    data: Option<Vec<u8>>,
    longest: usize,
}

impl Events {
    pub(super) fn new(longest: usize) -> Self {
        Self {
            line: Vec::new(),
            data: None,
            longest,
        }
    }

    /// The events that are complete with these bytes.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<Vec<Event>, Error> {
        let mut events = Vec::new();
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(part);
            let held = self.line.len() + self.data.as_ref().map_or(0, Vec::len);
            if held > self.longest {
                return Err(protocol(format!(
                    "an event of the subscription is over {} bytes",
                    self.longest
                )));
            }
            if self.line.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                events.extend(self.end_of_line(line.trim_ascii_end()));
            }
        }
        Ok(events)
    }

    fn end_of_line(&mut self, line: &[u8]) -> Option<Event> {
        if line.is_empty() {
            return self.data.take().map(|data| event(&data));
        }
        let data = line.strip_prefix(b"data:")?;
        let data = data.strip_prefix(b" ").unwrap_or(data);
        match &mut self.data {
            Some(held) => {
                held.push(b'\n');
                held.extend_from_slice(data);
            }
            None => self.data = Some(data.to_vec()),
        }
        None
    }
}

fn event(data: &[u8]) -> Event {
    // A channel of ours holds no comma, a message may.
    let mut parts = data.splitn(3, |&byte| byte == b',');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(b"subscribe"), Some(_), Some(_)) => Event::Subscribed,
        (Some(b"message"), Some(channel), Some(payload)) => Event::Message {
            channel: String::from_utf8_lossy(channel).into_owned(),
            payload: Bytes::copy_from_slice(payload),
        },
        _ => Event::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(channel: &str, payload: &'static str) -> Event {
        Event::Message {
            channel: channel.to_owned(),
            payload: payload.into(),
        }
    }

    #[test]
    fn events_are_the_same_however_they_are_cut() {
        let text = "data: subscribe,c,1\n\n: a comment\n\ndata: message,c,{\"a\":[1,2]}\r\n\r\ndata:message,d,x\ndata: y\n\n";
        let expected = vec![
            Event::Subscribed,
            message("c", "{\"a\":[1,2]}"),
            message("d", "x\ny"),
        ];
        for size in 1..text.len() {
            let mut events = Events::new(1_000);
            let parts = text.as_bytes().chunks(size);
            let read: Vec<_> = parts.flat_map(|part| events.read(part).unwrap()).collect();
            assert_eq!(read, expected, "in parts of {size} bytes");
        }
    }

    #[test]
    fn an_event_without_an_end_is_refused_and_takes_no_memory() {
        let mut events = Events::new(100);
        assert_eq!(events.read(&[b'x'; 100]).unwrap(), []);
        assert!(
            events
                .read(b"x")
                .unwrap_err()
                .to_string()
                .contains("over 100 bytes")
        );
        let mut events = Events::new(100);
        let error = (0..100).find_map(|_| events.read(b"data: 12345\n").err());
        assert!(error.unwrap().to_string().contains("over 100 bytes"));
    }

    #[test]
    fn what_is_no_message_is_left_out() {
        let mut events = Events::new(100);
        let read =
            events.read(b"data: unsubscribe,c,0\n\ndata: message,c\n\ndata:\n\nevent: x\n\n");
        assert_eq!(read.unwrap(), [Event::Other, Event::Other, Event::Other]);
    }
}
