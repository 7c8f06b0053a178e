//! Tags that the value names itself. On every engine, and with loads under way here and in another process.

#![cfg(feature = "upstash")]

mod support;

use millpond::{Lookup, Millpond, Tag, cached, refresh, ttl, updates};
use millpond_gateway::needs_redis;
use serde::{Deserialize, Serialize};
use support::source::{Source, source};
use support::{gateway, on_every_engine, settle, within_a_minute};

#[millpond::tag("~author:<id>")]
fn author(id: u32) -> Tag;

#[millpond::tag("site:<id>")]
fn site(id: u32) -> Tag;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Post {
    text: String,
    authors: Vec<u32>,
}

impl Post {
    fn new(text: &str, authors: &[u32]) -> Self {
        Self {
            text: text.to_owned(),
            authors: authors.to_vec(),
        }
    }

    fn tags(&self) -> Vec<Tag> {
        self.authors.iter().copied().map(author).collect()
    }
}

#[cached(
    prefix = "post",
    key = "<id>",
    tags(site(1)),
    tags_of = Post::tags,
    skip(source)
)]
async fn post(id: u32, source: &Source<Post>) -> Post {
    source.answer().await
}

/// Sealed, fallible, and with nothing that is known before.
#[cached(
    prefix = "draft",
    key = "<id>",
    compress,
    tags_of = |post: &Option<Post>| post.as_ref().map_or_else(Vec::new, Post::tags)
)]
async fn draft(id: u32) -> Result<Option<Post>, std::fmt::Error> {
    match id {
        0 => Ok(None),
        id => Ok(Some(Post::new(&"abc ".repeat(1_000), &[id, 100]))),
    }
}

#[updates(draft(id))]
async fn save_draft(id: u32, by: u32) -> Post {
    let _ = id;
    Post::new("saved", &[by])
}

#[updates(draft(id), author(by))]
async fn save_and_tell(id: u32, by: u32) -> Post {
    let _ = id;
    Post::new("told", &[by])
}

fn loads(pond: &Millpond, prefix: &str) -> u64 {
    pond.stats().prefix(prefix).loads
}

async fn a_tag_of_the_value_makes_its_entries_misses_and_no_others(pond: &Millpond) {
    pond.scope(async {
        for _ in ["load", "hit"] {
            for id in 0..3 {
                draft(id).await.unwrap();
            }
        }
        assert_eq!(loads(pond, "draft"), 3);
        author::invalidate(1).await.unwrap();
        assert_eq!(draft::entry(1).get().await.unwrap(), Lookup::Miss);
        assert_eq!(pond.get::<Post>("draft:1").await.unwrap(), None);
        assert!(pond.get::<Post>("draft:2").await.unwrap().is_some());
        for id in 0..3 {
            draft(id).await.unwrap();
            draft(id).await.unwrap();
        }
        assert_eq!(loads(pond, "draft"), 4);
        author::invalidate(100).await.unwrap();
        for id in 0..3 {
            draft(id).await.unwrap();
        }
        assert_eq!(loads(pond, "draft"), 6);
        author::invalidate(7).await.unwrap();
        assert_eq!(draft::entry(0).get().await.unwrap(), Lookup::Null);
        refresh(draft(1)).await.unwrap();
        draft(1).await.unwrap();
        assert_eq!(loads(pond, "draft"), 7);
        pond.command(["DEL", "@tag:~author:1"]).await.unwrap();
        draft(1).await.unwrap();
        draft(1).await.unwrap();
        assert_eq!(loads(pond, "draft"), 8, "an evicted tag costs a miss");
        pond.command(["DEL", "@tag:~"]).await.unwrap();
        draft(1).await.unwrap();
        assert_eq!(loads(pond, "draft"), 8, "a hit does not ask for the family");
    })
    .await;
}

async fn what_was_put_or_updated_has_the_tags_of_its_value(pond: &Millpond) {
    pond.scope(async {
        let entry = draft::entry(5);
        let put = Some(Post::new("put", &[55]));
        entry.put(&put).await.unwrap();
        assert_eq!(draft(5).await, Ok(put.clone()));
        author::invalidate(5).await.unwrap();
        assert_eq!(entry.get().await.unwrap(), Lookup::Hit(put));
        author::invalidate(55).await.unwrap();
        assert_eq!(entry.get().await.unwrap(), Lookup::Miss);
        save_draft(5, 56).await;
        assert_eq!(draft(5).await.unwrap().unwrap().text, "saved");
        author::invalidate(56).await.unwrap();
        assert_eq!(entry.get().await.unwrap(), Lookup::Miss);
        save_and_tell(5, 57).await;
        let found = draft(5).await.unwrap().unwrap().text;
        assert!(
            found.starts_with("abc"),
            "its own tag moved after it: {found}"
        );
        // A value that tells nothing of its tags could be of any age; one that has none is what it is.
        pond.set("draft:5", &Post::new("by hand", &[5]), ttl::SHORT)
            .await
            .unwrap();
        assert!(draft(5).await.unwrap().unwrap().text.starts_with("abc"));
        pond.set("draft:5", &Post::new("of nobody", &[]), ttl::SHORT)
            .await
            .unwrap();
        assert_eq!(draft(5).await.unwrap().unwrap().text, "of nobody");
    })
    .await;
}

