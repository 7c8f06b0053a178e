//! The batch form of a cached function: one read, one body for what is missing, one fill. On every engine, and with
//! loads of single items under way.

mod support;

use millpond::{Lookup, Millpond, Tag, cached, invalidates, refresh, uncached};
use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use support::source::{Source, source};
use support::{on_every_engine, settle, within_a_minute};

#[derive(Debug, PartialEq)]
struct Broken;

/// What the bodies were asked for.
type Asked = Mutex<Vec<Vec<u64>>>;

fn asked(asked: &Asked) -> Vec<Vec<u64>> {
    std::mem::take(&mut *asked.lock().unwrap())
}

#[cached(prefix = "user", key = "<id>")]
async fn get_user(id: u64) -> Result<Option<String>, Broken> {
    Ok((id < 100).then(|| format!("one {id}")))
}

#[cached(batch = ids, of = get_user(ids))]
async fn get_users(ids: &[u64], seen: &Asked) -> Result<HashMap<u64, String>, Broken> {
    seen.lock().unwrap().push(ids.to_vec());
    if ids.contains(&13) {
        return Err(Broken);
    }
    let known = ids.iter().filter(|id| **id < 100);
    Ok(known.map(|id| (*id, format!("many {id}"))).collect())
}

#[cached(batch = ids, of = get_user(*ids), when = ids.len() < 5)]
async fn get_in_order(mut ids: Vec<u64>) -> Result<Vec<Option<String>>, Broken> {
    ids.shrink_to_fit();
    let name = |id: &u64| (*id < 100).then(|| format!("many {id}"));
    Ok(ids.iter().map(name).collect())
}

#[cached(batch = ids, of = get_user(ids))]
async fn get_pairs(ids: &Vec<u64>) -> Result<Vec<(u64, String)>, Broken> {
    let twice = ids.iter().chain(ids.iter().filter(|id| **id == 7));
    Ok(twice
        .enumerate()
        .map(|(at, id)| (*id, format!("{at} of {id}")))
        .collect())
}

#[cached(batch = ids, of = get_user(ids))]
async fn get_too_few(ids: &[u64]) -> Result<Vec<Option<String>>, Broken> {
    let _ = ids;
    Ok(vec![Some("first".to_owned())])
}

#[millpond::tag("team:<team>")]
fn team(team: u64) -> Tag;

#[millpond::tag("~letter:<letter>")]
fn letter(letter: char) -> Tag;

#[cached(
    prefix = "member",
    key = "<id>:<name>",
    tags(team(id), "members"),
    tags_of = |name: &String| name.chars().next().map(letter),
    unless = |name: &String| name.ends_with('!'),
    ttl = "1h"
)]
async fn member(id: u64, name: &str) -> String {
    format!("{name} of {id}")
}

#[cached(batch = names, of = member(team, names))]
async fn members(team: u64, names: &[String]) -> BTreeMap<String, String> {
    let member = |name: &String| (name.clone(), format!("{name} of all {team}"));
    let mut all: BTreeMap<_, _> = names.iter().map(member).collect();
    if let Some(bob) = all.get_mut("bob") {
        bob.push('!');
    }
    all
}

#[invalidates(team(id))]
async fn leave(id: u64) {}

#[cached(prefix = "slow", key = "<id>", skip(source))]
async fn slow(id: u64, source: &Source<String>) -> Result<String, Broken> {
    let text = source.answer().await;
    if text == "broken" {
        Err(Broken)
    } else {
        Ok(format!("{text} {id}"))
    }
}

#[cached(batch = ids, of = slow(ids))]
async fn slow_many(
    ids: &[u64],
    many: &Source<String>,
    seen: &Asked,
) -> Result<HashMap<u64, String>, Broken> {
    seen.lock().unwrap().push(ids.to_vec());
    let text = many.answer().await;
    if text == "broken" {
        return Err(Broken);
    }
    Ok(ids.iter().map(|id| (*id, format!("{text} {id}"))).collect())
}

fn map<const N: usize>(pairs: [(u64, &str); N]) -> HashMap<u64, String> {
    pairs
        .into_iter()
        .map(|(id, name)| (id, name.to_owned()))
        .collect()
}

