//! From what the linker collected, and the first calls added, to the catalogue.

use super::check::Compared;
use super::edges::{self, Known};
use super::entries::{Function, Instance, Limit};
use super::listing::Catalogue;
use super::names::{described, empty, length, split};
use super::site::LimitSite;
use crate::cache::{Called, Described, FunctionSite, called_functions, sites};
use crate::limit::{Algorithm, OnOutage};
use std::time::Duration;

const NOTE: &str = "Seen: the attributes of the crates that are linked into this binary. Not seen: a crate that it \
                    never names, limits of layers, and invalidations by hand.";

pub(super) fn catalogue() -> Catalogue {
    let (known, compared) = functions();
    let (functions, tags, mutations) = edges::drawn(known);
    let limits = inventory::iter::<LimitSite>.into_iter();
    let mut limits: Vec<Limit> = limits.map(limit).collect();
    limits.sort_by(|a, b| (&a.name, &a.place, &a.rule).cmp(&(&b.name, &b.place, &b.rule)));
    Catalogue {
        functions,
        tags,
        mutations,
        limits,
        note: NOTE.to_owned(),
        compared,
    }
}

/// The functions, sorted, and those among them that can be compared.
fn functions() -> (Vec<Known>, Vec<Compared>) {
    let mut called = called_functions();
    let mut known = Vec::new();
    let mut compared = Vec::new();
    for site in sites() {
        let (name, place) = split(site.name());
        let is_own = |called: &Called| match site.described {
            Described::Known(function) => std::ptr::eq(function, called.function),
            Described::Written { name, .. } => name == called.function.name,
        };
        let own: Vec<Called> = called.extract_if(.., |called| is_own(called)).collect();
        let mut shown = match (site.described, &own[..]) {
            (Described::Known(function), _) => described(function, name, place),
            (Described::Written { .. }, [only]) => described(only.function, name, place),
            (
                Described::Written {
                    prefix,
                    template,
                    ttl,
                    ..
                },
                _,
            ) => Function {
                prefix: prefix.to_owned(),
                template: template.to_owned(),
                ttl: written_length(ttl),
                ..empty(name, place)
            },
        };
        add_site(&mut shown, site);
        shown.instances = own.iter().flat_map(instances).collect();
        match site.described {
            Described::Known(function) => compared.push((function, Some(site))),
            Described::Written { .. } => {
                compared.extend(own.iter().map(|called| (called.function, Some(site))));
            }
        }
        known.push(Known {
            site: Some(site),
            shown,
        });
    }
    // Where the linker collected nothing, and for other copies of a description, what the calls tell.
    for called in called {
        let (name, place) = split(called.function.name);
        let is_known = |known: &Known| known.shown.name == name && known.shown.place == place;
        if let Some(known) = known.iter_mut().find(|known| is_known(known)) {
            known.shown.instances.extend(instances(&called));
            continue;
        }
        compared.push((called.function, None));
        let mut shown = described(called.function, name, place);
        shown.instances = instances(&called).collect();
        known.push(Known { site: None, shown });
    }
    let order = |known: &Known| (known.shown.name.clone(), known.shown.place.clone());
    known.sort_by_cached_key(order);
    compared.sort_by_key(|(function, _)| function.name);
    let compared = compared.into_iter();
    let compared = compared.map(|(function, site)| Compared { function, site });
    (known, compared.collect())
}

/// What metrics are about, from the first time on that they are told.
#[cfg(feature = "metrics")]
fn declare(totals: &mut crate::metrics::Totals) {
    for site in sites() {
        if let Described::Known(function) = site.described {
            totals.declare_prefix(function.prefix);
        }
    }
    for site in inventory::iter::<LimitSite> {
        if let Some(limit) = site.limit {
            totals.declare_kind(&limit.kind());
        }
    }
}

#[cfg(feature = "metrics")]
inventory::submit!(crate::metrics::Declares(declare));

fn instances(called: &Called) -> impl Iterator<Item = Instance> {
    called.instances.iter().map(|(owner, value)| Instance {
        owner: owner.map(str::to_owned),
        value: (*value).to_owned(),
    })
}

fn add_site(shown: &mut Function, site: &FunctionSite) {
    site.returns.clone_into(&mut shown.returns);
    shown.tags = site.tags.iter().map(|&tag| tag.to_owned()).collect();
    for written in site.written {
        // The description only says that there is one.
        let name = written.split(" = ").next();
        shown.options.retain(|option| Some(option.as_str()) != name);
        shown.options.push((*written).to_owned());
    }
    let on = site.on.map(|on| format!("on = {on}"));
    shown.options.extend(on);
}

/// Seconds, or a path.
fn written_length(text: &str) -> String {
    let seconds = text.strip_suffix('s').and_then(|text| text.parse().ok());
    let known = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    known.map_or_else(|| text.to_owned(), length)
}

fn limit(site: &LimitSite) -> Limit {
    let (name, place) = split(site.name);
    let on_outage = |limit: &crate::limit::Limit| match limit.outage_policy() {
        OnOutage::Local => "local",
        OnOutage::Allow => "allow",
        OnOutage::Deny => "deny",
    };
    let rule = site.limit.map_or_else(
        || site.text.to_owned(),
        |limit| {
            let algorithm = match limit.algorithm() {
                Algorithm::SlidingWindow => "sliding window",
                Algorithm::FixedWindow => "fixed window",
                Algorithm::TokenBucket => "token bucket",
            };
            format!(
                "{} per {}, {algorithm}",
                limit.units(),
                length(limit.window())
            )
        },
    );
    Limit {
        name,
        place,
        kind: site.limit.map(|limit| limit.kind().into_owned()),
        rule,
        caller: site.caller.to_owned(),
        on_outage: site.limit.map(|limit| on_outage(limit).to_owned()),
    }
}