async fn a_load_that_an_invalidation_overtakes_is_not_stored(pond: &Millpond) {
    let (source, mut bodies) = source();
    let call = |id: u32| {
        let source = source.clone();
        pond.spawn(async move { post(id, &source).await })
    };
    // Nothing is known of its tags; then a value is there that names them; then they were learned.
    for id in [1, 1, 2, 2] {
        let first = call(id);
        let body = within_a_minute(bodies.next()).await;
        pond.invalidate_tag(author(7)).await.unwrap();
        body.answer(Post::new("old", &[7]));
        assert_eq!(first.await.unwrap().text, "old");
        let entry = pond.scope(async { post::entry(id).get().await });
        assert_eq!(entry.await.unwrap(), Lookup::Miss, "key {id}");
        if id == 2 {
            continue;
        }
        let second = call(id);
        within_a_minute(bodies.next())
            .await
            .answer(Post::new("new", &[7]));
        assert_eq!(second.await.unwrap().text, "new");
        assert_eq!(call(id).await.unwrap().text, "new");
        pond.invalidate_tag(author(7)).await.unwrap();
    }
    assert_eq!(pond.stats().prefix("post").refused, 4);
}

async fn a_busy_family_keeps_no_value_from_being_stored(pond: &Millpond) {
    let (source, mut bodies) = source();
    for round in 0..2 {
        let call = {
            let source = source.clone();
            pond.spawn(async move { post(3, &source).await })
        };
        let body = within_a_minute(bodies.next()).await;
        pond.invalidate_tag(author(1_000 + round)).await.unwrap();
        body.answer(Post::new("text", &[3]));
        call.await.unwrap();
    }
    let entry = pond.scope(async { post::entry(3).get().await });
    assert_eq!(
        entry.await.unwrap(),
        Lookup::Hit(Post::new("text", &[3])),
        "the second load knew the tags of the first"
    );
    assert_eq!(pond.stats().prefix("post").refused, 1);
}

async fn tags_that_cannot_be_used_keep_the_value_from_being_stored(pond: &Millpond) {
    #[cached(prefix = "loose", key = "<id>", tags_of = |id: &u32| vec![site(*id)])]
    async fn loose(id: u32) -> u32 {
        id
    }
    #[cached(prefix = "many", key = "<id>", tags_of = |id: &u32| (0..*id).map(author))]
    async fn many(id: u32) -> u32 {
        id
    }
    pond.scope(async {
        for _ in 0..2 {
            assert_eq!(loose(1).await, 1);
            assert_eq!(many(17).await, 17);
            assert_eq!(many(16).await, 16);
        }
        assert_eq!((loads(pond, "loose"), loads(pond, "many")), (2, 3));
        let error = loose::entry(1).put(&1).await.unwrap_err();
        assert!(error.to_string().contains("begin with `~`"), "{error}");
        let error = many::entry(1).put(&17).await.unwrap_err();
        assert!(error.to_string().contains("16"), "{error}");
    })
    .await;
}

on_every_engine! {
    a_tag_of_the_value_makes_its_entries_misses_and_no_others
    what_was_put_or_updated_has_the_tags_of_its_value
    a_load_that_an_invalidation_overtakes_is_not_stored
    a_busy_family_keeps_no_value_from_being_stored
    tags_that_cannot_be_used_keep_the_value_from_being_stored
}

#[tokio::test]
async fn another_process_invalidates_during_a_load() {
    let gateway = gateway(needs_redis!()).await;
    let (pond, other) = (support::pond(&gateway), support::pond(&gateway));
    let (source, mut bodies) = source();
    within_a_minute(async {
        let call = {
            let source = source.clone();
            pond.spawn(async move { post(4, &source).await })
        };
        let body = bodies.next().await;
        other.invalidate_tag(author(9)).await.unwrap();
        // It cannot be counted on to stay.
        gateway
            .database()
            .command(["DEL", "@tag:~author:9"])
            .await
            .unwrap();
        body.answer(Post::new("old", &[9]));
        call.await.unwrap();
        settle().await;
        let entry = async { post::entry(4).get().await };
        assert_eq!(pond.scope(entry).await.unwrap(), Lookup::Miss);
    })
    .await;
}
