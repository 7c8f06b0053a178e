//! One process: a `Millpond` with a runtime and clocks of its own, which stand still while it is frozen.

use super::rule::{self, Rule};
use super::server::Server;
use super::{BRIEF_LOCAL, History, LOCAL, SILENCE, UNVERIFIED};
use crate::cache::call_status::Reporting;
use crate::cache::{Answer, Cache, CachedCall, CachedFunction, Plain, Policy, cacheable, never};
use crate::client::Client;
use crate::client::backplane::Trust;
use crate::client::delivery::Invalidated;
use crate::client::tags::Tags;
use crate::clock::{Clock, ManualClock};
use crate::entry::EntryRef;
use crate::error::{Error, ErrorKind};
use crate::key::{Key, Tag};
use crate::limit::{Deployment, LimitSettings};
use crate::local::{Form, Name, Within};
use crate::pond::Millpond;
use crate::runtime::{BoxFuture, First, first};
use crate::settings::Settings;
use crate::stats::Registry;
use crate::store::command::Effect;
use crate::store::subscription::{Heard, Listener};
use crate::store::{Batch, Replies, Store};
use crate::value::plain_form;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, yield_now};

const KEY: &str = "number:7";
const TAG: &str = "owner:7";

const fn function(local: Duration) -> CachedFunction {
    let day = Duration::from_secs(24 * 3_600);
    CachedFunction::new("number", "number", "<id>", day).local(local)
}

static FUNCTION: CachedFunction = function(LOCAL);

/// Where messages are lost on connections that stand, so that nothing else ends what is kept.
static OF_LOST_MESSAGES: CachedFunction = function(BRIEF_LOCAL);

const FORM: Form<u64> = Form {
    keep: |value| Arc::new(*value),
    restore: |value| value.downcast_ref().copied(),
    fits: |value| value.is::<u64>(),
    is_null: |_| false,
    bytes: |_| 8,
    life: None,
};

/// What stands around the code of a process.
struct Around {
    number: usize,
    without: Option<Rule>,
    function: &'static CachedFunction,
    /// How old a value may be that is used in trust.
    bound: Duration,
    server: Arc<Server>,
    history: Arc<History>,
    clock: Clock,
    trust: OnceLock<Arc<Trust>>,
    cache: OnceLock<Weak<Cache>>,
    /// Whether what is removed is what a message says.
    is_message: AtomicBool,
    /// Whether an invalidation has begun that has not removed anything.
    begins: AtomicBool,
    /// When the last read left, and when the last invalidation began, as the history counts.
    read: AtomicU64,
    invalidated: AtomicU64,
}

impl Around {
    /// What the cache does when a key changes, without the rule that is left out.
    fn changed(&self, key: &str) {
        let Some(cache) = self.cache.get().and_then(Weak::upgrade) else {
            // The history has ended.
            return;
        };
        let is_message = self.is_message.load(Ordering::SeqCst);
        let is_first = !is_message && self.begins.swap(false, Ordering::SeqCst);
        let is_left_out = match self.without {
            Some(Rule::RemovesBeforeSending) => is_first,
            Some(Rule::RemovesAtAnswer) => !is_first && !is_message,
            Some(Rule::HearsOthers) => is_message,
            Some(Rule::MovesLoads) if is_message => {
                // Only where there is one, which costs no load under way.
                cache.local.outdate(key);
                true
            }
            _ => false,
        };
        if is_left_out {
            cache.flights.detach(key);
        } else {
            cache.changed(key);
        }
        let is_tag_left_out = match self.without {
            Some(Rule::MovesTags) => is_message,
            Some(Rule::MovesLoads) => false,
            _ => is_left_out,
        };
        if !is_tag_left_out {
            cache.local.move_tag(key);
        }
    }

    fn hear(&self, listener: &Listener, heard: Heard) {
        let is_proof = matches!(heard, Heard::Proof(_));
        self.is_message.store(true, Ordering::SeqCst);
        listener.tell(heard);
        self.is_message.store(false, Ordering::SeqCst);
        if is_proof && self.without == Some(Rule::ProofAgesFromQuestion) {
            self.prove();
        }
    }

    fn prove(&self) {
        let trust = self.trust.get().expect("a client");
        trust.prove(&self.clock, self.clock.coarse(), SILENCE);
    }
}

impl Store for Arc<Around> {
    fn send(&self, batch: Batch) -> BoxFuture<Replies> {
        if batch.commands.iter().any(|it| it.effect == Effect::Read) {
            self.read.store(self.history.tick(), Ordering::SeqCst);
        }
        let answered = self.server.send(batch);
        Box::pin(async move { answered.await.unwrap_or_default() })
    }

