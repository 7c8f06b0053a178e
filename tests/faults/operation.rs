//! What is done while something is wrong, and what must be true afterwards whatever it was.

use crate::functions::{change, change_group, read, read_aged, read_grouped, read_many};
use crate::scene::Scene;
use crate::support::{LONG, aged::age};
use millpond::limit::{Limit, OnOutage, Outcome};
use millpond::{Error, Lookup, ManualClock, Millpond, ttl};
use millpond_gateway::Request;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const TWO_HOURS: Duration = Duration::from_secs(2 * 60 * 60);
const LIMIT: Limit = Limit::fixed_window("FAULTS", 10, MINUTE);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Hit,
    TaggedHit,
    StaleHit,
    MissRead,
    MissFill,
    Batch,
    BatchFill,
    Invalidate,
    InvalidateTag,
    Put,
    LimitLocal,
    LimitAllow,
    LimitDeny,
    Lock,
    SessionGet,
    SessionCreate,
    SessionDestroy,
}

/// What one operation works on.
pub(crate) struct Subject {
    pub(crate) pond: Millpond,
    row: Arc<AtomicU32>,
    session: Option<millpond::SessionId>,
    /// What the operation itself returned, if that was an error.
    error: Option<Error>,
}

impl Operation {
    pub(crate) const ALL: [Self; 17] = [
        Self::Hit,
        Self::TaggedHit,
        Self::StaleHit,
        Self::MissRead,
        Self::MissFill,
        Self::Batch,
        Self::BatchFill,
        Self::Invalidate,
        Self::InvalidateTag,
        Self::Put,
        Self::LimitLocal,
        Self::LimitAllow,
        Self::LimitDeny,
        Self::Lock,
        Self::SessionGet,
        Self::SessionCreate,
        Self::SessionDestroy,
    ];

    /// Its name, and what the table below it is about.
    pub(crate) fn heading(self) -> (&'static str, &'static str) {
        match self {
            Self::Hit => ("hit", "A call of a cached function whose value is stored."),
            Self::TaggedHit => ("hit, with a tag", "The same for a function with `tags`."),
            Self::StaleHit => (
                "stale hit",
                "A call of a function with `stale_while_revalidate` whose stored value is past its lifetime. What is sent is what the call sends; the load in the background comes after it.",
            ),
            Self::MissRead => (
                "miss, read struck",
                "A call whose value is not stored; the fault meets its read.",
            ),
            Self::MissFill => (
                "miss, fill struck",
                "The same; the fault meets what would store the value.",
            ),
            Self::Batch => (
                "batch, read struck",
                "A call of the batch form for two items, of which one is stored; the fault meets its read.",
            ),
            Self::BatchFill => (
                "batch, fill struck",
                "The same; the fault meets what would store the value of the other.",
            ),
            Self::Invalidate => ("`#[invalidates]`", "A mutation that names a stored entry."),
            Self::InvalidateTag => (
                "`#[invalidates]` of a tag",
                "A mutation that names a tag of a stored entry.",
            ),
            Self::Put => ("`put`", "A write by hand over a stored value."),
            Self::LimitLocal => (
                "limit, `local`",
                "A check of a limit with `on_outage = \"local\"`, the default.",
            ),
            Self::LimitAllow => ("limit, `allow`", "The same with `on_outage = \"allow\"`."),
            Self::LimitDeny => ("limit, `deny`", "The same with `on_outage = \"deny\"`."),
            Self::Lock => (
                "lock",
                "A free lock is asked for with `try_lock`; `lock` goes on trying for as long as it may wait.",
            ),
            Self::SessionGet => ("session, `get`", "A session that exists is read."),
            Self::SessionCreate => ("session, `create`", "A new one."),
            Self::SessionDestroy => ("session, `destroy`", "One that exists is destroyed."),
        }
    }

    /// Which requests of the operation a fault is for.
    pub(crate) fn is_struck(self, request: &Request) -> bool {
        !self.is_about_the_fill() || !request.has_command("MGET")
    }

    pub(crate) fn is_about_the_fill(self) -> bool {
        matches!(self, Self::MissFill | Self::BatchFill)
    }

    /// Whether a call may return what was stored before the row changed.
    fn may_be_old(self) -> bool {
        use Operation::{Batch, BatchFill, Hit, StaleHit, TaggedHit};
        matches!(self, Hit | TaggedHit | StaleHit | Batch | BatchFill)
    }

    fn limit(self) -> Limit {
        match self {
            Self::LimitAllow => LIMIT.on_outage(OnOutage::Allow),
            Self::LimitDeny => LIMIT.on_outage(OnOutage::Deny),
            _ => LIMIT,
        }
    }

