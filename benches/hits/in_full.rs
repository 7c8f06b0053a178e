//! What a hit through millpond promises, by hand: the guard is read with the value, callers of a key share one read, the
//! wait has an end, and the read goes on where its caller goes away. No retries, no breaker, no statistics, no stores.

use crate::contestant::Contestant;
use crate::subject::{User, load};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(crate) const NAME: &str = "by hand, guard, flight, deadline, task";

type Value = Option<Arc<Vec<u8>>>;
type Flight = Shared<BoxFuture<'static, Value>>;
type Read = dyn Fn(String) -> BoxFuture<'static, Option<Vec<u8>>> + Send + Sync;

pub(crate) struct InFull {
    read: Box<Read>,
    patience: Duration,
    flights: Arc<Mutex<HashMap<String, Flight>>>,
}

impl InFull {
    /// What reads the value of a key, and its guard.
    pub(crate) fn new<F>(
        patience: Duration,
        read: impl Fn(String) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Option<Vec<u8>>> + Send + 'static,
    {
        Self {
            read: Box::new(move |key| read(key).boxed()),
            patience,
            flights: Arc::default(),
        }
    }

    /// The one before it has stored every user.
    pub(crate) fn contestant(self) -> Contestant {
        Contestant::new(NAME, async move |id| self.get(id).await)
    }

    async fn get(&self, id: u64) -> User {
        let found = self.join(format!("hand:{id}")).await;
        let user = found.and_then(|json| serde_json::from_slice(&json).ok());
        user.unwrap_or_else(|| load(id))
    }

    fn join(&self, key: String) -> Flight {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(&key) {
            return flight.clone();
        }
        let (all, read, name) = (
            Arc::clone(&self.flights),
            (self.read)(key.clone()),
            key.clone(),
        );
        let read = tokio::spawn(async move {
            let value = read.await;
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            all.remove(&name);
            value.map(Arc::new)
        });
        let patience = self.patience;
        let wait = async move { tokio::time::timeout(patience, read).await.ok()?.ok()? };
        let flight = wait.boxed().shared();
        flights.insert(key, flight.clone());
        flight
    }
}
