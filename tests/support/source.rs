//! A function body whose answers the test gives, so that a load lasts exactly as long as it should.

use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// What a body asks. Clones ask the same test.
#[derive(Clone)]
pub(crate) struct Source<T>(mpsc::UnboundedSender<oneshot::Sender<T>>);

/// The bodies that wait for an answer, in the order in which they began.
pub(crate) struct Bodies<T>(mpsc::UnboundedReceiver<oneshot::Sender<T>>);

/// A body that has begun.
pub(crate) struct Body<T>(oneshot::Sender<T>);

pub(crate) fn source<T>() -> (Source<T>, Bodies<T>) {
    let (asks, asked) = mpsc::unbounded_channel();
    (Source(asks), Bodies(asked))
}

impl<T> Source<T> {
    /// Waits for the answer of the test.
    ///
    /// # Panics
    /// After a minute without one: a body that the test does not expect fails it instead of hanging it.
    pub(crate) async fn answer(&self) -> T {
        let (answer, answered) = oneshot::channel();
        assert!(self.0.send(answer).is_ok(), "the test wants no more bodies");
        let answered = super::within_a_minute(answered).await;
        answered.expect("the test answers every body")
    }
}

impl<T> Bodies<T> {
    /// Waits until another body has begun.
    pub(crate) async fn next(&mut self) -> Body<T> {
        let asked = tokio::time::timeout(Duration::from_secs(30), self.0.recv()).await;
        Body(asked.expect("a body runs").expect("somebody can ask"))
    }

    /// How many have begun and wait, beyond those that were taken.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

impl<T: Clone + Send + 'static> Bodies<T> {
    /// Answers every body from now on in the same way.
    pub(crate) fn answer_all(mut self, answer: T) {
        tokio::spawn(async move {
            while let Some(body) = self.0.recv().await {
                // Its caller may have gone away.
                let _ = body.send(answer.clone());
            }
        });
    }
}

impl<T> Body<T> {
    /// Lets it return.
    pub(crate) fn answer(self, answer: T) {
        // Its caller may have gone away.
        let _ = self.0.send(answer);
    }
}
