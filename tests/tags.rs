//! Tags: groups of entries that are invalidated by one command. On every engine, and with loads under way in this
//! process and in others.

#![cfg(feature = "upstash")]

mod support;

use millpond::{Lookup, Millpond, Tag, cached, invalidates, key, refresh, ttl, uncached, updates};
use millpond_gateway::{Fault, Matcher, needs_redis};
use std::time::Duration;
use support::source::{Source, source};
use support::{gateway, on_every_engine, settle, within_a_minute};

type Text = &'static str;

/// The organisation of a post.
#[millpond::tag("org:<org_id>")]
fn org(org_id: u32) -> Tag;

#[millpond::tag("team:<name>:<kind?>")]
fn team(name: &str, kind: Option<u8>) -> Tag;

#[cached(
    prefix = "posts",
    key = "<org_id>:<page>",
    tags(org(org_id), "page:<page>"),
    all,
    skip(source)
)]
async fn posts(org_id: u32, page: u32, source: &Source<Text>) -> String {
    source.answer().await.to_owned()
}

#[cached(prefix = "count", key = "<id>", tags(org(id), "all counts"))]
async fn count(id: u32) -> Result<Option<u32>, std::fmt::Error> {
    match id {
        0 => Ok(None),
        99 => Err(std::fmt::Error),
        id => Ok(Some(id)),
    }
}

/// One that is sealed, and whose tag needs an argument that is not in the key.
#[cached(
    prefix = "secret",
    key = "<id>",
    skip(owner),
    tags("owner:<owner>"),
    compress
)]
async fn secret(id: u32, owner: &str) -> String {
    let _ = owner;
    "abc ".repeat(1_000 + id as usize)
}

#[invalidates(org(id))]
async fn rename(id: u32) -> Result<(), std::fmt::Error> {
    if id == 99 {
        Err(std::fmt::Error)
    } else {
        Ok(())
    }
}

#[invalidates(posts(..), count(*output))]
async fn forget_posts(id: u32) -> u32 {
    id
}

/// Moves the entry's own tag together with the entry.
#[updates(count(id), org(id))]
async fn set_count(id: u32, by: u32) -> Option<u32> {
    Some(by)
}

#[updates(count(id))]
async fn set_count_only(id: u32, by: u32) -> Option<u32> {
    Some(by)
}

/// Two attributes are one step: the value is stored under the tag that moves with it.
#[updates(count(id))]
#[invalidates(org(id))]
async fn set_count_and_rename(id: u32, by: u32) -> Option<u32> {
    Some(by)
}

/// The other way round, and with an entry that goes.
#[invalidates(org(id), secret(id, "ada"))]
#[updates(count(id))]
async fn rename_and_set_count(id: u32, by: u32) -> Option<u32> {
    Some(by)
}

fn loads(pond: &Millpond, prefix: &str) -> u64 {
    pond.stats().prefix(prefix).loads
}

async fn an_invalidated_tag_makes_its_entries_misses_and_no_others(pond: &Millpond) {
    pond.scope(async {
        for _ in ["load", "hit"] {
            assert_eq!(count(1).await, Ok(Some(1)));
            assert_eq!(count(2).await, Ok(Some(2)));
            assert_eq!(count(0).await, Ok(None));
        }
        assert_eq!(loads(pond, "count"), 3);
        org::invalidate(1).await.unwrap();
        assert_eq!(count::entry(1).get().await.unwrap(), Lookup::Miss);
        for id in [0, 1, 2] {
            count(id).await.unwrap();
        }
        assert_eq!(loads(pond, "count"), 4);
        Tag::new("all counts").invalidate().await.unwrap();
        pond.invalidate_tag(Tag::from("nobody")).await.unwrap();
        for id in [0, 1, 2] {
            count(id).await.unwrap();
        }
        assert_eq!(loads(pond, "count"), 7);
        assert_eq!(count::entry(0).get().await.unwrap(), Lookup::Null);
        assert_eq!(count::entry(1).get().await.unwrap(), Lookup::Hit(Some(1)));
        count(99).await.unwrap_err();
        rename(1).await.unwrap();
        rename(99).await.unwrap_err();
        count(1).await.unwrap();
        assert_eq!(loads(pond, "count"), 9);
    })
    .await;
}

