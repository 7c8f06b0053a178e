//! One function for many types: generic parameters, `self` and `Self` in the key.

mod support;

use millpond::{Lookup, Millpond, cached};
use support::log::Log;

const REPORT: &str = "one function is called on two types under the same keys";

fn reports(log: &Log) -> usize {
    log.text().matches(REPORT).count()
}

#[cached(prefix = "page", key = "<SIZE>:<id>")]
async fn page<const SIZE: usize>(id: usize) -> Vec<usize> {
    vec![id; SIZE]
}

#[tokio::test]
async fn a_const_parameter_in_the_key_tells_instances_apart() {
    Millpond::memory()
        .scope(async {
            assert_eq!(page::<2>(7).await, [7, 7]);
            assert_eq!(page::<3>(7).await, [7, 7, 7]);
            assert_eq!(
                page::entry::<2>(7).get().await.unwrap(),
                Lookup::Hit(vec![7, 7])
            );
        })
        .await;
}

struct Repo {
    shard: &'static str,
}

impl Repo {
    #[cached(prefix = "user", key = "<self.shard>:<id>")]
    async fn user(&self, id: u64) -> String {
        format!("{id} of {}", self.shard)
    }
}

#[tokio::test]
async fn self_in_the_key_tells_values_apart() {
    Millpond::memory()
        .scope(async {
            let (eu, us) = (Repo { shard: "eu" }, Repo { shard: "us" });
            assert_eq!(eu.user(7).await, "7 of eu");
            assert_eq!(us.user(7).await, "7 of us");
        })
        .await;
}

trait Kind {
    const NAME: &'static str;
}

struct User;
struct Team;

impl Kind for User {
    const NAME: &'static str = "user";
}

impl Kind for Team {
    const NAME: &'static str = "team";
}

struct Table<K>(std::marker::PhantomData<K>);

impl<K: Kind> Table<K> {
    const fn new() -> Self {
        Self(std::marker::PhantomData)
    }

    #[cached(prefix = "row", key = "<id>", skip(self))]
    async fn row(&self, id: u64) -> String {
        format!("{} {id}", K::NAME)
    }

    #[cached(prefix = K::NAME, key = "<id>", skip(self))]
    async fn named(&self, id: u64) -> String {
        format!("{} {id}", K::NAME)
    }

    #[cached(prefix = "meant", key = "<id>", skip(self, Self))]
    async fn meant(&self, id: u64) -> u64 {
        id
    }

    #[cached(prefix = "associated", key = "<id>", in_impl)]
    async fn associated(id: u64) -> String {
        format!("{} {id}", K::NAME)
    }
}

#[tokio::test]
async fn a_parameter_of_the_impl_that_the_key_does_not_show_is_reported_once() {
    let (log, _guard) = Log::of_this_thread();
    Millpond::memory()
        .scope(async {
            for _ in 0..3 {
                Table::<User>::new().row(7).await;
                Table::<Team>::new().row(7).await;
            }
        })
        .await;
    let text = log.text();
    assert_eq!(reports(&log), 1, "{text}");
    let line = text.lines().find(|line| line.contains(REPORT)).unwrap();
    assert!(line.contains("ERROR"), "{line}");
    assert!(line.contains("Table<instances::User>"), "{line}");
    assert!(line.contains("Table<instances::Team>"), "{line}");
    assert!(line.contains("::row"), "{line}");
    assert!(line.contains("skip(Self)"), "{line}");
}

#[tokio::test]
async fn an_associated_function_is_reported_as_well() {
    let (log, _guard) = Log::of_this_thread();
    Millpond::memory()
        .scope(async {
            Table::<User>::associated(7).await;
            Table::<Team>::associated(7).await;
        })
        .await;
    assert_eq!(reports(&log), 1, "{}", log.text());
}

trait Described {
    #[cached(prefix = "described", key = "<id>", skip(self))]
    async fn described(&self, id: u64) -> String
    where
        Self: Kind,
    {
        format!("{} {id}", Self::NAME)
    }
}

impl Described for User {}
impl Described for Team {}

#[tokio::test]
async fn a_default_method_of_a_trait_is_reported() {
    let (log, _guard) = Log::of_this_thread();
    Millpond::memory()
        .scope(async {
            User.described(7).await;
            Team.described(7).await;
        })
        .await;
    let text = log.text();
    assert_eq!(reports(&log), 1, "{text}");
    assert!(
        text.contains("instances::User") && text.contains("instances::Team"),
        "{text}"
    );
}

#[cached(prefix = "shown")]
async fn shown(id: impl std::fmt::Display) -> String {
    id.to_string()
}

#[tokio::test]
async fn what_the_key_tells_apart_is_not_reported() {
    let (log, _guard) = Log::of_this_thread();
    Millpond::memory()
        .scope(async {
            for _ in 0..2 {
                assert_eq!(Table::<User>::new().named(7).await, "user 7");
                assert_eq!(Table::<Team>::new().named(7).await, "team 7");
                Table::<User>::new().meant(7).await;
                Table::<Team>::new().meant(7).await;
                // `impl Display` shares rightly: the same text is the same entry.
                shown("7").await;
                shown(7_u8).await;
                shown(String::from("7")).await;
            }
        })
        .await;
    assert_eq!(reports(&log), 0, "{}", log.text());
    assert!(!log.text().contains("ERROR"), "{}", log.text());
}

const SHARED: &str = "two functions can use the same key";

#[cached(prefix = "account", key = "<id>")]
async fn account(id: u64) -> Option<String> {
    Some(format!("account {id}"))
}

#[cached(prefix = "account", key = "<name>", shares = account)]
async fn account_by_name(name: &str) -> Result<Option<String>, String> {
    Ok(Some(format!("by name {name}")))
}

#[cached(prefix = "account", key = "<id>:<page>", flight = "off")]
async fn statement(id: u64, page: u64) -> u64 {
    id + page
}

#[tokio::test]
async fn functions_that_say_so_share_their_entries() {
    let (log, _guard) = Log::of_this_thread();
    Millpond::memory()
        .scope(async {
            assert_eq!(account(7).await.as_deref(), Some("account 7"));
            let shared = account_by_name("7").await.unwrap();
            assert_eq!(shared.as_deref(), Some("account 7"));
            statement(7, 1).await;
        })
        .await;
    assert!(!log.text().contains(SHARED), "{}", log.text());
}

#[cached(prefix = "copied", key = "<id>")]
async fn copied(id: u64) -> u64 {
    id
}

#[cached(prefix = "copied", key = "<number>")]
async fn copied_by_accident(number: u64) -> u64 {
    number + 1
}

#[tokio::test]
async fn functions_that_do_not_say_so_are_reported_once() {
    let (log, _guard) = Log::of_this_thread();
    Millpond::memory()
        .scope(async {
            for _ in 0..2 {
                copied(7).await;
                copied_by_accident(7).await;
            }
        })
        .await;
    assert_eq!(log.text().matches(SHARED).count(), 1, "{}", log.text());
}
