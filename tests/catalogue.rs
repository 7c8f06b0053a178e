//! What `millpond::catalogue()` says of this binary: the attributes of this file, and those of the library's tests.
#![cfg(feature = "catalogue")]

mod support;

use millpond::catalogue::{Certainty, Effect};
use millpond::limit::Limit;
use millpond::{Millpond, RateLimited, Tag, cached, catalogue, invalidates, rate_limited, updates};
use std::time::Duration;
use support::log::Log;

const EXPORT: Limit = Limit::fixed_window("EXPORT", 2, Duration::from_secs(60 * 60));

#[millpond::tag("org:<org_id>")]
fn org(org_id: u64) -> Tag;

#[cached(
    prefix = "article",
    ttl = "90s",
    key = "<org_id>:<id>",
    tags(org(org_id)),
    version = 3,
    null_ttl = "10s",
    compress,
    all
)]
async fn article(org_id: u64, id: u64) -> Result<Option<String>, std::fmt::Error> {
    Ok(Some(format!("{org_id} {id}")))
}

#[cached(prefix = "digest", ttl = "1500ms", key = "<id>", tags("org:<id>"))]
async fn digest(id: u64) -> String {
    id.to_string()
}

#[cached(prefix = "nobody_ends_it")]
async fn timetable() -> Vec<String> {
    Vec::new()
}

#[cached(batch = ids, of = digest(ids))]
async fn digests(ids: &[u64]) -> Vec<(u64, String)> {
    ids.iter().map(|id| (*id, id.to_string())).collect()
}

#[updates(article(org_id, id))]
#[invalidates(org(org_id))]
async fn edit(org_id: u64, id: u64) -> Result<Option<String>, std::fmt::Error> {
    Ok(Some(format!("{org_id} {id}")))
}

#[invalidates(article(..))]
async fn relaunch() {}

#[invalidates(article(output.0, output.1))]
async fn publish() -> (u64, u64) {
    (1, 2)
}

#[rate_limited(kind = EXPORT, id = user, on_outage = "deny")]
#[rate_limited(kind = "API")]
async fn export(user: u64) -> Result<u64, RateLimited> {
    Ok(user)
}

#[rate_limited(limit = plan(user), id = user)]
async fn print(user: u64) -> Result<u64, RateLimited> {
    Ok(user)
}

fn plan(user: u64) -> Limit {
    if user == 7 {
        EXPORT
    } else {
        millpond::limit::API
    }
}

mod one {
    pub(crate) struct Users;

    impl Users {
        #[millpond::cached(prefix = "one_user", key = "<id>", skip(self))]
        pub(crate) async fn user(&self, id: u64) -> u64 {
            id
        }
    }
}

mod two {
    pub(crate) struct Users;

    impl Users {
        #[millpond::cached(prefix = "two_user", key = "<id>", skip(self))]
        pub(crate) async fn user(&self, id: u64) -> u64 {
            id
        }

        #[millpond::invalidates(self.user(id))]
        pub(crate) async fn rename(&self, id: u64) {}
    }
}

#[invalidates(users.user(id))]
async fn rename(users: &one::Users, id: u64) {}

mod collisions {
    use millpond::cached;

    #[cached(prefix = "colliding", key = "<id>")]
    pub(crate) async fn number(id: u64) -> u64 {
        id
    }

    #[cached(prefix = "colliding", key = "<name>")]
    pub(crate) async fn text(name: &str) -> String {
        name.to_owned()
    }

    #[cached(prefix = "colliding", key = "all")]
    pub(crate) async fn all() -> u64 {
        1
    }

    #[cached(prefix = "colliding", key = "<n>", version = 2)]
    pub(crate) async fn other_version(n: u64) -> u64 {
        n
    }

    #[cached(prefix = "meant", key = "<id>")]
    pub(crate) async fn first(id: u64) -> u64 {
        id
    }

    #[cached(prefix = "meant", key = "<id>", shares = first)]
    pub(crate) async fn second(id: u64) -> u64 {
        id
    }
}

