//! Two functions that can use the same keys are reported once, at the first call of the second.

#[macro_use]
mod support;

use millpond::{Millpond, cached};
use support::log::Log;

/// The lines of the log about keys that two functions share.
fn reports(log: &Log) -> Vec<String> {
    let text = log.text();
    let lines = text.lines().filter(|line| line.contains("two functions"));
    lines.map(str::to_owned).collect()
}

mod one_template {
    use super::cached;

    #[cached(prefix = "account", key = "<id>")]
    pub(crate) async fn email_of(id: u64) -> String {
        format!("mail {id}")
    }

    #[cached(prefix = "account", key = "<user_id>")]
    pub(crate) async fn name_of(user_id: u64) -> String {
        format!("name {user_id}")
    }
}

#[tokio::test]
async fn one_template_and_one_type_is_a_warning_that_names_both() {
    let (log, _guard) = Log::of_this_thread();
    let pond = Millpond::memory();
    pond.scope(async {
        one_template::name_of(1).await;
        assert!(reports(&log).is_empty());
        for _ in 0..3 {
            one_template::email_of(1).await;
            one_template::name_of(2).await;
        }
    })
    .await;
    let reports = reports(&log);
    assert_eq!(reports.len(), 1, "{reports:?}");
    for part in [
        "WARN",
        "one_template::email_of",
        "one_template::name_of",
        "shared_keys.rs:",
    ] {
        assert!(reports[0].contains(part), "{part}: {reports:?}");
    }
}

mod two_types {
    use super::cached;

    #[cached(prefix = "typed", key = "<id>")]
    pub(crate) async fn number(id: u64) -> u64 {
        id
    }

    #[cached(prefix = "typed", key = "<id>")]
    pub(crate) async fn text(id: u64) -> String {
        id.to_string()
    }
}

#[tokio::test]
async fn one_template_and_two_types_is_an_error() {
    let (log, _guard) = Log::of_this_thread();
    Millpond::memory()
        .scope(async {
            two_types::number(1).await;
            assert_eq!(two_types::text(2).await, "2");
        })
        .await;
    let reports = reports(&log);
    assert_eq!(reports.len(), 1, "{reports:?}");
    for part in [
        "ERROR",
        "two_types::number",
        "two_types::text",
        "u64",
        "String",
    ] {
        assert!(reports[0].contains(part), "{part}: {reports:?}");
    }
}

mod literal {
    use super::cached;

    #[cached(prefix = "group", key = "<name>")]
    pub(crate) async fn members(name: &str) -> Vec<String> {
        vec![name.to_owned()]
    }

    #[cached(prefix = "group", key = "admins")]
    pub(crate) async fn admins() -> Vec<String> {
        Vec::new()
    }

    #[cached(prefix = "group", key = "all:<page>")]
    pub(crate) async fn all(page: u32) -> Vec<String> {
        vec![page.to_string()]
    }

    #[cached(prefix = "group", key = "<name>", version = 2)]
    pub(crate) async fn members_now(name: &str) -> Vec<String> {
        vec![name.to_owned()]
    }

    #[cached(prefix = "group", key = "{<name>}")]
    pub(crate) async fn members_beside(name: &str) -> Vec<String> {
        vec![name.to_owned()]
    }
}

#[tokio::test]
async fn an_argument_that_can_be_the_text_of_another_template_is_a_warning() {
    let (log, _guard) = Log::of_this_thread();
    Millpond::memory()
        .scope(async {
            literal::all(1).await;
            literal::members("a").await;
            literal::members_now("a").await;
            literal::members_beside("a").await;
            assert!(reports(&log).is_empty());
            literal::admins().await;
        })
        .await;
    let reports = reports(&log);
    assert_eq!(reports.len(), 1, "{reports:?}");
    for part in ["WARN", "literal::members ", "literal::admins "] {
        assert!(reports[0].contains(part), "{part}: {reports:?}");
    }
}

mod generic {
    use super::cached;

    #[cached(prefix = "shown", key = "<id>")]
    pub(crate) async fn shown(id: impl std::fmt::Display + Send) -> String {
        id.to_string()
    }
}

#[tokio::test]
async fn a_generic_function_does_not_share_with_itself() {
    let (log, _guard) = Log::of_this_thread();
    Millpond::memory()
        .scope(async {
            generic::shown("1").await;
            generic::shown(1_u8).await;
        })
        .await;
    assert!(reports(&log).is_empty(), "{:?}", reports(&log));
}

#[cached(prefix = "elsewhere", key = "<id>", on = pond, skip(pond))]
async fn here(pond: &Millpond, id: u64) -> String {
    format!("here {id}")
}

#[cached(prefix = "elsewhere", key = "<id>", on = pond, skip(pond))]
async fn there(pond: &Millpond, id: u64) -> String {
    format!("there {id}")
}

#[tokio::test]
async fn functions_with_caches_of_their_own_are_not_compared() {
    let (log, _guard) = Log::of_this_thread();
    here(&Millpond::memory(), 1).await;
    there(&Millpond::memory(), 1).await;
    assert!(reports(&log).is_empty(), "{:?}", reports(&log));
}

mod on_purpose {
    use super::cached;

    #[cached(prefix = "meant", key = "<id>")]
    pub(crate) async fn profile(id: u64) -> Option<String> {
        Some(format!("profile {id}"))
    }

    #[cached(prefix = "meant", key = "<user>", shares = profile)]
    pub(crate) async fn profile_of(user: u64) -> Option<String> {
        profile(user).await
    }

    pub(crate) struct Repo;

    impl Repo {
        #[cached(prefix = "repo", key = "<id>", in_impl)]
        pub(crate) async fn first(id: u64) -> u64 {
            id
        }

        #[cached(prefix = "repo", key = "<id>", shares = Self::first, in_impl)]
        pub(crate) async fn second(id: u64) -> u64 {
            id
        }
    }

    #[cached(prefix = "repo", key = "<id>", shares = Repo::first)]
    pub(crate) async fn third(id: u64) -> u64 {
        id
    }
}

#[tokio::test]
async fn keys_that_are_shared_on_purpose_are_not_reported() {
    let (log, _guard) = Log::of_this_thread();
    Millpond::memory()
        .scope(async {
            on_purpose::profile_of(1).await;
            on_purpose::profile(1).await;
            on_purpose::Repo::first(1).await;
            on_purpose::Repo::second(1).await;
            assert!(reports(&log).is_empty(), "{:?}", reports(&log));
            on_purpose::third(1).await;
        })
        .await;
    // The second and the third share with the first, and nobody said that they share with each other.
    assert_eq!(reports(&log).len(), 1, "{:?}", reports(&log));
}