async fn all_entries_of_a_function_go_at_once(pond: &Millpond) {
    let (source, bodies) = source();
    bodies.answer_all("text");
    pond.scope(async {
        for (org_id, page) in [(1, 1), (1, 2), (2, 1)] {
            posts(org_id, page, &source).await;
        }
        count(7).await.unwrap();
        posts::invalidate_all().await.unwrap();
        for (org_id, page) in [(1, 1), (1, 2), (2, 1)] {
            posts(org_id, page, &source).await;
        }
        assert_eq!(loads(pond, "posts"), 6);
        forget_posts(7).await;
        posts(1, 1, &source).await;
        assert_eq!(loads(pond, "posts"), 7);
        assert!(!count::entry(7).exists().await.unwrap());
        Tag::from(key!("page:1")).invalidate().await.unwrap();
        posts(2, 1, &source).await;
        assert_eq!(loads(pond, "posts"), 8);
    })
    .await;
}

async fn what_was_put_is_a_hit_until_a_tag_moves(pond: &Millpond) {
    pond.scope(async {
        let entry = count::entry(5);
        entry.put(&Some(50)).await.unwrap();
        assert_eq!(count(5).await, Ok(Some(50)));
        org::invalidate(5).await.unwrap();
        assert_eq!(entry.get().await.unwrap(), Lookup::Miss);
        assert_eq!(count(5).await, Ok(Some(5)));
        set_count(5, 51).await;
        assert_eq!(
            count(5).await,
            Ok(Some(51)),
            "it is stored under the new nonce"
        );
        set_count_only(5, 52).await;
        assert_eq!(count(5).await, Ok(Some(52)));
        assert_eq!(loads(pond, "count"), 1);
        set_count_and_rename(5, 53).await;
        assert_eq!(count(5).await, Ok(Some(53)));
        rename_and_set_count(5, 54).await;
        assert_eq!(count(5).await, Ok(Some(54)));
        assert_eq!(loads(pond, "count"), 1);
    })
    .await;
}

async fn an_update_with_its_own_tag_takes_the_others_along(pond: &Millpond) {
    let (source, bodies) = source();
    bodies.answer_all("text");
    pond.scope(async {
        posts(3, 1, &source).await;
        count(3).await.unwrap();
        set_count(3, 30).await;
        assert_eq!(count(3).await, Ok(Some(30)));
        posts(3, 1, &source).await;
    })
    .await;
    assert_eq!((loads(pond, "posts"), loads(pond, "count")), (2, 1));
}

async fn reads_by_hand_know_the_tags_too(pond: &Millpond) {
    pond.scope(async {
        count(4).await.unwrap();
        assert_eq!(pond.get::<u32>("count:4").await.unwrap(), Some(4));
        let many = pond.get_many::<u32>(["count:4"]).await.unwrap();
        assert_eq!(many, [Some(4)]);
        org::invalidate(4).await.unwrap();
        assert_eq!(pond.get::<u32>("count:4").await.unwrap(), None);
        let many = pond.get_many::<u32>(["count:4"]).await.unwrap();
        assert_eq!(many, [None]);
        // A value that tells nothing of its tags could be of any age.
        pond.set("count:4", &44, ttl::SHORT).await.unwrap();
        assert_eq!(count(4).await, Ok(Some(4)));
    })
    .await;
}

async fn sealed_values_and_arguments_outside_of_the_key(pond: &Millpond) {
    pond.scope(async {
        let text = secret(1, "ada").await;
        assert_eq!(secret(1, "ada").await, text);
        assert_eq!(loads(pond, "secret"), 1);
        let entry = secret::entry(1, "ada");
        assert_eq!(entry.get().await.unwrap(), Lookup::Hit(text));
        Tag::new("owner:ada").invalidate().await.unwrap();
        secret(1, "ada").await;
        assert_eq!(loads(pond, "secret"), 2);
        refresh(secret(1, "ada")).await;
        uncached(secret(1, "ada")).await;
        secret(1, "ada").await;
        assert_eq!(loads(pond, "secret"), 3);
        secret::invalidate(1, "ada").await.unwrap();
        secret(1, "ada").await;
        assert_eq!(loads(pond, "secret"), 4);
    })
    .await;
}

