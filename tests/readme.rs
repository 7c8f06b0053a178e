//! The Rust of the README: it stands here, compiles and runs, and a test holds the two together.

use millpond::Millpond;

mod first {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    pub(crate) struct User(String);
    #[derive(Debug)]
    pub(crate) struct DbError;

    #[expect(clippy::unused_async, reason = "it stands for a call over the network")]
    mod db {
        use super::{DbError, User};
        pub(crate) async fn find(id: u64) -> Result<Option<User>, DbError> {
            Ok(Some(User(id.to_string())))
        }
        pub(crate) async fn rename(_: u64, _: &str) -> Result<(), DbError> {
            Ok(())
        }
    }

    use millpond::{cached, invalidates};

    #[rustfmt::skip]
    #[cached(prefix = "user", ttl = "medium", key = "<user_id>")]
    async fn get_user(user_id: u64) -> Result<Option<User>, DbError> { db::find(user_id).await }

    #[rustfmt::skip]
    #[invalidates(get_user(user_id))]
    async fn rename_user(user_id: u64, name: &str) -> Result<(), DbError> { db::rename(user_id, name).await }

    pub(crate) async fn run() -> Result<(), millpond::Error> {
        let user_id = 1;
        assert_eq!(get_user(user_id).await.unwrap(), Some(User("1".into())));
        rename_user(user_id, "Ada").await.unwrap();
        invalidate_user!(user_id).await?; // or get_user::invalidate(user_id).await?
        Ok(())
    }
}

mod configured {
    use millpond::Millpond;
    use std::time::Duration;

    pub(crate) fn run() -> Result<(), millpond::Error> {
        let pond = Millpond::builder()
            .upstash("https://example-12345.upstash.io", "token")
            .namespace("staging")
            .budget(Duration::from_millis(200))
            .build()?;
        millpond::install(pond)?; // the cache of this process, once, at start-up
        Ok(())
    }
}

#[cfg(feature = "encrypt")]
mod keys {
    use millpond::Millpond;

    #[rustfmt::skip]
    pub(crate) fn run(new_key: &str, old_key: &str) -> Result<Millpond, millpond::Error> {
        let pond = Millpond::builder()
            .encryption_key("2026-11", new_key) // encrypts, and opens
            .decryption_key("2026-01", old_key) // still opens what it encrypted
            .build()?;
        Ok(pond)
    }
}

mod mutations {
    use millpond::{cached, invalidates, updates};
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub(crate) struct Post {
        id: u64,
        author: u64,
        text: String,
    }

    #[cached(prefix = "post", key = "<id>")]
    async fn get_post(id: u64) -> Option<Post> {
        let _ = id;
        None
    }

    #[cached(prefix = "posts", key = "<author>")]
    async fn get_posts(author: u64) -> Vec<u64> {
        vec![author]
    }

    #[rustfmt::skip]
    #[invalidates(get_posts(output.author))] // worked out from what was returned
    #[updates(get_post(id))] // stores what was returned
    async fn edit_post(id: u64, text: String) -> Result<Post, std::io::Error> {
        Ok(Post { id, author: 7, text })
    }

    pub(crate) async fn run() {
        get_posts(7).await;
        assert_eq!(get_post(1).await, None);
        let post = edit_post(1, "new".into()).await.unwrap();
        assert_eq!(get_post(1).await, Some(post));
        assert!(!get_posts::entry(7).exists().await.unwrap());
    }
}

mod limited {
    use millpond::{Limit, RateLimited, rate_limited};
    use std::time::Duration;

    #[derive(Debug)]
    pub(crate) struct ApiError;

    impl From<RateLimited> for ApiError {
        fn from(_: RateLimited) -> Self {
            Self
        }
    }

    pub(crate) struct Image;

    #[expect(clippy::unused_async, reason = "it stands for a call over the network")]
    mod model {
        use super::{ApiError, Image};
        pub(crate) async fn run(_: u64, prompts: Vec<String>) -> Result<Vec<Image>, ApiError> {
            Ok(prompts.into_iter().map(|_| Image).collect())
        }
    }

    #[expect(clippy::unused_async, reason = "it stands for a call over the network")]
    mod db {
        use super::ApiError;
        pub(crate) async fn export(user_id: u64) -> Result<String, ApiError> {
            Ok(format!("all of {user_id}"))
        }
    }