#[test]
fn a_function_is_described_with_everything_that_its_attribute_says() {
    let catalogue = catalogue();
    let article = catalogue.function("article").unwrap();
    assert_eq!(article.name, "catalogue::article");
    assert_eq!(article.place.file, "tests/catalogue.rs");
    assert_eq!(article.key(), "article@3:<org_id>:<id>");
    assert_eq!(article.ttl, "90s");
    assert_eq!(article.options, ["null_ttl = \"10s\"", "all", "compress"]);
    assert_eq!(article.tags, ["org(org_id)"]);
    assert_eq!(article.returns, "Result<Option<String>, std::fmt::Error>");
    let digest = catalogue.function("digest").unwrap();
    assert_eq!(
        (digest.ttl.as_str(), &digest.batches[..]),
        ("1500ms", &["catalogue::digests".to_owned()][..])
    );
    assert!(
        catalogue
            .function("timetable")
            .unwrap()
            .invalidated_by
            .is_empty()
    );
}

/// Functions that have every option between them.
#[cfg(all(feature = "compress", feature = "encrypt"))]
mod every {
    use millpond::{Millpond, Tag, cached};
    use std::time::Duration;

    #[allow(
        clippy::ref_option,
        clippy::trivially_copy_pass_by_ref,
        reason = "what the options take"
    )]
    mod of {
        use super::{Duration, Tag};

        pub(super) fn lifetime(value: &u64) -> Duration {
            Duration::from_secs(*value)
        }

        pub(super) fn tags(value: &u64) -> Vec<Tag> {
            vec![Tag::new(format!("even:{value}"))]
        }

        pub(super) fn is_odd(value: &u64) -> bool {
            !value.is_multiple_of(2)
        }
    }

    #[cached(
        prefix = "every_option",
        key = "<id>",
        ttl = "1m",
        null_ttl = "10s",
        ttl_of = of::lifetime,
        jitter = 0.2,
        stale_while_revalidate = "1h",
        stale_if_error = "1d",
        soft_timeout = "200ms",
        local = "5s",
        local_plain,
        refresh_ahead = 0.8,
        flight = "off",
        compress,
        encrypt,
        when = id != 1,
        unless = of::is_odd,
        share_errors = false,
        tags_of = of::tags,
        all,
        on = pond,
        skip(pond)
    )]
    pub(crate) async fn first(pond: &Millpond, id: u64) -> Result<u64, std::fmt::Error> {
        Ok(id)
    }

    #[cached(
        prefix = "every_option",
        key = "<id>",
        null = false,
        guard = false,
        refresh_ahead = "xfetch",
        shares = first,
        version = 2
    )]
    pub(crate) async fn second(id: u64) -> Result<u64, std::fmt::Error> {
        Ok(id)
    }

    #[cached(local = "only", key = "<id>", ttl_of = of::lifetime, unless = of::is_odd)]
    pub(crate) fn third(id: u64) -> u64 {
        id
    }
}