    fn listen(&self, mut listener: Listener) -> BoxFuture<Error> {
        let around = Arc::clone(self);
        Box::pin(async move {
            let (mut heard, asks) = around.server.subscribe();
            loop {
                match first(heard.recv(), listener.next_asked()).await {
                    First::A(Some(heard)) => around.hear(&listener, heard),
                    First::A(None) => return Error::new(ErrorKind::Unavailable, "cut"),
                    First::B(number) => drop(asks.send(number)),
                }
            }
        })
    }
}

/// What keeps a process from running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frozen {
    /// It alone was stopped.
    Stopped,
    /// The machine was suspended, and the monotonic clock with it.
    Suspended,
}

pub(super) struct Process {
    around: Arc<Around>,
    pond: Millpond,
    clock: ManualClock,
    runtime: Runtime,
    pub(super) frozen: Option<Frozen>,
    /// By how much the timers of the runtime are late.
    late: Duration,
    mutation: Option<JoinHandle<()>>,
    reads: Vec<JoinHandle<()>>,
}

impl Process {
    pub(super) fn new(
        number: usize,
        without: Option<Rule>,
        is_lossy: bool,
        server: &Arc<Server>,
        history: &Arc<History>,
    ) -> Self {
        let clock = ManualClock::new();
        let around = Arc::new(Around {
            number,
            without,
            function: if is_lossy && without != Some(Rule::EndsWithLocal) {
                &OF_LOST_MESSAGES
            } else {
                &FUNCTION
            },
            bound: if is_lossy {
                BRIEF_LOCAL
            } else {
                SILENCE.max(UNVERIFIED)
            },
            server: Arc::clone(server),
            history: Arc::clone(history),
            clock: Clock::Manual(clock.clone()),
            trust: OnceLock::new(),
            cache: OnceLock::new(),
            is_message: AtomicBool::new(false),
            begins: AtomicBool::new(false),
            read: AtomicU64::new(0),
            invalidated: AtomicU64::new(0),
        });
        let settings = Settings {
            clock: Clock::Manual(clock.clone()),
            retries: 0,
            backplane_silence: Some(SILENCE),
            local_unverified: if without == Some(Rule::DoubtsUnverified) {
                LOCAL
            } else {
                UNVERIFIED
            },
            ..Settings::default()
        };
        let store: Box<dyn Store> = Box::new(Arc::clone(&around));
        let client = Client::new(Ok(store), settings, Registry::default(), false);
        drop(around.trust.set(Arc::clone(&client.backplane.trust)));
        if without.is_some_and(Rule::is_of_changes) {
            // The first to ask is told.
            let changed = Arc::clone(&around);
            client.on_change(move |key| changed.changed(key));
        }
        let pond = Millpond::on(client, &LimitSettings::default(), Deployment::default());
        drop(around.cache.set(Arc::downgrade(&pond.0.cache)));
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .event_interval(1)
            .build()
            .expect("a runtime");
        Self {
            around,
            pond,
            clock,
            runtime,
            frozen: None,
            late: Duration::ZERO,
            mutation: None,
            reads: Vec::new(),
        }
    }

    /// Time passes, also while it is frozen.
    pub(super) fn advance(&mut self, time: Duration) {
        let is_suspended = self.frozen == Some(Frozen::Suspended);
        if !is_suspended {
            self.late += time;
            if self.around.without != Some(Rule::ReadsMonotonicClock) {
                self.clock.advance_monotonic(time);
            }
        }
        if self.around.without != Some(Rule::ReadsWallClock) {
            self.clock.advance_wall(time);
        }
    }

    /// Somebody sets the wall clock back.
    pub(super) fn set_back(&self, time: Duration) {
        let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.clock.set_unix_ms(self.clock.unix_ms() - time);
    }

    /// A few of its tasks go on.
    pub(super) fn run(&mut self, polls: usize) {
        let late = std::mem::take(&mut self.late);
        self.runtime.block_on(async {
            if !late.is_zero() {
                tokio::time::advance(late).await;
            }
            for _ in 0..polls {
                yield_now().await;
            }
        });
        self.reads.retain(|read| !read.is_finished());
    }

    /// A caller reads.
    pub(super) fn read(&mut self) {
        let (around, cache) = (Arc::clone(&self.around), Arc::clone(&self.pond.0.cache));
        self.reads.push(self.runtime.spawn(async move {
            read(&around, &cache).await;
        }));
    }

    pub(super) fn reads(&self) -> usize {
        self.reads.len()
    }

