//! One load of a key in all processes: whoever loads holds a lease, a key beside the value, and the others read the
//! value again until it is there. The lease saves work and no more: what may be stored, the guard decides.
//!
//! A holder renews its lease while its body is polled. If it vanishes or stalls, the lease expires, and exactly one of
//! those who wait takes it. A lease that ends without a value leaves a mark that lets all who wait go: otherwise they
//! would fail one after another.

use super::flight::Leader;
use super::lease::EndsLease;
use super::liveness::Liveness;
use super::load::{ClusterFlight, Entered, Load};
use super::look::Looked;
use super::old_value::OnFound;
use super::staleness::Freshness;
use crate::client::Client;
use crate::client::outage::Step;
use crate::error::Error;
use crate::key::{LEASE, beside};
use crate::random;
use crate::reply;
use crate::runtime::{self, Instant};
use crate::store::command::{Command, Effect, Reply, Script};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long a lease lasts that is not renewed, in ms, and how often it is renewed. A mark lasts as long: longer than the
/// pause between two looks at it.
const LIFE: &[u8] = b"3000";
const RENEWED: Duration = Duration::from_secs(1);

/// What stands in the place of a token once a load ended without a value.
const MARK: &[u8] = b"-";

/// Pauses between two looks for the value.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Who may load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    /// This process, which has the lease now.
    This,
    Another,
    /// Everyone: the last load ended without a value.
    Everyone,
}

/// What generated code names for `flight = "cluster"`.
pub(crate) static CLUSTER: ClusterFlight = ClusterFlight {
    look: |load, until| Box::pin(load.look_under_lease(until)),
    background: |load| Box::pin(load.unless_another_loads()),
};

