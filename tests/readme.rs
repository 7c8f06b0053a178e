//! The Rust of the README: it stands here, compiles and runs, and a test holds the two together.

mod support;

use millpond::Millpond;

mod quick_start {
    include!("readme/quick_start.rs");

    #[test]
    fn runs() {
        super::support::program::alone("quick_start::runs", main);
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
mod cached {
    use millpond::cached;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    pub(crate) struct Report(String);

    #[derive(Debug)]
    pub(crate) struct DbError;

    struct User {
        id: u64,
    }

    struct Db;

    impl Db {
        #[expect(clippy::unused_async, reason = "it stands for a call over the network")]
        async fn report(&self, id: u64, month: Option<u8>) -> Result<Report, DbError> {
            Ok(Report(format!("{id} {month:?}")))
        }
    }

    #[rustfmt::skip]
    #[cached(prefix = "report", ttl = "long", key = "<user.id>:<month?>", skip(db), encrypt)]
    async fn report(db: &Db, user: &User, month: Option<u8>) -> Result<Report, DbError> {
        db.report(user.id, month).await
    }

    pub(crate) async fn run() {
        let first = report(&Db, &User { id: 7 }, Some(2)).await.unwrap();
        assert_eq!(report(&Db, &User { id: 7 }, Some(2)).await.unwrap(), first);
        assert_eq!(millpond::current().stats().cache.hits, 1);
    }
}

mod in_this_process {
    use millpond::cached;
    use std::sync::Arc;

    /// Not `Serialize`.
    struct Prices(String);

    impl Prices {
        fn read(country: &str) -> Self {
            Self(country.to_owned())
        }
    }

    #[cached(local = "only", ttl = "1h", key = "<country>")]
    fn prices(country: &str) -> Arc<Prices> {
        Arc::new(Prices::read(country))
    }

    pub(crate) fn run() {
        let first = prices("fr");
        assert_eq!(first.0, "fr");
        assert!(Arc::ptr_eq(&first, &prices("fr")));
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
    #[invalidates(get_posts(output.author))] // computed from the returned value
    #[updates(get_post(id))] // stores the returned value
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

    const EXPORT: Limit = Limit::fixed_window("EXPORT", 2, Duration::from_secs(60 * 60));

    #[rate_limited(kind = "GENERATION", id = user_id, cost = prompts.len())]
    async fn generate(user_id: u64, prompts: Vec<String>) -> Result<Vec<Image>, ApiError> {
        model::run(user_id, prompts).await
    }

    #[rustfmt::skip]
    #[rate_limited(kind = EXPORT, id = user_id, on_outage = "deny")]
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
        let sessions = pond.sessions::<Session>(ttl::EXTENDED).hashed().sliding();
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
    pond.scope(async { in_this_process::run() }).await;
    pond.scope(mutations::run()).await;
    pond.scope(limited::run()).await;
    pond.scope(by_hand::run()).await.unwrap();
    tested::run().await.unwrap();
    #[cfg(feature = "upstash")]
    configured::run().unwrap();
    #[cfg(feature = "encrypt")]
    {
        let key = "0b".repeat(32);
        let pond = Millpond::builder().encryption_key("2026-11", &key);
        pond.build().unwrap().scope(cached::run()).await;
    }
}

#[test]
fn every_line_of_rust_in_the_readme_stands_in_this_file() {
    let squeeze = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let here = [
        include_str!("readme.rs"),
        include_str!("readme/quick_start.rs"),
    ];
    let here: Vec<String> = here.concat().lines().map(squeeze).collect();
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

#[test]
fn the_first_example_of_the_readme_is_a_whole_program() {
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once("```rust\n").unwrap();
    let (first, _) = rest.split_once("```").unwrap();
    assert_eq!(first, include_str!("readme/quick_start.rs"));
}

#[test]
fn the_readme_says_the_oldest_compiler_that_the_manifest_says() {
    let manifest = include_str!("../Cargo.toml");
    let (_, rest) = manifest.split_once("rust-version = \"").unwrap();
    let (version, _) = rest.split_once('"').unwrap();
    let readme = include_str!("../README.md");
    assert!(readme.contains(&format!(
        "![MSRV {version}](https://img.shields.io/badge/MSRV-{version}-blue)"
    )));
}

/// The README is shown where there is no repository: on crates.io, and in the package.
#[test]
fn the_readme_links_to_no_file() {
    let readme = include_str!("../README.md");
    let targets = readme
        .split("](")
        .skip(1)
        .map(|rest| rest.split(')').next().unwrap());
    let files: Vec<&str> = targets.filter(|it| !it.starts_with("https://")).collect();
    assert!(files.is_empty(), "{files:?}");
}
