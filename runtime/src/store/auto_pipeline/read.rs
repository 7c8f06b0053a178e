//! A read while there is no other: it leaves at once, its caller polls the exchange, and nothing stands around that. Where
//! the exchange does not bring the answer, a delivery goes on from there.

use crate::clock::Since;
use crate::error::Error;
use crate::few::Few;
use crate::runtime;
use crate::store::alone::gone;
use crate::store::batch::Replies;
use crate::store::deadlines::Deadlines;
use crate::store::delivery::{Begun, Delivery, clean_reply, not_connected};
use crate::store::line::Line;
use crate::store::repeat::Patience;
use crate::store::request_limits::RequestLimits;
use crate::store::transport::{Encoded, Kind, Transport};
use crate::store::turn::late;
use crate::store::until::Until;
use crate::store::waiting::Request;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// What leaves.
pub(super) struct Read<T: Transport, H> {
    home: H,
    command: T::Command,
    asked: Since,
    within: Duration,
}

/// Whose read it is, and a place among what is under way.
pub(super) trait Home<T>: Send + 'static {
    fn transport(&self) -> &Arc<T>;

    fn limits(&self) -> RequestLimits;

    fn patience(&self) -> Patience;

    fn deadlines(&self) -> &Arc<Deadlines>;

    /// The server asked to be left alone.
    fn refuse_waiting(&self, error: &Error);

    /// Something has left, and no answer has come; or that is over.
    fn is_half_way(&mut self, yes: bool);
}

impl<T: Transport, H: Home<T>> Read<T, H> {
    pub(super) fn new(home: H, command: T::Command, asked: Since, within: Duration) -> Self {
        Self {
            home,
            command,
            asked,
            within,
        }
    }

    pub(super) fn run(mut self) -> impl Future<Output = Replies> + use<T, H> {
        runtime::unconstrained(async move {
            self.home.is_half_way(true);
            let transport = self.home.transport();
            let until = Until::of_caller(self.asked.instant + self.within)
                .among(Some(self.home.deadlines()));
            let connected = until.clone().wait_for(transport.connect(false)).await;
            let begun = match connected {
                Some(Ok(connection)) => {
                    let Encoded { bytes, body } = transport.encode(&[&[&self.command]]);
                    let mut result = transport
                        .exchange(&connection, Kind::Reads, body, until.clone())
                        .await;
                    if let Ok(answers) = &mut result
                        && let Some(reply) =
                            clean_reply(&**transport, &self.command, bytes, answers)
                    {
                        self.home.is_half_way(false);
                        return Few::from([Ok(reply)]);
                    }
                    Begun::Exchanged {
                        connection,
                        bytes,
                        result,
                    }
                }
                Some(Err(failure)) => Begun::NotConnected(failure),
                None => Begun::NotConnected(not_connected()),
            };
            let within = self.within;
            // A task, since what comes next may take longer than the caller waits.
            let (caller, replies) = oneshot::channel();
            runtime::spawn(async move {
                // The caller may have gone away.
                let _ = caller.send(self.deliver(begun).await);
            });
            match Box::pin(until.wait_for(replies)).await {
                Some(replies) => replies.unwrap_or_else(|_| gone()),
                None => Few::from([Err(late(within))]),
            }
        })
    }

    /// Goes on where the exchange did not bring the answer.
    async fn deliver(self, begun: Begun<T>) -> Replies {
        let Self {
            mut home,
            command,
            asked,
            within,
        } = self;
        let request = Request::asked(Few::from([Line::new(command)]), asked, within);
        let turn = Arc::clone(request.turn());
        let mut delivery = Delivery::new(
            Arc::clone(home.transport()),
            home.limits(),
            home.patience(),
            Kind::Reads,
            Few::from([request]),
        );
        if let Some(respite) = delivery.run_on(begun).await {
            home.refuse_waiting(&respite);
        }
        home.is_half_way(false);
        turn.take_answers().unwrap_or_else(gone)
    }
}
