//! What the environment and the builder make of their words.

use super::Builder;
use super::environment::ENVIRONMENT;
use crate::error::Error;
use crate::settings::Engine;

fn from(pairs: &[(&str, &str)]) -> Result<Builder, Error> {
    Builder::from_environment(|name| {
        pairs
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn each_pair_of_variables_is_found_and_the_first_complete_one_counts() {
    for (url, token) in ENVIRONMENT {
        assert!(
            !from(&[(url, "https://a.b"), (token, "t")])
                .unwrap()
                .is_memory()
        );
    }
    assert!(from(&[]).unwrap().is_memory());
    assert!(
        from(&[
            ("UPSTASH_REDIS_REST_URL", ""),
            ("UPSTASH_REDIS_REST_TOKEN", " ")
        ])
        .unwrap()
        .is_memory()
    );
}

#[test]
fn a_redis_url_counts_after_every_pair_and_only_with_its_feature() {
    let url = ("REDIS_URL", "redis://127.0.0.1:6379");
    let found = from(&[url]).unwrap();
    assert_eq!(found.is_memory(), !cfg!(feature = "redis"));
    for (address, token) in ENVIRONMENT {
        let builder = from(&[url, (address, "https://a.b"), (token, "t")]).unwrap();
        assert!(matches!(builder.engine, Engine::Upstash { .. }));
    }
    assert!(from(&[("REDIS_URL", " ")]).unwrap().is_memory());
}

#[test]
fn plain_http_is_allowed_by_a_clear_yes_alone() {
    let (url, token) = ENVIRONMENT[0];
    for (value, allowed) in [
        ("1", true),
        ("TRUE", true),
        ("0", false),
        ("false", false),
        ("", false),
    ] {
        let variables = [
            (url, "http://srh:80"),
            (token, "t"),
            ("MILLPOND_ALLOW_PLAIN_HTTP", value),
        ];
        assert_eq!(
            from(&variables).unwrap().settings.plain_http,
            allowed,
            "{value:?}"
        );
    }
}

#[test]
fn half_a_pair_is_an_error_that_names_the_missing_variable() {
    for (url, token) in ENVIRONMENT {
        let error = from(&[(url, "https://a.b")]).unwrap_err().to_string();
        assert!(
            error.contains(&format!("{url} is set but {token} is not")),
            "{error}"
        );
        let error = from(&[(token, "hunter2")]).unwrap_err().to_string();
        assert!(
            error.contains(&format!("{token} is set but {url} is not")),
            "{error}"
        );
        assert!(!error.contains("hunter2"));
    }
}

#[cfg(feature = "upstash")]
#[test]
fn what_is_wrong_with_looked_up_credentials_names_the_variable() {
    let built = |pairs: &[(&str, &str)]| {
        let found = Builder::from_lookup(|name| {
            let pair = pairs.iter().find(|(key, _)| *key == name);
            pair.map(|(_, value)| (*value).to_owned())
        });
        found.and_then(Builder::build).unwrap_err().to_string()
    };
    for (url, token) in ENVIRONMENT {
        let object = built(&[(url, "[object KvNamespace]"), (token, "t")]);
        assert!(object.ends_with(&format!("change {url}")), "{object}");
        assert!(object.contains("not a URL"), "{object}");
        let spaced = built(&[(url, "https://a.b"), (token, " hunter2")]);
        assert!(spaced.ends_with(&format!("change {token}")), "{spaced}");
        assert!(!spaced.contains("hunter2"), "{spaced}");
        let half = built(&[(url, "https://a.b")]);
        assert!(half.contains(token), "{half}");
    }
    let none = built(&[]);
    assert!(none.contains("UPSTASH_REDIS_REST_URL"), "{none}");
}

#[cfg(all(feature = "upstash", feature = "encrypt"))]
#[test]
fn the_keys_of_a_look_up_count_and_not_those_of_the_environment() {
    let build = |keys: &'static str| {
        let found = Builder::from_lookup(|name| match name {
            "UPSTASH_REDIS_REST_URL" => Some("https://a.b".to_owned()),
            "UPSTASH_REDIS_REST_TOKEN" => Some("t".to_owned()),
            "MILLPOND_ENCRYPTION_KEY" => Some(keys.to_owned()),
            _ => None,
        });
        found.unwrap().build()
    };
    assert!(build("2026-11:Oss2m0vkyHGUHDt8wy8JPmgVNCYIyJFUhyNmKSUoRcA=").is_ok());
    let wrong = build("hunter2").unwrap_err().to_string();
    assert!(wrong.contains("MILLPOND_ENCRYPTION_KEY"), "{wrong}");
    assert!(!wrong.contains("hunter2"), "{wrong}");
}

#[test]
fn a_redis_url_without_its_feature_is_one_warning_that_says_what_to_add() {
    for (has_redis_url, says) in [(false, false), (true, true)] {
        let warning = super::environment::what_is_missing(has_redis_url);
        assert!(warning.starts_with("Missing Upstash Redis credentials"));
        assert_eq!(warning.contains("REDIS_URL, which is"), says, "{warning}");
        assert_eq!(warning.contains("feature `redis`"), says, "{warning}");
    }
}