async fn a_load_under_way_is_not_stored(pond: &Millpond) {
    let (source, mut bodies) = source();
    let call = || {
        let source = source.clone();
        pond.spawn(async move { posts(9, 1, &source).await })
    };
    let first = call();
    let body = within_a_minute(bodies.next()).await;
    let early = call();
    settle().await;
    pond.scope(org::invalidate_now(9)).await;
    let late = call();
    settle().await;
    body.answer("old");
    bodies.answer_all("new");
    assert_eq!(first.await.unwrap(), "old");
    assert_eq!(late.await.unwrap(), "new");
    let early = early.await.unwrap();
    assert!(early == "old" || early == "new");
    let entry = async { posts::entry(9, 1).get().await };
    assert_eq!(
        pond.scope(entry).await.unwrap(),
        Lookup::Hit("new".to_owned())
    );
}

impl org {
    async fn invalidate_now(id: u32) {
        Self::invalidate(id).await.unwrap();
    }
}

async fn an_evicted_tag_costs_a_miss(pond: &Millpond) {
    pond.scope(async {
        count(6).await.unwrap();
        pond.command(["DEL", "@tag:org:6"]).await.unwrap();
        count(6).await.unwrap();
        count(6).await.unwrap();
        assert_eq!(loads(pond, "count"), 2);
        let left = pond.command(["PTTL", "@tag:org:6"]).await.unwrap();
        let left: u64 = left.parse().unwrap();
        assert!(left >= 240_000, "{left}");
        // Asked for later, so that the time in between counts for the tag.
        let of_value = pond.command(["PTTL", "count:6"]).await.unwrap();
        let of_value: u64 = of_value.parse().unwrap();
        assert!(left >= of_value, "as long as the value: {left}, {of_value}");
    })
    .await;
}

async fn an_empty_tag_is_an_error(pond: &Millpond) {
    #[cached(prefix = "named", key = "<id>", skip(name), tags("<name>"))]
    async fn named(id: u32, name: &str) -> u32 {
        let _ = name;
        id
    }
    pond.scope(async {
        for _ in 0..2 {
            assert_eq!(named(1, "").await, 1);
        }
        let error = named::entry(1, "").put(&1).await.unwrap_err();
        assert!(error.to_string().contains("empty"), "{error}");
        assert_eq!(pond.stats().prefix("named").bypassed, 2);
        Tag::new("").invalidate().await.unwrap_err();
        pond.set("@tag:org:1", &1, ttl::SHORT).await.unwrap_err();
    })
    .await;
}

async fn tags_are_named_as_their_templates_say(_pond: &Millpond) {
    assert_eq!(org(7).as_str(), "org:7");
    assert_eq!(team("a:b", None).as_str(), "team:a%3Ab:%-");
    assert_eq!(team("a", Some(1)).to_string(), "team:a:1");
    assert_eq!(
        format!("{:?}", team("secret", None)),
        "Tag { prefix: \"team\", .. }"
    );
}

on_every_engine! {
    an_invalidated_tag_makes_its_entries_misses_and_no_others
    all_entries_of_a_function_go_at_once
    what_was_put_is_a_hit_until_a_tag_moves
    an_update_with_its_own_tag_takes_the_others_along
    reads_by_hand_know_the_tags_too
    sealed_values_and_arguments_outside_of_the_key
    a_load_under_way_is_not_stored
    an_evicted_tag_costs_a_miss
    an_empty_tag_is_an_error
    tags_are_named_as_their_templates_say
}

/// A body runs here, a tag is invalidated there, another caller comes here, the body returns.
async fn a_tag_moves_during_a_load(here: &Millpond, there: &Millpond) {
    for (page, evicted) in [(1, false), (2, true)] {
        let (source, mut bodies) = source();
        let call = || {
            let source = source.clone();
            here.spawn(async move { posts(9, page, &source).await })
        };
        let first = call();
        let old = within_a_minute(bodies.next()).await;
        there.invalidate_tag(org(9)).await.unwrap();
        if evicted {
            // An absent tag is not the absent tag of before.
            there.command(["DEL", "@tag:org:9"]).await.unwrap();
        }
        let late = call();
        settle().await;
        old.answer("old");
        bodies.answer_all("new");
        assert_eq!(within_a_minute(first).await.unwrap(), "old");
        assert_eq!(within_a_minute(late).await.unwrap(), "new", "{page}");
        for pond in [here, there] {
            let read = async { posts(9, page, &source).await };
            assert_eq!(pond.scope(read).await, "new", "{page}");
        }
    }
}