#[cfg(all(feature = "compress", feature = "encrypt"))]
#[test]
fn every_option_that_is_not_the_default_is_listed() {
    let catalogue = catalogue();
    let options = |name: &str| catalogue.function(name).unwrap().options.clone();
    let listed = [
        options("every::first"),
        options("every::second"),
        options("every::third"),
    ];
    assert_eq!(
        listed[0],
        [
            "null_ttl = \"10s\"",
            "jitter = 0.2",
            "stale_while_revalidate = \"1h\"",
            "stale_if_error = \"1d\"",
            "soft_timeout = \"200ms\"",
            "refresh_ahead = 0.8",
            "local = \"5s\"",
            "flight = \"off\"",
            "all",
            "compress",
            "encrypt",
            "local_plain",
            "ttl_of = of::lifetime",
            "tags_of = of::tags",
            "when = id != 1",
            "unless = of::is_odd",
            "share_errors = false",
            "on = pond",
        ]
    );
    assert_eq!(
        listed[1],
        [
            "null = false",
            "refresh_ahead = \"xfetch\"",
            "guard = false",
            "shares = first",
        ]
    );
    assert_eq!(
        listed[2],
        [
            "local = \"only\"",
            "ttl_of = of::lifetime",
            "unless = of::is_odd",
        ]
    );
    // Those of the attribute, from its source: a new one is to be listed, too, and to stand above.
    let model = include_str!("../macros/src/model/cache.rs");
    let (_, given) = model.split_once("pub struct Given {").unwrap();
    let (given, _) = given.split_once("\n    }").unwrap();
    let names = given.lines().filter_map(|line| {
        let (name, _) = line.trim().split_once(':')?;
        Some(name.split(' ').next().unwrap_or(name))
    });
    let names: Vec<&str> = names.collect();
    assert!(names.len() > 25, "{names:?}");
    // In columns of their own, or about what stands beside the function and in its signature.
    let elsewhere = [
        "prefix",
        "key",
        "ttl",
        "version",
        "tags",
        "skip",
        "companion",
        "invalidate",
        "in_impl",
        "runtime",
    ];
    let is_listed = |name: &str| {
        let mut all = listed.iter().flatten();
        all.any(|option| option.split(" = ").next() == Some(name))
    };
    let missing: Vec<_> = names
        .into_iter()
        .filter(|name| !elsewhere.contains(name) && !is_listed(name))
        .collect();
    assert_eq!(missing, [""; 0], "options that the catalogue does not list");
}

#[test]
fn what_ends_a_value_is_found_by_function_tag_and_all() {
    let catalogue = catalogue();
    let edges = |name: &str| -> Vec<_> {
        let function = catalogue.function(name).unwrap();
        let edges = function.invalidated_by.iter();
        edges
            .map(|it| {
                (
                    it.mutation.as_str(),
                    it.effect,
                    it.tag.as_deref(),
                    it.certainty,
                )
            })
            .collect()
    };
    let (sure, by_tag) = (Certainty::Declared, Some("catalogue::org"));
    assert_eq!(
        edges("article"),
        [
            ("catalogue::edit", Effect::Updates, None, sure),
            ("catalogue::edit", Effect::Invalidates, by_tag, sure),
            ("catalogue::publish", Effect::Invalidates, None, sure),
            ("catalogue::relaunch", Effect::Invalidates, None, sure),
        ]
    );
    // A tag by its text is the declared one with the same template.
    assert_eq!(
        edges("digest"),
        [("catalogue::edit", Effect::Invalidates, by_tag, sure)]
    );
    let tag = catalogue
        .tags
        .iter()
        .find(|tag| tag.name == "catalogue::org")
        .unwrap();
    assert_eq!(tag.functions, ["catalogue::article", "catalogue::digest"]);
}

#[test]
fn a_method_is_found_in_its_module_and_otherwise_among_all_of_its_name() {
    let catalogue = catalogue();
    let edges = |module: &str| -> Vec<_> {
        let function = catalogue.function(module).unwrap();
        let edges = function.invalidated_by.iter();
        edges
            .map(|edge| (edge.mutation.as_str(), edge.certainty))
            .collect()
    };
    let possible = ("catalogue::rename", Certainty::Possible);
    assert_eq!(edges("one::user"), [possible]);
    assert_eq!(
        edges("two::user"),
        [possible, ("catalogue::two::rename", Certainty::Declared)]
    );
    let mutation = catalogue
        .mutations
        .iter()
        .find(|it| it.name == "catalogue::rename")
        .unwrap();
    assert_eq!(mutation.targets[0].text, "users.user(id)");
    assert_eq!(mutation.targets[0].functions.len(), 2);
}

#[test]
fn each_limit_of_a_function_stands_there_with_its_numbers() {
    let catalogue = catalogue();
    let limits = catalogue.limits.iter().map(|it| {
        let kind = it.kind.as_deref().unwrap_or("-");
        let on_outage = it.on_outage.as_deref().unwrap_or("-");
        let name = it.name.rsplit("::").next().unwrap_or_default();
        format!("{name}: {kind}, {}, {:?}, {on_outage}", it.rule, it.caller)
    });
    let limits: Vec<_> = limits.collect();
    assert_eq!(
        limits,
        [
            "export: EXPORT, 2 per 1h, fixed window, \"user\", deny",
            "export: API, 100 per 1m, sliding window, \"\", local",
            "print: -, per call: plan(user), \"user\", -",
        ]
    );
}

