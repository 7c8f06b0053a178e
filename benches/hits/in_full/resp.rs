//! Over RESP: one `MGET` over a connection that all share, and that is opened anew after it broke.

use super::{Failed, Meter, Observed, Waiting, Wire, add};
use crate::Outcome;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, Cmd, Value};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) struct Resp {
    client: Client,
    /// Nothing after it broke.
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl Resp {
    pub(crate) async fn new(url: &str) -> Outcome<Self> {
        let client = Client::open(url)?;
        let connection = open(&client).await?;
        Ok(Self {
            client,
            connection: Mutex::new(Some(connection)),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<MultiplexedConnection>> {
        let connection = self.connection.lock();
        connection.unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time limit is that of the exchange.
async fn open(client: &Client) -> redis::RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    client
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

impl Wire for Resp {
    async fn read(&self, keys: &[Waiting], meter: &Meter) -> Result<Vec<Observed>, Failed> {
        let current = self.lock().clone();
        let mut connection = if let Some(connection) = current {
            connection
        } else {
            let opened = Box::pin(open(&self.client)).await;
            let opened = opened.map_err(|_| Failed::Lost)?;
            *self.lock() = Some(opened.clone());
            opened
        };
        let bytes = keys.iter().map(|waiting| 2 * waiting.key.len() + 8);
        let bytes: usize = bytes.sum();
        let mut command = Cmd::with_capacity(2 * keys.len() + 1, bytes + 4);
        command.arg("MGET");
        let mut guard = String::with_capacity(32);
        for Waiting { key, .. } in keys {
            guard.clear();
            guard.push('{');
            guard.push_str(key);
            guard.push_str("}:guard");
            command.arg(&**key).arg(&guard);
        }
        let answer = connection.req_packed_command(&command).await;
        add(&meter.requests, 1);
        add(&meter.commands, keys.len());
        // And what stands around each word.
        add(&meter.sent, bytes + 16 * keys.len());
        match answer {
            Ok(Value::Array(values)) if values.len() == 2 * keys.len() => {
                Ok(observed(values, meter))
            }
            Ok(_) => Err(Failed::Refused),
            Err(error) => {
                if !error.is_unrecoverable_error() {
                    return Err(Failed::Refused);
                }
                *self.lock() = None;
                Err(Failed::Lost)
            }
        }
    }
}

fn observed(values: Vec<Value>, meter: &Meter) -> Vec<Observed> {
    let mut received = 0;
    let mut texts = values.into_iter().map(|value| match value {
        Value::BulkString(text) => {
            received += text.len() + 8;
            Some(text.into())
        }
        _ => None,
    });
    let mut observed = Vec::with_capacity(texts.len() / 2);
    while let (Some(value), Some(guard)) = (texts.next(), texts.next()) {
        observed.push(Observed { value, guard });
    }
    drop(texts);
    add(&meter.received, received);
    observed
}