impl Load {
    /// Looks at what the read found. If it is to be loaded, takes the lease, or waits for the value of whoever has it,
    /// but no longer than until then.
    async fn look_under_lease(mut self: Box<Self>, until: Instant) -> Entered {
        let mut pause = FIRST_PAUSE;
        let mut soft_until = None;
        loop {
            let looked = self.open().await;
            let on_found = match looked {
                Looked::Value(_) => self.on_found(),
                Looked::Nothing | Looked::Garbage(_) => OnFound::Run,
            };
            // Without an answer of the server, each process loads for itself.
            if on_found == OnFound::Return || self.observed.is_none() || self.lease.is_some() {
                return self.entered(looked).await;
            }
            match self.take_lease().await {
                // Another may have stored the value since the read.
                Holder::This => {
                    self = self.read_again().await;
                    continue;
                }
                Holder::Another => {}
                Holder::Everyone => return self.entered(looked).await,
            }
            let now = runtime::now();
            let until = match on_found {
                OnFound::RunFor(soft) => until.min(*soft_until.get_or_insert(now + soft)),
                OnFound::Run | OnFound::Return => until,
            };
            if now >= until || !runtime::has_timers() {
                if soft_until.is_some() {
                    // The body that it waited for runs in another process.
                    self.found.freshness = Freshness::Revalidate;
                }
                return self.entered(looked).await;
            }
            // Those who wait here wait for a body, and not for the cache.
            self.departed = self.departs(Leader::body_departs);
            let pause_now = random::jitter(pause).min(until - now);
            self.watched(runtime::sleep(pause_now)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            self = self.read_again().await;
        }
    }

    /// Takes the lease before the second read of a load in the background; nothing if another process has it, and loads.
    async fn unless_another_loads(mut self: Box<Self>) -> Option<Box<Self>> {
        (self.take_lease().await != Holder::Another).then_some(self)
    }

    /// A read that was not this call's to wait for has a budget of its own.
    async fn read_again(mut self: Box<Self>) -> Box<Self> {
        let leader = self.leader.take();
        self.budget = self.cache.client.settings.budget;
        self.waits = true;
        self.read(leader).await
    }

    fn lease_key(&self) -> Bytes {
        beside(&self.full.text(), LEASE).into()
    }

    /// Takes the lease if it is free. Without an answer everyone may load.
    async fn take_lease(&mut self) -> Holder {
        let (key, token) = (self.lease_key(), Bytes::from(random::nonce()));
        match self.try_lease(&key, &token).await {
            Ok(Holder::This) => {
                self.lease = Some(Box::new(HeldLease::new(self, key, token)));
                Holder::This
            }
            Ok(holder) => holder,
            Err(error) => {
                self.report(Step::Lock, &error);
                Holder::Everyone
            }
        }
    }

    async fn try_lease(&mut self, key: &Bytes, token: &Bytes) -> Result<Holder, Error> {
        let words: [&'static [u8]; 4] = [b"SET", b"PX", LIFE, b"NX"];
        let [set, px, life, nx] = words.map(Bytes::from_static);
        let set = [set, key.clone(), token.clone(), px, life, nx];
        let set = self.ask(Command::new(Effect::Repeatable, set)).await?;
        if reply::bulk(set)?.is_some() {
            return Ok(Holder::This);
        }
        // Sent twice, the first may have taken it.
        let get = [Bytes::from_static(b"GET"), key.clone()];
        let get = self.ask(Command::new(Effect::Read, get)).await?;
        Ok(match reply::bulk(get)? {
            Some(held) if held == *token => Holder::This,
            Some(held) if held == MARK => Holder::Everyone,
            // Free since then: the next look takes it.
            Some(_) | None => Holder::Another,
        })
    }

    async fn ask(&mut self, command: Command) -> Result<Reply, Error> {
        let started = runtime::now();
        self.counters.commands.add(1);
        let sent = self.cache.client.send(vec![command], self.budget);
        let mut replies = self.watched(sent).await;
        self.budget = self.budget.saturating_sub(started.elapsed());
        replies.pop().unwrap_or_else(|| Err(reply::no_reply()))
    }
}

/// The lease of a load. Dropped, it ends.
struct HeldLease {
    client: Arc<Client>,
    key: Bytes,
    token: Bytes,
    has_value: bool,
    liveness: Option<Arc<Liveness>>,
    /// Dropped, it ends the task that renews the lease.
    renewal: Option<oneshot::Sender<()>>,
}

impl HeldLease {
    fn new(load: &Load, key: Bytes, token: Bytes) -> Self {
        let mut lease = Self {
            client: Arc::clone(&load.cache.client),
            key,
            token,
            has_value: true,
            liveness: load.leader.as_ref().map(Leader::liveness),
            renewal: None,
        };
        lease.renew();
        lease
    }

    /// Begins to renew it, in the place of what renewed it before.
    fn renew(&mut self) {
        let (renewal, ended) = oneshot::channel();
        let args = [self.token.clone(), Bytes::from_static(LIFE)];
        let key = [self.key.clone()];
        let extend = Command::script(Script::Extend, Effect::Repeatable, key, args);
        let (client, liveness) = (Arc::clone(&self.client), self.liveness.clone());
        runtime::spawn_unawaited(renew(client, extend, liveness, ended));
        self.renewal = Some(renewal);
    }
}

impl EndsLease for HeldLease {
    fn without_value(&mut self) {
        self.has_value = false;
    }

    fn in_background(&mut self) {
        // The task is polled.
        self.liveness = None;
        self.renew();
    }
}

/// Renews a lease until it ends.
async fn renew(
    client: Arc<Client>,
    extend: Command,
    liveness: Option<Arc<Liveness>>,
    mut ended: oneshot::Receiver<()>,
) {
    while runtime::timeout(RENEWED, &mut ended).await.is_none() {
        if let Some(liveness) = &liveness {
            // A body that nobody polls is no reason for others to wait.
            if liveness.is_stalled(RENEWED / 2) {
                continue;
            }
            liveness.wake_to_see();
        }
        // The next one is due before the lease ends.
        let within = client.settings.budget;
        drop(client.send(vec![extend.clone()], within).await);
    }
}

impl Drop for HeldLease {
    fn drop(&mut self) {
        let panicked = self.liveness.as_ref().is_some_and(|it| it.has_panicked());
        let words: &[&'static [u8]] = if self.has_value && !panicked {
            &[b"DEL"]
        } else {
            &[b"SET", MARK, b"PX", LIFE]
        };
        let words = words.iter().copied().map(Bytes::from_static);
        let args = std::iter::once(self.token.clone()).chain(words);
        let key = [self.key.clone()];
        let end = Command::script(Script::IfEqual, Effect::Repeatable, key, args);
        let client = Arc::clone(&self.client);
        runtime::spawn(async move {
            let within = client.settings.budget;
            // Without an answer, it expires.
            drop(client.send(vec![end], within).await);
        });
    }
}