    /// The state of the store before; connections are open, and scripts are known.
    pub(crate) async fn prepare(self, pond: Millpond) -> Subject {
        let row = Arc::new(AtomicU32::new(1));
        let session = pond.scope(async {
            read(9, &row).await;
            read_grouped(9, &row).await;
            read_aged(9, &row).await;
            read_many(&[8, 7], &row).await;
            if !matches!(self, Self::MissRead | Self::MissFill) {
                read(1, &row).await;
                read_grouped(1, &row).await;
                read_aged(1, &row).await;
            }
            read::entry(9).put(&1).await.unwrap();
            read::invalidate(9).await.unwrap();
            pond.limiter(&self.limit()).check("ada").await.unwrap();
            pond.lock("lock:9", MINUTE)
                .fixed()
                .await
                .unwrap()
                .release()
                .await
                .unwrap();
            pond.sessions::<u32>(ttl::LONG).create(&7).await.unwrap()
        });
        let session = session.await;
        if self == Self::StaleHit {
            age(&pond, "aged:1", TWO_HOURS).await;
        }
        if self.may_be_old() {
            // So that a call shows who answered it. Nobody has announced the change.
            row.store(2, Ordering::SeqCst);
        }
        Subject {
            pond,
            row,
            session: Some(session),
            error: None,
        }
    }

    /// Does it, and says what the caller gets.
    pub(crate) async fn run(self, subject: &mut Subject) -> String {
        let pond = subject.pond.clone();
        let of = |value: u32| {
            if value == 1 {
                "the stored value"
            } else {
                "the body's value"
            }
        };
        pond.scope(async {
            match self {
                Self::Hit => of(read(1, &subject.row).await).to_owned(),
                Self::TaggedHit => of(read_grouped(1, &subject.row).await).to_owned(),
                Self::StaleHit => match read_aged(1, &subject.row).await {
                    1 => "the old value".to_owned(),
                    _ => of(2).to_owned(),
                },
                Self::Batch | Self::BatchFill => {
                    let values = read_many(&[1, 2], &subject.row).await;
                    assert_eq!((values.len(), values[&2]), (2, 2));
                    match values[&1] {
                        1 => "the stored value, and the body's".to_owned(),
                        _ => "the body's values".to_owned(),
                    }
                }
                Self::MissRead | Self::MissFill => {
                    assert_eq!(read(1, &subject.row).await, 1);
                    "the body's value".to_owned()
                }
                Self::Invalidate => {
                    assert_eq!(change(1, &subject.row).await, 2);
                    subject.delivered()
                }
                Self::InvalidateTag => {
                    assert_eq!(change_group(1, &subject.row).await, 2);
                    subject.delivered()
                }
                Self::Put => {
                    subject.row.store(5, Ordering::SeqCst);
                    let done = read::entry(1).put(&5).await.map(drop);
                    subject.said("stored", done)
                }
                Self::LimitLocal | Self::LimitAllow | Self::LimitDeny => {
                    let decision = pond.limiter(&self.limit()).check("ada").await.unwrap();
                    let is_counted = decision.outcome() != Outcome::Degraded;
                    match (decision.is_allowed(), is_counted) {
                        (true, true) => "allowed".to_owned(),
                        (true, false) => "allowed, `Degraded`".to_owned(),
                        (false, _) => {
                            format!("refused, {}", decision.into_result().unwrap_err().status())
                        }
                    }
                }
                Self::Lock => match pond.lock("lock:1", MINUTE).fixed().try_lock().await {
                    Ok(lock) => {
                        assert!(lock.is_some(), "nobody holds it");
                        // Kept: what becomes of its release is another operation.
                        std::mem::forget(lock);
                        "taken".to_owned()
                    }
                    Err(error) => subject.said("", Err(error)),
                },
                Self::SessionGet => {
                    let found = subject.sessions().get(subject.id()).await;
                    let found = found.map(|found| found.map_or("none", |_| "the session"));
                    match found {
                        Ok(found) => found.to_owned(),
                        Err(error) => subject.said("", Err(error)),
                    }
                }
                Self::SessionCreate => match subject.sessions().create(&8).await {
                    Ok(id) => {
                        subject.session = Some(id);
                        "created".to_owned()
                    }
                    Err(error) => {
                        subject.session = None;
                        subject.said("", Err(error))
                    }
                },
                Self::SessionDestroy => {
                    let done = subject.sessions().destroy(subject.id()).await.map(drop);
                    subject.said("destroyed", done)
                }
            }
        })
        .await
    }

    /// What a mutation returned is what a read returns from then on, while the fault lasts, too.
    pub(crate) async fn meanwhile(self, subject: &Subject) {
        let row = &subject.row;
        let now = match self {
            Self::Invalidate => subject.pond.scope(read(1, row)).await,
            Self::InvalidateTag => subject.pond.scope(read_grouped(1, row)).await,
            _ => return,
        };
        assert_eq!(now, 2, "stale");
    }

