//! Where the keys come from, how they change, and what happens without one.

use super::{
    CONTENT, ID, KEY, OLD_ID, OLD_KEY, Page, both, builders, count, keeps_secrets, packed, page,
    publish, says, secret, stored, with_key,
};
use crate::support::log::Log;
use crate::support::process::{Process, orders, say};
use crate::support::{self, gateway, within_a_minute};
use millpond::{ErrorKind, Lookup, Millpond};
use millpond_gateway::needs_redis;
use std::sync::atomic::AtomicU32;

#[tokio::test]
async fn an_older_key_opens_until_it_is_taken_away() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let build = |keys: &[(&str, &str)]| {
        let mut builder = support::builder(&gateway);
        for (at, (id, key)) in keys.iter().enumerate() {
            builder = if at == 0 {
                builder.encryption_key(*id, *key)
            } else {
                builder.decryption_key(*id, *key)
            };
        }
        builder.build().unwrap()
    };
    let bodies = AtomicU32::new(0);
    let before = build(&[(OLD_ID, OLD_KEY)]);
    before.scope(secret(1, &bodies)).await;
    before.scope(secret(2, &bodies)).await;
    let id_of = async |key| {
        let text = stored(&before, key).await.unwrap();
        text.lines().next().unwrap().to_owned()
    };

    let both_keys = build(&[(ID, KEY), (OLD_ID, OLD_KEY)]);
    assert_eq!(both_keys.scope(secret(1, &bodies)).await, Some(page(1)));
    assert_eq!(count(&bodies), 2);
    assert!(id_of("secret:1").await.contains(OLD_ID));
    both_keys
        .scope(async { millpond::refresh(secret(1, &bodies)).await })
        .await;
    assert!(id_of("secret:1").await.contains(ID));

    let after = build(&[(ID, KEY)]);
    assert_eq!(after.scope(secret(1, &bodies)).await, Some(page(1)));
    assert_eq!(count(&bodies), 3);
    let error = after.get::<Page>("secret:2").await.unwrap_err();
    says(
        &error,
        ErrorKind::Decode,
        &[OLD_ID, "MILLPOND_ENCRYPTION_KEY", "secret:2"],
    );
    assert_eq!(after.scope(secret(2, &bodies)).await, Some(page(2)));
    assert_eq!(count(&bodies), 4);
    assert!(id_of("secret:2").await.contains(ID));

    let same_id = build(&[(ID, OLD_KEY)]);
    says(
        &same_id.get::<Page>("secret:2").await.unwrap_err(),
        ErrorKind::Decode,
        &["another key of the same id"],
    );
}

#[tokio::test]
async fn without_a_key_functions_run_and_nothing_is_stored() {
    let redis = needs_redis!();
    let (log, _guard) = Log::of_this_thread();
    for builder in builders(redis).await {
        // It only opens; and with a key in code, the environment is not asked.
        let pond = builder.decryption_key(OLD_ID, OLD_KEY).build().unwrap();
        pond.scope(async {
            let bodies = AtomicU32::new(0);
            for _ in 0..3 {
                assert_eq!(secret(1, &bodies).await, Some(page(1)));
                assert_eq!(both(900, &bodies).await.unwrap(), CONTENT.repeat(900));
            }
            assert_eq!(millpond::refresh(secret(1, &bodies)).await, Some(page(1)));
            assert_eq!(count(&bodies), 7);
            assert_eq!(publish(page(1)).await, Some(page(1)));
            let words = [
                "MILLPOND_ENCRYPTION_KEY",
                "Builder::encryption_key",
                "openssl rand -base64 32",
            ];
            let error = secret::entry(1).put(&page(1)).await.unwrap_err();
            says(&error, ErrorKind::Config, &words);
            assert_eq!(secret::entry(1).get().await.unwrap(), Lookup::Miss);
            for key in ["secret:1", "both:900"] {
                assert_eq!(stored(&pond, key).await, None);
            }
            // Functions that do not ask for it are cached as ever.
            assert_eq!(packed(1, &bodies).await, page(1));
            assert_eq!(packed(1, &bodies).await, page(1));
            assert_eq!(count(&bodies), 8);
        })
        .await;
        assert_eq!(pond.stats().prefix("secret").bypassed, 4);
        assert_eq!(pond.stats().prefix("secret").stores, 0);
    }
    let log = log.text();
    let errors: Vec<_> = log.lines().filter(|line| line.contains("ERROR")).collect();
    // Once for each of two functions in each of two caches.
    assert_eq!(errors.len(), 4, "{log}");
    for error in errors {
        assert!(error.contains("MILLPOND_ENCRYPTION_KEY"), "{error}");
    }
    keeps_secrets(&log);
}

#[test]
fn a_key_that_is_none_is_refused_with_what_to_write() {
    let build = |id: &str, key: &str| Millpond::builder().encryption_key(id, key).build();
    for wrong in ["", "c2hvcnQ=", &KEY[..40], CONTENT] {
        let error = build(ID, wrong).unwrap_err();
        says(
            &error,
            ErrorKind::Config,
            &["encryption_key", "openssl rand -base64 32"],
        );
    }
    // The two mixed up.
    says(&build(KEY, ID).unwrap_err(), ErrorKind::Config, &["the id"]);
    let twice = Millpond::builder()
        .encryption_key(ID, KEY)
        .decryption_key(ID, OLD_KEY);
    keeps_secrets(&format!("{twice:?}"));
    says(
        &twice.build().unwrap_err(),
        ErrorKind::Config,
        &["decryption_key", "same id"],
    );
    let pond = with_key(Millpond::builder());
    keeps_secrets(&format!("{pond:?}"));
}

#[tokio::test]
#[ignore = "another test runs it in a process of its own"]
async fn a_service() {
    let _orders = orders();
    let bodies = AtomicU32::new(0);
    let pond = match Millpond::from_env() {
        Ok(pond) => pond,
        Err(error) => {
            let (log, _guard) = Log::of_this_thread();
            let page = Millpond::memory().scope(secret(1, &bodies)).await;
            let errors = log.text().matches("ERROR").count();
            return say(&format!("{} {errors} {error}", page.is_some()));
        }
    };
    let page = pond.scope(secret(1, &bodies)).await;
    say(&format!("{} {}", page.is_some(), count(&bodies)));
}

#[tokio::test]
async fn the_keys_of_the_environment_are_used_where_the_code_gives_none() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let said_with = async |keys: &str| {
        let url = gateway.url();
        let environment = [
            ("UPSTASH_REDIS_REST_URL", url.as_str()),
            ("UPSTASH_REDIS_REST_TOKEN", gateway.token()),
            ("MILLPOND_ENCRYPTION_KEY", keys),
        ];
        let mut service = Process::start("keys::a_service", &environment);
        let said = within_a_minute(service.says()).await;
        service.end().await;
        said
    };
    let pond = with_key(support::builder(&gateway));
    assert_eq!(said_with(&format!("{ID}:{KEY}")).await, "true 1");
    assert_eq!(pond.get("secret:1").await.unwrap(), Some(page(1)));
    let both = format!("{OLD_ID}:{OLD_KEY},{ID}:{KEY}");
    assert_eq!(said_with(&both).await, "true 0");
    let said = said_with(&format!("{ID}:{KEY}x")).await;
    let expected = "true 1 MILLPOND_ENCRYPTION_KEY, key 1: the key is not 32 bytes";
    assert!(said.starts_with(expected), "{said}");
    keeps_secrets(&said);
}