async fn only_what_is_missing_is_asked_for(pond: &Millpond) {
    let seen = Asked::default();
    pond.scope(async {
        get_user(1).await.unwrap();
        let found = get_users(&[3, 1, 2, 3, 100], &seen).await;
        assert_eq!(found, Ok(map([(1, "one 1"), (2, "many 2"), (3, "many 3")])));
        assert_eq!(asked(&seen), [[3, 2, 100]]);
        // They are entries of the function for one, and what is not there is one too.
        assert_eq!(get_user(2).await.unwrap().as_deref(), Some("many 2"));
        assert_eq!(get_user::entry(100).get().await.unwrap(), Lookup::Null);
        let found = get_users(&[100, 3, 1], &seen).await;
        assert_eq!(found, Ok(map([(1, "one 1"), (3, "many 3")])));
        assert_eq!(get_users(&[], &seen).await, Ok(HashMap::new()));
        assert_eq!(asked(&seen), [[0; 0]; 0]);
        get_user::invalidate(3).await.unwrap();
        get_users(&[1, 2, 3], &seen).await.unwrap();
        assert_eq!(asked(&seen), [[3]]);
        let stats = pond.stats().prefix("user");
        assert_eq!((stats.loads, stats.stores), (5, 5));
        assert_eq!(stats.null_hits, 2, "by the batch, and by the entry");
    })
    .await;
}

async fn an_error_is_that_of_the_body_and_stores_nothing(pond: &Millpond) {
    let seen = Asked::default();
    pond.scope(async {
        get_users(&[1, 2], &seen).await.unwrap();
        assert_eq!(get_users(&[1, 13, 14], &seen).await, Err(Broken));
        assert_eq!(asked(&seen), [vec![1, 2], vec![13, 14]]);
        for id in [13, 14] {
            assert_eq!(get_user::entry(id).get().await.unwrap(), Lookup::Miss);
        }
        get_users(&[1, 14], &seen).await.unwrap();
        assert_eq!(asked(&seen), [[14]]);
    })
    .await;
}

async fn order_and_duplicates_are_those_of_the_list(pond: &Millpond) {
    let name = |text: &str| Some(text.to_owned());
    pond.scope(async {
        get_user(5).await.unwrap();
        let expected = [name("many 6"), name("one 5"), name("many 6"), None];
        for _ in ["load", "hit"] {
            let found = get_in_order(vec![6, 5, 6, 200]).await.unwrap();
            assert_eq!(found, expected);
        }
        // Around the cache, the list is the caller's own.
        let found = get_in_order(vec![5, 5, 5, 5, 5]).await.unwrap();
        assert_eq!(found, vec![name("many 5"); 5]);
        let found = get_pairs(&vec![6, 8, 6]).await.unwrap();
        let text = |text: &str| text.to_owned();
        assert_eq!(
            found,
            [
                (6, text("many 6")),
                (8, text("0 of 8")),
                (6, text("many 6"))
            ]
        );
    })
    .await;
}

async fn what_is_not_sure_is_not_stored(pond: &Millpond) {
    pond.scope(async {
        assert_eq!(get_pairs(&vec![7, 9]).await.unwrap().len(), 2);
        assert_eq!(get_user::entry(7).get().await.unwrap(), Lookup::Miss);
        assert!(get_user::entry(9).exists().await.unwrap());
        let found = get_too_few(&[30, 31]).await.unwrap();
        assert_eq!(found, [Some("first".to_owned()), None]);
        for id in [30, 31] {
            assert_eq!(get_user::entry(id).get().await.unwrap(), Lookup::Miss);
        }
    })
    .await;
}

async fn the_options_are_those_of_the_function_for_one(pond: &Millpond) {
    let names = ["ada", "bob", "cleo"].map(str::to_owned);
    let loads = || pond.stats().prefix("member").loads;
    pond.scope(async {
        for _ in ["load", "hit"] {
            let found = members(1, &names).await;
            assert_eq!(found["ada"], "ada of all 1");
        }
        assert_eq!(loads(), 4, "one is not stored");
        assert_eq!(member(1, "cleo").await, "cleo of all 1");
        letter::invalidate('a').await.unwrap();
        assert_eq!(member::entry(1, "ada").get().await.unwrap(), Lookup::Miss);
        members(1, &names).await;
        assert_eq!(loads(), 6);
        leave(1).await;
        members(1, &names).await;
        assert_eq!(loads(), 9);
        pond.command(["DEL", "@tag:members", "@tag:~letter:c"])
            .await
            .unwrap();
        members(1, &names).await;
        members(1, &names[..1]).await;
        members(1, &names[2..]).await;
        assert_eq!(loads(), 12);
        refresh(members(1, &names[..1])).await;
        uncached(members(1, &names[..1])).await;
        assert_eq!(loads(), 13);
    })
    .await;
}