    const EXPORT: Limit = Limit::fixed_window("EXPORT", 2, Duration::from_secs(3_600));

    #[rate_limited(kind = "GENERATION", id = user_id, cost = prompts.len())]
    async fn generate(user_id: u64, prompts: Vec<String>) -> Result<Vec<Image>, ApiError> {
        model::run(user_id, prompts).await
    }

    #[rustfmt::skip]
    #[rate_limited(kind = EXPORT, id = user_id, on_outage = "deny")]
    #[rate_limited(limit = 100, per = "1m")] // everyone together; it stands nearest, so it is asked first
    async fn export(user_id: u64) -> Result<String, ApiError> {
        db::export(user_id).await
    }

    pub(crate) async fn run() {
        let prompts = |count| vec![String::new(); count];
        assert_eq!(generate(1, prompts(8)).await.unwrap().len(), 8);
        assert!(generate(1, prompts(3)).await.is_err());
        assert!(export(1).await.is_ok());
        assert!(export(1).await.is_ok());
        assert!(export(1).await.is_err());
    }
}

mod by_hand {
    use millpond::ttl;
    use serde::{Deserialize, Serialize};
    use std::time::Duration;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Session {
        user: u64,
    }

    #[rustfmt::skip]
    pub(crate) async fn run() -> Result<(), millpond::Error> {
        let pond = millpond::current();
        let views = pond.increment("views:home", 1, ttl::WEEK).await?; // expires a week after the first view
        pond.hash("user:7:prefs").set("theme", "dark").await?; // one field of many
        let users: Vec<Option<String>> = pond.get_many(["user:7", "user:8"]).await?; // one command

        let guard = pond.lock("lock:report", Duration::from_secs(30)).await?; // extended while held, released on drop
        let sessions = pond.sessions::<Session>(ttl::EXTENDED).sliding();
        let id = sessions.create(&Session { user: 7 }).await?; // 192 random bits, in no log

        let both = pond.transaction().command(["INCR", "a"]).command(["GET", "a"]).send().await?;
        println!("{}", pond.explain("user:7").await?); // why it is found, or missed

        assert_eq!((views, users, both.len()), (1, vec![None, None], 2));
        assert!(guard.is_held());
        assert_eq!(sessions.get(&id).await?, Some(Session { user: 7 }));
        Ok(())
    }
}

mod tested {
    use millpond::{ManualClock, Millpond, cached};
    use std::time::Duration;

    #[rustfmt::skip]
    #[cached(prefix = "rate", ttl = "1m")]
    async fn rate(currency: &str) -> Option<usize> { Some(currency.len()) }

    pub(crate) async fn run() -> Result<(), millpond::Error> {
        let clock = ManualClock::new();
        let pond = Millpond::builder().memory().clock(clock.clone()).build()?;
        pond.scope(async {
            rate("EUR").await;
            rate("EUR").await;
            assert_eq!(pond.stats().cache.loads, 1);
            clock.advance(Duration::from_secs(61));
            rate("EUR").await;
            assert_eq!(pond.stats().cache.loads, 2);
        })
        .await;
        Ok(())
    }
}

#[tokio::test]
async fn the_examples_of_the_readme_run() {
    let pond = Millpond::memory();
    pond.scope(first::run()).await.unwrap();
    pond.scope(mutations::run()).await;
    pond.scope(limited::run()).await;
    pond.scope(by_hand::run()).await.unwrap();
    tested::run().await.unwrap();
    #[cfg(feature = "upstash")]
    configured::run().unwrap();
    #[cfg(feature = "encrypt")]
    keys::run(&"0b".repeat(32), &"0c".repeat(32)).unwrap();
}

#[test]
fn every_line_of_rust_in_the_readme_stands_in_this_file() {
    let squeeze = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let here: Vec<String> = include_str!("readme.rs").lines().map(squeeze).collect();
    let mut in_rust = false;
    let mut checked = 0;
    for line in include_str!("../README.md").lines() {
        if line.starts_with("```") {
            in_rust = line == "```rust";
        } else if in_rust && !line.trim().is_empty() {
            assert!(
                here.contains(&squeeze(line)),
                "not in tests/readme.rs: {line}"
            );
            checked += 1;
        }
    }
    assert!(checked > 30, "only {checked} lines of Rust were found");
}
