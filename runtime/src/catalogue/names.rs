//! Names, places and keys as the catalogue shows them.

use super::entries::{Function, Place};
use crate::cache::{Ahead, CachedFunction, Locality, Staleness};
use std::time::Duration;

/// `module::name (file:line)`
pub(super) fn split(name: &str) -> (String, Place) {
    let (name, place) = name.split_once(" (").unwrap_or((name, ""));
    let (file, line) = place
        .trim_end_matches(')')
        .rsplit_once(':')
        .unwrap_or((place, ""));
    let place = Place {
        file: file.to_owned(),
        line: line.parse().unwrap_or(0),
    };
    (name.to_owned(), place)
}

pub(super) fn key(function: &CachedFunction) -> String {
    let (name, place) = split(function.name);
    described(function, name, place).key()
}

pub(super) fn empty(name: String, place: Place) -> Function {
    Function {
        name,
        place,
        prefix: String::new(),
        template: String::new(),
        version: None,
        ttl: String::new(),
        options: Vec::new(),
        returns: String::new(),
        tags: Vec::new(),
        batches: Vec::new(),
        instances: Vec::new(),
        invalidated_by: Vec::new(),
    }
}

pub(super) fn described(function: &CachedFunction, name: String, place: Place) -> Function {
    let mut options = Vec::new();
    match function.null_ttl {
        None => options.push("null = false".to_owned()),
        Some(null_ttl) if null_ttl != crate::ttl::SHORT => {
            options.push(format!("null_ttl = \"{}\"", length(null_ttl)));
        }
        Some(_) => {}
    }
    if let Some(jitter) = function.jitter {
        options.push(format!("jitter = {jitter}"));
    }
    options.extend(staleness(function));
    let near = function.near().map(length);
    let is_plain = near.is_some() && function.encoding.encrypt;
    options.extend(near.map(|time| format!("local = \"{time}\"")));
    let words = [
        (function.ttl_of.is_some(), "ttl_of"),
        (function.tags_of.is_some(), "tags_of"),
        (!function.flight, "flight = \"off\""),
        (!function.guard, "guard = false"),
        (function.all, "all"),
        (function.encoding.compress, "compress"),
        (function.encoding.encrypt, "encrypt"),
        (is_plain, "local_plain"),
        (function.locality == Locality::Only, "local = \"only\""),
    ];
    let words = words.into_iter().filter(|(is_on, _)| *is_on);
    options.extend(words.map(|(_, word)| word.to_owned()));
    let shares = function.shares_with().map(|other| split(other.name).0);
    options.extend(shares.map(|other| format!("shares = {}", last(&other))));
    Function {
        prefix: function.prefix.to_owned(),
        template: function.template.to_owned(),
        version: function.version,
        ttl: length(function.ttl),
        options,
        ..empty(name, place)
    }
}

/// For how long values are used after their lifetime, and when they are loaded again before.
fn staleness(function: &CachedFunction) -> Vec<String> {
    let Some(Staleness {
        while_revalidate,
        if_error,
        soft_timeout,
        ahead,
    }) = function.staleness
    else {
        return Vec::new();
    };
    let window = |window: Duration| Some(window).filter(|window| !window.is_zero());
    let lengths = [
        ("stale_while_revalidate", window(while_revalidate)),
        ("stale_if_error", window(if_error)),
        ("soft_timeout", soft_timeout),
    ];
    let lengths = lengths.into_iter();
    let mut options: Vec<String> = lengths
        .filter_map(|(name, of)| Some(format!("{name} = \"{}\"", length(of?))))
        .collect();
    match ahead {
        Ahead::Never => {}
        Ahead::From(fraction) => options.push(format!("refresh_ahead = {fraction}")),
        Ahead::AtRandom => options.push("refresh_ahead = \"xfetch\"".to_owned()),
    }
    options
}

/// The shortest way to write a duration.
pub(super) fn length(duration: Duration) -> String {
    let ms = duration.as_millis();
    let units = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
    ];
    let fits = units
        .into_iter()
        .find(|(unit, _)| ms >= *unit && ms.is_multiple_of(*unit));
    match fits {
        Some((unit, name)) => format!("{}{name}", ms / unit),
        None => format!("{ms}ms"),
    }
}

/// The name without its modules.
pub(super) fn last(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path).trim()
}

/// The modules without the name.
pub(super) fn module(path: &str) -> &str {
    path.rsplit_once("::").map_or("", |(module, _)| module)
}
