//! A read while there is no other: it leaves at once, its caller polls the exchange, and nothing stands around that. Where
//! the exchange does not bring the answer, a delivery goes on from there.

use crate::error::{Error, ErrorKind};
use crate::few::Few;
use crate::runtime::{self, Instant, Since};
use crate::store::alone::gone;
use crate::store::delivery::{Begun, Delivery, clean_reply, not_connected};
use crate::store::line::Line;
use crate::store::repeat::Patience;
use crate::store::request_limits::RequestLimits;
use crate::store::transport::{Encoded, Kind, Transport};
use crate::store::turn::Replies;
use crate::store::until::Until;
use crate::store::waiting::{Request, late};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

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

    /// The server asked to be left alone.
    fn refuse_waiting(&self, error: &Error);
}

impl<T: Transport, H: Home<T>> Read<T, H> {
    pub(super) fn new(home: H, command: T::Command, within: Duration) -> Self {
        Self {
            home,
            command,
            asked: Since::now(),
            within,
        }
    }

    pub(super) fn run(self) -> impl Future<Output = Replies> + use<T, H> {
        runtime::unconstrained(async move {
            let transport = self.home.transport();
            let until = Until::new(self.asked.instant + self.within, None);
            let connected = until.clone().wait_for(transport.connect(false)).await;
            let begun = match connected {
                Some(Ok(connection)) => {
                    let Encoded { bytes, body } = transport.encode(&[&[&self.command]]);
                    let mut result = transport
                        .exchange(&connection, Kind::Reads, body, until)
                        .await;
                    if let Ok(answers) = &mut result
                        && let Some(reply) =
                            clean_reply(&**transport, &self.command, bytes, answers)
                    {
                        return vec![Ok(reply)];
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
            Box::pin(self.deliver(begun)).await
        })
    }

    /// Goes on where the exchange did not bring the answer.
    async fn deliver(self, begun: Begun<T>) -> Replies {
        let Self {
            home,
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
        drop(delivery);
        let mut replies = turn.take_answers().unwrap_or_else(gone);
        if let [Err(error)] = &mut replies[..]
            && error.kind() == ErrorKind::Timeout
            && Instant::now() >= asked.instant + within
        {
            *error = late(within);
        }
        replies
    }
}
