//! Subscriptions and `MONITOR` as server-sent events.

use crate::resp::{Connection, Reply};
use bytes::Bytes;
use tokio::sync::mpsc;

/// Sends what a subscribed connection receives until either side goes away.
pub(crate) async fn forward(mut connection: Connection, lines: mpsc::Sender<Bytes>) {
    loop {
        let reply = tokio::select! {
            reply = connection.receive() => reply,
            () = lines.closed() => return,
        };
        let Ok(reply) = reply else { return };
        if lines.send(event(&reply)).await.is_err() {
            return;
        }
    }
}

// `message,<channel>,<payload>`: commas and no JSON, and never base64. A status is quoted.
fn event(reply: &Reply) -> Bytes {
    let text = match reply {
        Reply::Array(items) => items.iter().map(part).collect::<Vec<_>>().join(","),
        Reply::Status(text) if text == "OK" => "\"OK\"".to_owned(),
        other => part(other),
    };
    // A line break inside an event would end it early.
    Bytes::from(format!("data: {}\n\n", text.replace('\n', "\ndata: ")))
}

fn part(reply: &Reply) -> String {
    match reply {
        Reply::Int(number) => number.to_string(),
        other => other.text().unwrap_or_default(),
    }
}