    /// Afterwards the operation does what it is for, and nothing that was reported is undone.
    pub(crate) async fn afterwards(
        self,
        subject: &mut Subject,
        scene: &Scene,
        clock: &ManualClock,
    ) {
        clock.advance(MINUTE);
        let pond = subject.pond.clone();
        // A connection that broke may be noticed by whoever uses it next.
        while pond.exists("nothing").await.is_err() {}
        tokio::time::timeout(LONG, pond.flush())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(pond.stats().pending_invalidations, 0);
        let row = &subject.row;
        pond.scope(async {
            match self {
                Self::Hit | Self::MissRead | Self::MissFill | Self::Invalidate | Self::Put => {
                    if self == Self::Invalidate {
                        let stored = scene.command(&["GET", "faults:1"]).await.text();
                        assert_ne!(stored.as_deref(), Some("1"), "the old value");
                    }
                    let value = read(1, row).await;
                    // A `put` that did not run leaves what was there.
                    let did_not_run = subject.error.as_ref().is_some_and(|it| !it.may_have_run());
                    let may_be_old =
                        matches!(self, Self::Hit) || (self == Self::Put && did_not_run);
                    let current = row.load(Ordering::SeqCst);
                    assert!(value == current || (may_be_old && value == 1), "{value}");
                    is_cached_soon(async || read(1, row).await, row).await;
                }
                Self::StaleHit => {
                    let value = read_aged(1, row).await;
                    assert!(value == 1 || value == 2, "{value}");
                    is_fresh_soon(&pond, row).await;
                }
                Self::Batch | Self::BatchFill => {
                    let both = async || {
                        let values = read_many(&[1, 2], row).await;
                        (values[&1], values[&2])
                    };
                    let (old, loaded) = both().await;
                    assert!(matches!((old, loaded), (1 | 2, 2)), "{old}, {loaded}");
                    let sum = async || {
                        let (one, other) = both().await;
                        one + other
                    };
                    is_cached_soon(sum, row).await;
                }
                Self::TaggedHit | Self::InvalidateTag => {
                    let value = read_grouped(1, row).await;
                    assert!(value == 2 || self == Self::TaggedHit, "{value}");
                    is_cached_soon(async || read_grouped(1, row).await, row).await;
                }
                Self::LimitLocal | Self::LimitAllow | Self::LimitDeny => {
                    let decision = pond.limiter(&self.limit()).check("ada").await.unwrap();
                    assert_eq!(decision.outcome(), Outcome::Allowed);
                    assert!(
                        decision.remaining().is_some_and(|left| left >= 7),
                        "{decision:?}"
                    );
                }
                Self::Lock => {
                    // What may have been taken by the one that failed is given back.
                    if subject.error.is_some() {
                        let lock = pond.lock("lock:1", MINUTE).wait(LONG).await.unwrap();
                        assert!(lock.release().await.unwrap());
                    }
                }
                Self::SessionGet | Self::SessionCreate | Self::SessionDestroy => {
                    let sessions = subject.sessions();
                    let id = sessions.create(&9).await.unwrap();
                    assert_eq!(sessions.get(&id).await.unwrap(), Some(9));
                    if self == Self::SessionDestroy && subject.error.is_none() {
                        assert_eq!(sessions.get(subject.id()).await.unwrap(), None);
                    }
                }
            }
        })
        .await;
    }
}

/// An invalidation that was repeated may arrive twice, which costs a miss.
async fn is_cached_soon(call: impl AsyncFn() -> u32, row: &AtomicU32) {
    for next in 70..80 {
        let value = call().await;
        row.store(next, Ordering::SeqCst);
        if call().await == value {
            return;
        }
    }
    panic!("nothing is cached any more");
}

/// The load in the background is made up for.
async fn is_fresh_soon(pond: &Millpond, row: &Arc<AtomicU32>) {
    for _ in 0..10 {
        read_aged(1, row).await;
        pond.flush().await.unwrap();
        if let Lookup::Hit(value) = read_aged::entry(1).get().await.unwrap() {
            assert_eq!(value, 2, "the old value, as if it were fresh");
            return;
        }
    }
    panic!("the value stays old");
}

impl Subject {
    fn sessions(&self) -> millpond::Sessions<u32> {
        self.pond.sessions(ttl::LONG)
    }

    fn id(&self) -> &millpond::SessionId {
        self.session.as_ref().expect("it was created")
    }

    fn delivered(&self) -> String {
        let is_owed = self.pond.stats().pending_invalidations > 0;
        let what = if is_owed {
            "the body's value; owed"
        } else {
            "the body's value; invalidated"
        };
        what.to_owned()
    }

    fn said(&mut self, done: &str, result: Result<(), Error>) -> String {
        match result {
            Ok(()) => done.to_owned(),
            Err(error) => {
                let may = if error.may_have_run() {
                    ", may have run"
                } else {
                    ""
                };
                let text = format!("`{:?}`{may}", error.kind());
                self.error = Some(error);
                text
            }
        }
    }
}
