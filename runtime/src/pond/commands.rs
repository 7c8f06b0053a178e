//! Commands of the caller's own.

use super::Millpond;
use crate::error::Error;
use crate::pipeline::{Pipeline, Transaction};
use crate::reply::Reply;
use std::sync::Arc;

impl Millpond {
    /// Sends any command. Its keys are used as they are, without the namespace. A command that may change
    /// something is never repeated once it may have been sent. A command that blocks on the server (`BLPOP`)
    /// delays the callers behind it too.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for commands that would change the
    /// connection, which all callers share (`MULTI`, `SUBSCRIBE`, `SELECT`, …).
    /// [`ErrorKind::OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown) if no answer came back, what the
    /// server answers, and the errors of [any command](crate::ErrorKind).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, Reply};
    ///
    /// let pond = Millpond::memory();
    /// assert_eq!(pond.command(["RPUSH", "jobs", "a", "b"]).await?, Reply::Int(2));
    /// let id = 7;
    /// pond.command(["SET", &format!("job:{id}"), &id.to_string()]).await?;
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn command<A: AsRef<[u8]>>(
        &self,
        command: impl IntoIterator<Item = A>,
    ) -> Result<Reply, Error> {
        self.0.client.command(command).await
    }

    /// Commands that are sent in one request, in order.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, Reply};
    ///
    /// let pond = Millpond::memory();
    /// let replies = pond.pipeline().command(["INCR", "a"]).command(["INCR", "a"]).send().await;
    /// assert_eq!(replies[1].as_ref().unwrap(), &Reply::Int(2));
    /// # });
    /// ```
    pub fn pipeline(&self) -> Pipeline {
        Pipeline::new(Arc::clone(&self.0.client))
    }

    /// Commands that run as one transaction (`MULTI` and `EXEC`), in one request.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let pond = millpond::Millpond::memory();
    /// let results = pond
    ///     .transaction()
    ///     .command(["DECRBY", "account:1", "30"])
    ///     .command(["INCRBY", "account:2", "30"])
    ///     .send()
    ///     .await?;
    /// let balances: Vec<i64> = results.into_iter().map(|result| result?.parse()).collect::<Result<_, _>>()?;
    /// assert_eq!(balances, [-30, 30]);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn transaction(&self) -> Transaction {
        Transaction::new(Arc::clone(&self.0.client))
    }
}