    /// A caller changes what is true, and tells the cache; or a caller who does goes away.
    pub(super) fn change(&mut self, how: How, goes_away: bool) {
        match &self.mutation {
            Some(mutation) if !mutation.is_finished() => {
                if goes_away {
                    mutation.abort();
                }
            }
            _ => {
                let (around, cache) = (Arc::clone(&self.around), Arc::clone(&self.pond.0.cache));
                self.mutation = Some(self.runtime.spawn(async move {
                    match how {
                        How::Key | How::Tag => change(&around, &cache.client, how).await,
                        How::Update => update(&around, &cache).await,
                    }
                }));
            }
        }
    }
}

/// How the cache is told of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Key,
    Tag,
    /// As by `#[updates]`.
    Update,
}

fn tags() -> Tags {
    Tags::new(vec![Tag::from(TAG)], None)
}

async fn read(around: &Around, cache: &Arc<Cache>) {
    let history = &around.history;
    // As if a value of another key had been kept: who keeps nothing new asks for no proofs.
    cache.client.listens();
    if around.without == Some(Rule::EndsInSilence) {
        around.prove();
    }
    let trust = around.trust.get().expect("a client");
    let is_trusted = trust.stands_at(around.clock.coarse());
    let name = Name::shared(KEY);
    let within = Within::of(around.function.near().expect("`local`"));
    let began = history.now();
    let own = history.own(around.number);
    if let Some(value) = cache.local.get_as(name, within, FORM.restore) {
        let bound = if is_trusted { around.bound } else { UNVERIFIED };
        history.check(value, history.acknowledged(began, bound), || {
            format!("a hit of process {} (trusted: {is_trusted})", around.number)
        });
        let read = around.read.load(Ordering::SeqCst);
        if read < around.invalidated.load(Ordering::SeqCst) {
            history.violated(format!(
                "process {} uses {value}, which it kept before it invalidated it",
                around.number
            ));
        }
        history.check(value, own, || format!("an own hit of {}", around.number));
        history.hit(is_trusted);
        return;
    }
    let current = history.acknowledged(began, Duration::ZERO).max(own);
    let call = CachedCall {
        cache: Arc::clone(cache),
        key: Key::from(KEY),
        policy: Policy::of(around.function),
        tags: tags(),
        counters: cache.client.registry.counters("number"),
        function: None,
        refresh: false,
        keeper: Some(rule::keeper(around.without)),
        cluster: None,
    };
    let cacheable = cacheable(Plain::<u64>::new()).kept(FORM);
    let body = async {
        // A body waits for its database.
        yield_now().await;
        let value = history.truth();
        yield_now().await;
        value
    };
    let reporting = Reporting::to(None);
    let value = Answer::new((Some(call), reporting), cacheable, never, body).await;
    history.check(value, current, || format!("a read of {}", around.number));
}

/// A change has been made.
fn ended(around: &Around) -> Ended<'_> {
    let history = &around.history;
    let value = history.change();
    around.begins.store(true, Ordering::SeqCst);
    around.invalidated.store(history.tick(), Ordering::SeqCst);
    Ended {
        history,
        number: around.number,
        value,
    }
}

async fn change(around: &Around, client: &Arc<Client>, how: How) {
    // Dropped behind the invalidation, whatever becomes of that.
    let ended = ended(around);
    let is_near = around.without != Some(Rule::TellsOthers);
    let target = if how == How::Tag {
        let tag = Tag::from(TAG);
        Invalidated::Tag { tag, is_near }
    } else {
        let key = Key::from(KEY);
        Invalidated::Key { key, is_near }
    };
    if client.invalidate_all([target]).await.is_ok() {
        around.history.acknowledge(ended.value);
    }
}

async fn update(around: &Around, cache: &Arc<Cache>) {
    let entry = EntryRef {
        cache: Arc::clone(cache),
        key: Key::from(KEY),
        policy: Policy::of(around.function),
        tags: tags(),
        function: None,
    };
    let within = cache.client.settings.budget;
    let before = entry.observe(within).await;
    let ended = ended(around);
    let value = ended.value;
    let mut armed = Armed(&cache.client, Some(entry.invalidated()));
    let plain = plain_form(&value).ok();
    let is_stored = entry.update(plain, before, &[], within).await;
    let target = armed.1.take().filter(|_| !is_stored);
    let is_told = match target {
        Some(target) => cache.client.invalidate_all([target]).await.is_ok(),
        None => true,
    };
    if is_told {
        around.history.acknowledge(value);
    }
}

/// What is invalidated in the background if the call is dropped, as generated code does it.
struct Armed<'a>(&'a Arc<Client>, Option<Invalidated>);

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        if let Some(target) = self.1.take() {
            self.0.invalidate_later(&target);
        }
    }
}

/// A change of a process, whose call ends when this is dropped.
struct Ended<'a> {
    history: &'a History,
    number: usize,
    value: u64,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.history.ended(self.number, self.value);
    }
}
