//! What the environment and the builder make of their words.

use super::Builder;
use super::environment::ENVIRONMENT;
use crate::error::Error;

fn from(pairs: &[(&str, &str)]) -> Result<Builder, Error> {
    Builder::from_lookup(|name| {
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