#[tokio::test]
async fn a_tag_that_moves_in_another_process_keeps_a_load_from_being_stored() {
    let gateway = gateway(needs_redis!()).await;
    let (here, there) = (support::pond(&gateway), support::pond(&gateway));
    a_tag_moves_during_a_load(&here, &there).await;
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn a_tag_that_moves_in_another_process_keeps_a_load_from_being_stored_over_resp() {
    let database = needs_redis!().database();
    let pond = || {
        let pond = Millpond::builder().redis(database.url());
        pond.budget(support::LONG).build().unwrap()
    };
    a_tag_moves_during_a_load(&pond(), &pond()).await;
}

/// Makes the server know the scripts.
async fn warm(pond: &Millpond) {
    let known = async {
        count(70).await.unwrap();
        count::entry(71).put(&None).await.unwrap();
        set_count(70, 1).await;
    };
    pond.scope(known).await;
}

#[tokio::test]
async fn a_tag_that_moves_between_the_body_and_the_fill_keeps_it_from_being_stored() {
    let gateway = gateway(needs_redis!()).await;
    let (here, there) = (support::pond(&gateway), support::pond(&gateway));
    warm(&here).await;
    let (source, mut bodies) = source();
    let call = || {
        let source = source.clone();
        here.spawn(async move { posts(1, 1, &source).await })
    };
    let fill = gateway.hold_before(Matcher::command("EVALSHA"));
    let first = call();
    bodies.next().await.answer("old");
    fill.arrived().await;
    there.invalidate_tag(org(1)).await.unwrap();
    let late = call();
    settle().await;
    fill.release();
    bodies.answer_all("new");
    assert_eq!(within_a_minute(first).await.unwrap(), "old");
    assert_eq!(within_a_minute(late).await.unwrap(), "new");
    assert_eq!(here.stats().prefix("posts").refused, 1);
}

#[tokio::test]
async fn a_hit_from_before_is_given_to_nobody_who_comes_after() {
    let gateway = gateway(needs_redis!()).await;
    let (here, there) = (support::pond(&gateway), support::pond(&gateway));
    let (source, mut bodies) = source();
    let call = || {
        let source = source.clone();
        here.spawn(async move { posts(1, 1, &source).await })
    };
    let first = call();
    bodies.next().await.answer("old");
    first.await.unwrap();
    let hit = gateway.hold("MGET");
    let first = call();
    hit.arrived().await;
    there.invalidate_tag(org(1)).await.unwrap();
    let late: Vec<_> = (0..10).map(|_| call()).collect();
    settle().await;
    hit.release();
    bodies.answer_all("new");
    assert_eq!(within_a_minute(first).await.unwrap(), "old");
    for late in late {
        assert_eq!(within_a_minute(late).await.unwrap(), "new");
    }
}

#[tokio::test]
async fn a_put_whose_tag_moves_meanwhile_is_a_miss() {
    let gateway = gateway(needs_redis!()).await;
    let (here, there) = (support::pond(&gateway), support::pond(&gateway));
    warm(&here).await;
    // The first makes the tags, the second stores.
    let put = gateway.hold_before(Matcher::command("EVALSHA").after(1));
    let writer = here.spawn(async { count::entry(1).put(&Some(10)).await });
    put.arrived().await;
    there.invalidate_tag(org(1)).await.unwrap();
    put.release();
    within_a_minute(writer).await.unwrap().unwrap();
    assert_eq!(there.scope(count(1)).await, Ok(Some(1)));
}

#[tokio::test]
async fn an_update_does_not_hide_an_invalidation_of_its_own_tag() {
    let gateway = gateway(needs_redis!()).await;
    let (here, there) = (support::pond(&gateway), support::pond(&gateway));
    warm(&here).await;
    there.scope(count(1)).await.unwrap();
    let update = gateway.hold_before(Matcher::command("EVALSHA"));
    let writer = here.spawn(set_count(1, 10));
    update.arrived().await;
    there.invalidate_tag(org(1)).await.unwrap();
    update.release();
    within_a_minute(writer).await.unwrap();
    assert_eq!(there.scope(count(1)).await, Ok(Some(1)));
    // And without anybody in between it is one script, and a hit.
    gateway.clear();
    here.scope(rename_and_set_count(1, 11)).await;
    let commands = gateway.commands().len();
    assert_eq!(commands, 4, "the entry that goes takes two");
    gateway.clear();
    here.scope(set_count_and_rename(1, 11)).await;
    let names: Vec<String> = gateway
        .commands()
        .into_iter()
        .map(|mut it| it.swap_remove(0))
        .collect();
    assert_eq!(names, ["MGET", "EVALSHA"]);
    assert_eq!(there.scope(count(1)).await, Ok(Some(11)));
}

#[tokio::test]
async fn a_tag_that_cannot_be_made_costs_a_miss() {
    let gateway = gateway(needs_redis!()).await;
    let pond = support::pond(&gateway);
    gateway.inject(Matcher::command("SET"), Fault::status(400));
    assert_eq!(pond.scope(count(1)).await, Ok(Some(1)));
    assert_eq!(pond.stats().prefix("count").stores, 0);
    assert_eq!(pond.scope(count(1)).await, Ok(Some(1)));
    assert_eq!(pond.scope(count(1)).await, Ok(Some(1)));
    assert_eq!(pond.stats().prefix("count").loads, 2);
}

#[tokio::test]
async fn an_invalidation_of_a_tag_that_is_not_delivered_is_in_front_of_the_next_read() {
    let gateway = gateway(needs_redis!()).await;
    let pond = support::builder(&gateway).retries(0).build().unwrap();
    pond.scope(count(1)).await.unwrap();
    gateway.inject(Matcher::command("SET").times(2), Fault::ResetBefore);
    let failed = pond.invalidate_tag(org(1)).await;
    assert!(failed.is_err());
    assert_eq!(pond.scope(count(1)).await, Ok(Some(1)));
    assert_eq!(pond.stats().prefix("count").loads, 2);
    within_a_minute(pond.flush()).await.unwrap();
    let there = support::pond(&gateway);
    there.scope(count(1)).await.unwrap();
    there.scope(count(1)).await.unwrap();
    assert!(there.stats().prefix("count").loads <= 1);
}

#[invalidates(org(id))]
async fn never(id: u32) {
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_mutation_that_is_dropped_moves_the_tag_nevertheless() {
    let gateway = gateway(needs_redis!()).await;
    let pond = support::pond(&gateway);
    pond.scope(async {
        count(1).await.unwrap();
        let dropped = tokio::time::timeout(Duration::ZERO, never(1)).await;
        assert!(dropped.is_err());
        count(1).await.unwrap();
    })
    .await;
    assert_eq!(loads(&pond, "count"), 2);
}

/// The words that tags got, in the order in which they were sent.
fn words(commands: Vec<Vec<String>>) -> Vec<String> {
    let sets = commands.into_iter().filter(|command| {
        command[0] == "SET"
            && command[1].starts_with("@tag:")
            && !command.contains(&"NX".to_owned())
    });
    sets.map(|mut command| command.swap_remove(2)).collect()
}

#[tokio::test]
async fn a_word_that_may_have_arrived_is_never_sent_again() {
    let gateway = gateway(needs_redis!()).await;
    let pond = support::pond(&gateway);
    within_a_minute(pond.scope(async {
        count(7).await.unwrap();
        gateway.clear();
        // The first one is set, but nobody hears of it: values may be stored under its word before the next arrives.
        gateway.inject(Matcher::command("SET").times(2), Fault::ResetAfter);
        org::invalidate(7).await.unwrap();
        let sent = words(gateway.commands());
        assert!(sent.len() >= 2, "{sent:?}");
        for (at, word) in sent.iter().enumerate() {
            assert!(!sent[..at].contains(word), "{sent:?}");
        }
        // The script of an update moves tags too, even where it stores nothing.
        count(7).await.unwrap();
        gateway.clear();
        gateway.inject(Matcher::command("EVALSHA").always(), Fault::ResetAfter);
        recount(7).await.unwrap();
        gateway.heal();
        let commands = gateway.commands();
        let updates = commands.iter().filter(|it| it[0].starts_with("EVAL"));
        let moves = updates.filter(|it| it.iter().any(|word| word == "@tag:org:7"));
        assert_eq!(moves.count(), 1, "{commands:?}");
        assert_eq!(words(commands).len(), 1);
    }))
    .await;
}

/// The same number, stored anew, and a change to the organisation.
#[updates(count(id), org(id))]
async fn recount(id: u32) -> Result<Option<u32>, std::fmt::Error> {
    Ok(Some(id))
}
