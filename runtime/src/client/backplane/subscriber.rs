//! The task that listens to the channel: one for a `Millpond`, begun when a first value is kept in the process, and
//! again where its runtime has ended.

use super::said::{self, Said};
use super::{Backplane, Trust};
use crate::client::Client;
use crate::clock::{Clock, Coarse, milliseconds};
use crate::error::{Error, ErrorKind};
use crate::random;
use crate::runtime::{self, First, first};
use crate::store::subscription::{Heard, Listener};
use crate::sync;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::sync::watch;

/// The pause before a subscription is tried again: this long at first, then longer each time.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long, in real ms, the task may give no sign before another takes over: its runtime may be one that nobody
/// drives. Longer than a pause, and than two proofs are apart.
const SILENCE_OF_TASK: u64 = 10_000;

impl Client {
    /// A value is kept in this process, so it is of use to hear what others move.
    pub(crate) fn listens(self: &Arc<Self>) {
        let backplane = &self.backplane;
        if self.settings.backplane == Some(false) || self.store.is_err() || self.is_embedded() {
            return;
        }
        backplane.tasks.wanted.store(true, Ordering::SeqCst);
        let is_subscribed = backplane.trust.subscription() != 0;
        if is_subscribed && !backplane.trust.stands_at(self.settings.clock.coarse()) {
            // The proofs ceased while nobody needed any.
            backplane.tasks.woken.notify_one();
        }
        if !runtime::in_runtime() || !runtime::has_timers() {
            return;
        }
        if let Some(task) = Task::begin(self) {
            runtime::spawn_unawaited(task.run());
        }
    }

    /// For how long a proof of the subscription counts. Over REST each proof costs a command.
    fn backplane_silence(&self) -> Duration {
        let store = self.store.as_ref();
        let of_engine = || store.map_or(Duration::ZERO, |store| store.silence());
        self.settings.backplane_silence.unwrap_or_else(of_engine)
    }
}

struct Task {
    client: Weak<Client>,
    /// Which task of the `Millpond` it is: what one hears that another has followed proves nothing.
    turn: u64,
    backplane: Arc<Backplane>,
    clock: Clock,
    silence: Duration,
    /// Until when it counts as alive. Another value than it has written says that another has taken over.
    alive: u64,
}

impl Drop for Task {
    fn drop(&mut self) {
        // Here when its runtime is gone, too.
        let alive = &self.backplane.tasks.alive;
        if alive
            .compare_exchange(self.alive, 0, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
        {
            self.backplane.trust.end();
        }
    }
}

impl Task {
    /// Nothing if there is one that is alive.
    fn begin(client: &Arc<Client>) -> Option<Self> {
        let backplane = Arc::clone(&client.backplane);
        let silence = client.backplane_silence();
        let now = runtime::real_ms();
        let held = backplane.tasks.alive.load(Ordering::SeqCst);
        if held >= now {
            return None;
        }
        let alive = until(now, silence);
        let began =
            backplane
                .tasks
                .alive
                .compare_exchange(held, alive, Ordering::SeqCst, Ordering::SeqCst);
        began.ok()?;
        let turn = backplane.tasks.turn.fetch_add(1, Ordering::SeqCst) + 1;
        Some(Self {
            client: Arc::downgrade(client),
            turn,
            clock: client.settings.clock.clone(),
            backplane,
            silence,
            alive,
        })
    }

    /// Whether this task is still the one.
    fn goes_on(&mut self) -> bool {
        let next = until(runtime::real_ms(), self.silence);
        let alive = &self.backplane.tasks.alive;
        let went_on = alive.compare_exchange(self.alive, next, Ordering::SeqCst, Ordering::SeqCst);
        self.alive = next;
        went_on.is_ok()
    }