async fn a_batch_waits_for_a_call_and_a_call_for_a_batch(pond: &Millpond) {
    let (one, mut ones) = source();
    let (many, mut manies) = source();
    let seen = std::sync::Arc::new(Asked::default());
    let batch = |ids: &'static [u64]| {
        let (many, seen) = (many.clone(), seen.clone());
        pond.spawn(async move { slow_many(ids, &many, &seen).await })
    };
    let call = |id: u64| {
        let one = one.clone();
        pond.spawn(async move { slow(id, &one).await })
    };
    within_a_minute(async {
        let single = call(1);
        let body = ones.next().await;
        let first = batch(&[1, 2, 3]);
        let first_body = manies.next().await;
        let second = batch(&[3, 4, 1]);
        let second_body = manies.next().await;
        let late = call(2);
        settle().await;
        body.answer("one".to_owned());
        second_body.answer("second".to_owned());
        settle().await;
        first_body.answer("first".to_owned());
        assert_eq!(single.await.unwrap().unwrap(), "one 1");
        assert_eq!(late.await.unwrap().unwrap(), "first 2");
        let expected = map([(1, "one 1"), (2, "first 2"), (3, "first 3")]);
        assert_eq!(first.await.unwrap().unwrap(), expected);
        let expected = map([(1, "one 1"), (3, "first 3"), (4, "second 4")]);
        assert_eq!(second.await.unwrap().unwrap(), expected);
        assert_eq!(asked(&seen), [[2, 3].to_vec(), [4].to_vec()]);
        // Who waited for a load that fails loads what is left, in one body.
        let single = call(10);
        let body = ones.next().await;
        let third = batch(&[10, 11]);
        manies.next().await.answer("third".to_owned());
        settle().await;
        body.answer("broken".to_owned());
        manies.next().await.answer("again".to_owned());
        assert_eq!(single.await.unwrap(), Err(Broken));
        let expected = map([(10, "again 10"), (11, "third 11")]);
        assert_eq!(third.await.unwrap().unwrap(), expected);
        assert_eq!(asked(&seen), [[11], [10]]);
        let entry = pond.scope(async { slow::entry(10).get().await });
        assert_eq!(entry.await.unwrap(), Lookup::Hit("again 10".to_owned()));
    })
    .await;
}

async fn an_invalidation_during_a_load_costs_that_key_only(pond: &Millpond) {
    let (many, mut manies) = source();
    let seen = std::sync::Arc::new(Asked::default());
    within_a_minute(async {
        let batch = {
            let (many, seen) = (many.clone(), seen.clone());
            pond.spawn(async move { slow_many(&[1, 2, 3], &many, &seen).await })
        };
        let body = manies.next().await;
        pond.scope(async { slow::invalidate(2).await })
            .await
            .unwrap();
        body.answer("old".to_owned());
        batch.await.unwrap().unwrap();
        pond.scope(async {
            assert!(slow::entry(1).exists().await.unwrap());
            assert!(!slow::entry(2).exists().await.unwrap());
            assert!(slow::entry(3).exists().await.unwrap());
        })
        .await;
    })
    .await;
}

async fn very_many_and_very_large_ones_are_divided(pond: &Millpond) {
    #[cached(prefix = "large", key = "<id>")]
    async fn large(id: u64) -> String {
        "x".repeat(usize::try_from(id).unwrap())
    }
    #[cached(batch = ids, of = large(ids))]
    async fn large_ones(ids: &[u64]) -> HashMap<u64, String> {
        let text = |id: &u64| "x".repeat(usize::try_from(*id).unwrap());
        ids.iter().map(|id| (*id, text(id))).collect()
    }
    let mut ids: Vec<u64> = (0..1_300).collect();
    ids.extend((0..11).map(|more| 1_000_000 + more));
    pond.scope(async {
        assert_eq!(large_ones(&ids).await.len(), ids.len());
        let stats = pond.stats().prefix("large");
        assert_eq!((stats.stores, stats.errors), (1_311, 0));
        assert_eq!(large_ones(&ids).await.len(), ids.len());
        assert_eq!(large(9).await.len(), 9);
        let stats = pond.stats().prefix("large");
        assert_eq!((stats.hits, stats.loads), (1_312, 1_311));
    })
    .await;
}

on_every_engine! {
    only_what_is_missing_is_asked_for
    an_error_is_that_of_the_body_and_stores_nothing
    order_and_duplicates_are_those_of_the_list
    what_is_not_sure_is_not_stored
    the_options_are_those_of_the_function_for_one
    a_batch_waits_for_a_call_and_a_call_for_a_batch
    an_invalidation_during_a_load_costs_that_key_only
    very_many_and_very_large_ones_are_divided
}
