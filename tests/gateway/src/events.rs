//! Subscriptions and `MONITOR` as server-sent events.

use crate::resp::{Connection, Reply};
use bytes::Bytes;
use tokio::sync::mpsc;

/// Sends what a subscribed connection receives until either side goes away.
/// `suffix`: what stands behind the names of channels on the server.
pub(crate) async fn forward(
    mut connection: Connection,
    suffix: String,
    lines: mpsc::Sender<Bytes>,
) {
    loop {
        let reply = tokio::select! {
            reply = connection.receive() => reply,
            () = lines.closed() => return,
        };
        let Ok(reply) = reply else { return };
        if lines.send(event(&reply, &suffix)).await.is_err() {
            return;
        }
    }
}

// `message,<channel>,<payload>`: commas and no JSON, and never base64. A status is quoted.
fn event(reply: &Reply, suffix: &str) -> Bytes {
    let text = match reply {
        Reply::Array(items) => {
            let mut parts: Vec<String> = items.iter().map(part).collect();
            // All that is neither the kind of the event nor what was published.
            let channels = 1..parts.len().saturating_sub(1).max(1);
            for channel in parts.get_mut(channels).into_iter().flatten() {
                if let Some(name) = channel.strip_suffix(suffix) {
                    *channel = name.to_owned();
                }
            }
            parts.join(",")
        }
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