    async fn run(mut self) {
        let mut pause = SHORTEST_PAUSE;
        let mut is_reported = false;
        while self.goes_on() {
            let asked = Arc::new(Asked::default());
            let Some((listening, ask)) = self.listen(&asked) else {
                return;
            };
            let error = match first(listening, self.ask(&ask, &asked)).await {
                First::A(error) | First::B(Some(error)) => error,
                First::B(None) => return,
            };
            if asked.was_confirmed() {
                (pause, is_reported) = (SHORTEST_PAUSE, false);
            }
            self.backplane.trust.end();
            if is_reported {
                tracing::debug!(%error, "still no subscription to invalidations of other processes");
            } else {
                tracing::warn!(
                    %error,
                    "the subscription to invalidations of other processes ended; values that are kept in this one are \
                     checked with the store until there is another"
                );
                is_reported = true;
            }
            *sync::lock(&self.backplane.tasks.error) = Some(error);
            runtime::sleep(random::jitter(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// A new subscription. Nothing if the `Millpond` is gone.
    fn listen(
        &self,
        asked: &Arc<Asked>,
    ) -> Option<(runtime::BoxFuture<Error>, watch::Sender<u64>)> {
        let client = self.client.upgrade()?;
        let store = client.store.as_ref().ok()?;
        let (ask, receiver) = watch::channel(0);
        let ears = Ears {
            client: self.client.clone(),
            turn: self.turn,
            backplane: Arc::clone(&self.backplane),
            asked: Arc::clone(asked),
            clock: self.clock.clone(),
            silence: self.silence,
        };
        // What the confirmation proves is as old as the question.
        asked.put(0, self.clock.coarse());
        let listening = store.listen(Listener {
            channel: self.backplane.channel.clone(),
            told: Arc::new(move |heard| ears.hear(heard)),
            asked: receiver,
        });
        Some((listening, ask))
    }

    /// Asks for proofs while values are kept; returns an error when none comes, and nothing when the task is to end.
    async fn ask(&mut self, ask: &watch::Sender<u64>, asked: &Asked) -> Option<Error> {
        let backplane = Arc::clone(&self.backplane);
        let mut number = 0;
        loop {
            let woken = backplane.tasks.woken.notified();
            let mut is_woken = matches!(
                first(woken, runtime::sleep(self.silence / 2)).await,
                First::A(())
            );
            if !self.goes_on() || self.client.strong_count() == 0 {
                return None;
            }
            let now = self.clock.coarse();
            if asked.oldest_age(now).is_some_and(|age| age > self.silence) {
                return Some(Error::new(
                    ErrorKind::Timeout,
                    format!(
                        "no proof of the subscription came within {:?}",
                        self.silence
                    ),
                ));
            }
            is_woken &= asked.oldest_age(now).is_none();
            if backplane.tasks.wanted.swap(false, Ordering::SeqCst) || is_woken {
                number += 1;
                asked.put(number, now);
                ask.send_replace(number);
            }
        }
    }
}

fn until(now: u64, silence: Duration) -> u64 {
    now.saturating_add(milliseconds(silence))
        .saturating_add(SILENCE_OF_TASK)
}

/// The proofs that were asked for and have not come, with the times at which they were: number 0 is the
/// confirmation of the subscription.
#[derive(Default)]
struct Asked(Mutex<AskedFor>);

#[derive(Default)]
struct AskedFor {
    waiting: VecDeque<(u64, Coarse)>,
    is_confirmed: bool,
}

impl Asked {
    fn put(&self, number: u64, now: Coarse) {
        sync::lock(&self.0).waiting.push_back((number, now));
    }

    /// When this one was asked for; those before it are answered as well.
    fn take(&self, number: u64) -> Option<Coarse> {
        let mut asked = sync::lock(&self.0);
        let at = asked
            .waiting
            .iter()
            .position(|(waiting, _)| *waiting == number)?;
        let taken = asked.waiting.drain(..=at).next_back();
        asked.is_confirmed = true;
        taken.map(|(_, departed)| departed)
    }

    fn oldest_age(&self, now: Coarse) -> Option<Duration> {
        let asked = sync::lock(&self.0);
        asked
            .waiting
            .front()
            .map(|(_, departed)| Duration::from_nanos(now.nanos_since(*departed)))
    }

    fn was_confirmed(&self) -> bool {
        sync::lock(&self.0).is_confirmed
    }
}

/// What is done with what is heard.
struct Ears {
    client: Weak<Client>,
    turn: u64,
    backplane: Arc<Backplane>,
    asked: Arc<Asked>,
    clock: Clock,
    silence: Duration,
}

impl Ears {
    fn hear(&self, heard: Heard) {
        let trust: &Trust = &self.backplane.trust;
        if self.backplane.tasks.turn.load(Ordering::SeqCst) != self.turn {
            return;
        }
        match heard {
            Heard::Subscribed => {
                if let Some(departed) = self.asked.take(0) {
                    trust.begin(&self.clock, departed, self.silence);
                    *sync::lock(&self.backplane.tasks.error) = None;
                    tracing::debug!("subscribed to invalidations of other processes");
                }
            }
            Heard::Proof(number) => {
                if let Some(departed) = self.asked.take(number) {
                    trust.prove(&self.clock, departed, self.silence);
                }
            }
            Heard::Message(message) => match said::read(&message, self.backplane.id()) {
                Said::Echo => {}
                Said::Moved(keys) => {
                    if let Some(client) = self.client.upgrade() {
                        for key in &keys {
                            client.name_changed(key);
                        }
                    }
                }
                Said::Unknown => trust.begin_anew(),
                Said::Foreign => self.backplane.foreign.add(1),
            },
        }
    }
}
