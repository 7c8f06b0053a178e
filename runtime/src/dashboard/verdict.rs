//! How it is, in a sentence for whoever is woken at night.

use crate::client::outage::Degradation;
use crate::clock::milliseconds;
use crate::health::{Health, HealthState};
use crate::stats::{CacheStats, LimitStats, Window};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The slots that are compared with those before them: one minute, beside the one that is not over.
const RECENT: u64 = 4;

/// A silence that was seen last so long ago tells nothing of now, in milliseconds.
const LASTS: u64 = 15_000;

/// Fewer calls say nothing of a rate.
const CALLS: u64 = 40;
const LOADS: u64 = 10;
const CHECKS: u64 = 20;

/// So many things are named; the rest is counted.
const NAMED: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Good,
    Look,
    Down,
}

pub(super) struct Verdict {
    pub(super) state: State,
    pub(super) sentence: String,
    pub(super) pinned: Vec<String>,
}

/// What is seen.
pub(super) struct Sight<'a> {
    pub(super) health: &'a Health,
    pub(super) degradations: &'a [Degradation],
    pub(super) windows: &'a [Arc<Window>],
    /// What the functions of a prefix are called.
    pub(super) names: &'a HashMap<&'a str, String>,
    pub(super) declared: &'a BTreeSet<String>,
    pub(super) now: u64,
}

/// Something that needs a look.
struct Finding {
    urgency: Urgency,
    text: String,
    /// What it is about.
    prefix: Option<String>,
}

/// The most urgent first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    Owed,
    Unheard,
    BodiesFail,
    Unreadable,
    FewerHits,
    Refusals,
}

impl Sight<'_> {
    pub(super) fn verdict(&self) -> Verdict {
        let says = |state, sentence: &str| Verdict {
            state,
            sentence: sentence.to_owned(),
            pinned: Vec::new(),
        };
        if self.health.engine().state() == HealthState::Down {
            return says(
                State::Down,
                "The cache is not configured. Functions run their bodies.",
            );
        }
        let silent = |it: &Degradation| {
            it.is_silence && !it.is_over && self.now.saturating_sub(it.last_ms) < LASTS
        };
        if self.health.circuit().state() == HealthState::Down
            || self.degradations.iter().any(silent)
        {
            return says(
                State::Down,
                "The cache does not answer. Functions run their bodies, and limits do what on_outage says.",
            );
        }
        let found = self.findings();
        if found.is_empty() {
            let sentence = if self.windows.is_empty() {
                "Nothing was asked of the cache in the last five minutes."
            } else {
                "The cache answers. Nothing needs a look."
            };
            return says(State::Good, sentence);
        }
        let number = match found.len() {
            1 => "One thing needs a look".to_owned(),
            2 => "Two things need a look".to_owned(),
            number => format!("{number} things need a look"),
        };
        let named = found.iter().take(NAMED).map(|it| it.text.as_str());
        let mut named = named.collect::<Vec<_>>().join("; ");
        if found.len() > NAMED {
            named.push_str("; and more below");
        }
        Verdict {
            state: State::Look,
            sentence: format!("The cache answers. {number}: {named}."),
            pinned: found.into_iter().filter_map(|it| it.prefix).collect(),
        }
    }

    fn findings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        if self.health.invalidations().state() != HealthState::Up {
            found.push(Finding {
                urgency: Urgency::Owed,
                text: "invalidations wait to be delivered".to_owned(),
                prefix: None,
            });
        }
        if self.health.backplane().state() != HealthState::Up {
            found.push(Finding {
                urgency: Urgency::Unheard,
                text: "invalidations of other processes are not heard, so kept values are checked with the store"
                    .to_owned(),
                prefix: None,
            });
        }
        let slot = self.now / milliseconds(Window::LENGTH);
        let (recent, before): (Vec<_>, Vec<_>) = self
            .windows
            .iter()
            .partition(|it| it.slot() + RECENT >= slot);
        let (recent, before) = (Sums::of(&recent), Sums::of(&before));
        for prefix in self.declared {
            let name = self.names.get(prefix.as_str());
            let name = name.map_or(prefix.as_str(), String::as_str);
            let now = recent.prefixes.get(prefix.as_str()).copied();
            let then = before.prefixes.get(prefix.as_str()).copied();
            let (now, then) = (now.unwrap_or_default(), then.unwrap_or_default());
            let mut about = |urgency, text| {
                found.push(Finding {
                    urgency,
                    text,
                    prefix: Some(prefix.clone()),
                });
            };
            let unreadable = now.decode_failures + then.decode_failures;
            if unreadable > 0 {
                about(
                    Urgency::Unreadable,
                    format!("{unreadable} stored values of {name} could not be read"),
                );
            }
            if now.loads >= LOADS && now.load_errors * 5 >= now.loads {
                let part = percent(now.load_errors, now.loads);
                about(
                    Urgency::BodiesFail,
                    format!("{part} of the bodies of {name} fail"),
                );
            }
            if calls(&now) >= CALLS && calls(&then) >= CALLS {
                let rate = |it: &CacheStats| percent(answered(it), calls(it));
                // Both sides times both counts, so that nothing is rounded.
                let fell = 2 * u128::from(answered(&now)) * u128::from(calls(&then))
                    < u128::from(answered(&then)) * u128::from(calls(&now));
                if fell {
                    let (was, is) = (rate(&then), rate(&now));
                    about(
                        Urgency::FewerHits,
                        format!("the hit rate of {name} fell from {was} to {is}"),
                    );
                }
            }
        }
        for (kind, stats) in &recent.kinds {
            if stats.checks >= CHECKS && stats.refusals * 5 >= stats.checks {
                let part = percent(stats.refusals, stats.checks);
                found.push(Finding {
                    urgency: Urgency::Refusals,
                    text: format!("the limit {kind} refuses {part} of its checks"),
                    prefix: None,
                });
            }
        }
        found.sort_by_key(|it| it.urgency);
        found
    }
}

#[derive(Default)]
struct Sums<'a> {
    prefixes: BTreeMap<&'a str, CacheStats>,
    kinds: BTreeMap<&'a str, LimitStats>,
}

impl<'a> Sums<'a> {
    fn of(windows: &[&'a Arc<Window>]) -> Self {
        let mut sums = Self::default();
        for window in windows {
            for (prefix, counted) in window.counted() {
                let sum = sums.prefixes.entry(prefix).or_default();
                sum.merge(&counted.stats);
            }
            for (kind, stats) in window.kinds() {
                sums.kinds.entry(kind).or_default().merge(&stats);
            }
        }
        sums
    }
}

/// Calls that were answered without a body of their own.
fn answered(it: &CacheStats) -> u64 {
    it.hits + it.null_hits + it.local_hits + it.stale + it.shared
}

fn calls(it: &CacheStats) -> u64 {
    answered(it) + it.misses + it.bypassed
}

fn percent(part: u64, whole: u64) -> String {
    let percent = u128::from(part) * 100 / u128::from(whole.max(1));
    format!("{percent} %")
}