#[test]
fn two_functions_that_can_have_one_key_fail_the_check_with_both_places() {
    let collisions = catalogue().check().unwrap_err();
    let pairs: Vec<_> = collisions
        .pairs
        .iter()
        .map(|pair| pair.functions.clone())
        .collect();
    let pair =
        |one: &str, other: &str| [one, other].map(|name| format!("catalogue::collisions::{name}"));
    assert_eq!(
        pairs,
        [
            pair("all", "number"),
            pair("all", "text"),
            pair("number", "text")
        ]
    );
    let said = collisions.to_string();
    for part in [
        "tests/catalogue.rs:",
        "colliding:<id>",
        "colliding:all",
        "`shares`",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

/// The cache of the process: in a process of its own, as it is used once.
#[test]
fn the_first_use_logs_each_pair_once() {
    support::program::alone("the_first_use_logs_each_pair_once", first_use);
}

#[tokio::main(flavor = "current_thread")]
async fn first_use() {
    let (log, _guard) = Log::of_this_thread();
    let pond = Millpond::memory();
    pond.scope(timetable()).await;
    let reports = |level: &str| {
        let lines = log.text();
        let lines = lines.lines().filter(|line| line.contains("two functions"));
        lines.filter(|line| line.contains(level)).count()
    };
    // A scope is not yet the cache of the process.
    assert_eq!((reports("WARN"), reports("ERROR")), (0, 0));
    millpond::install(Millpond::memory()).unwrap();
    timetable().await;
    assert_eq!(
        (reports("WARN"), reports("ERROR")),
        (2, 1),
        "{}",
        log.text()
    );
    // Not again when they are called.
    collisions::number(1).await;
    collisions::text("1").await;
    collisions::all().await;
    collisions::other_version(1).await;
    collisions::first(1).await;
    collisions::second(1).await;
    assert_eq!(
        (reports("WARN"), reports("ERROR")),
        (2, 1),
        "{}",
        log.text()
    );
    let text = log.text();
    let error = text.lines().find(|line| line.contains("ERROR")).unwrap();
    for part in ["number", "text", "tests/catalogue.rs:", "u64", "String"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[tokio::test]
async fn json_has_all_of_it_and_the_picture_escapes_what_others_wrote() {
    #[cached(prefix = "<script>alert(1)</script>", key = "a&b:<id>")]
    async fn hostile(id: u64) -> u64 {
        id
    }
    hostile(1).await;
    let catalogue = catalogue();
    let json: serde_json::Value = serde_json::from_str(&catalogue.to_json()).unwrap();
    let names = json["functions"].as_array().unwrap().iter();
    assert!(
        names
            .clone()
            .any(|it| it["prefix"] == "<script>alert(1)</script>")
    );
    assert_eq!(
        json["functions"].as_array().unwrap().len(),
        catalogue.functions.len()
    );
    let svg = catalogue.to_svg();
    assert!(!svg.contains("<script"), "{svg}");
    assert!(
        svg.contains("&lt;script&gt;alert(1)&lt;/script&gt;:a&amp;b:&lt;id&gt;"),
        "{svg}"
    );
    // The rest of what is declared here is called, so that nothing of it is dead.
    #[cfg(all(feature = "compress", feature = "encrypt"))]
    {
        every::first(&Millpond::memory(), 2).await.unwrap();
        every::second(2).await.unwrap();
        every::third(2);
    }
    edit(1, 2).await.unwrap();
    relaunch().await;
    publish().await;
    print(export(1).await.unwrap()).await.unwrap();
    rename(&one::Users, two::Users.user(one::Users.user(1).await).await).await;
    two::Users.rename(1).await;
    digest(1).await;
    digests(&[1, 2]).await;
    article(1, 2).await.unwrap();
}
