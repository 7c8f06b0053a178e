//! What does not open: it is a miss, and never another value.

use super::{
    AES, CONTENT, GZIP, GZIP_AES, ID, KEY, both, count, keeps_secrets, packed, page, plant, ponds,
    says, secret, stored, with_key,
};
use crate::support::log::Log;
use crate::support::source::{Source, source};
use crate::support::within_a_minute;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use millpond::{ErrorKind, Millpond, cached};
use millpond_gateway::needs_redis;
use proptest::prelude::*;
use std::io::Write;
use std::sync::atomic::AtomicU32;

/// An envelope of what was compressed, without encryption.
fn envelope(gzip: &[u8]) -> String {
    format!("{GZIP}{}", STANDARD.encode(gzip))
}

fn gzip(plain: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain.as_ref()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_changed_envelope_is_a_miss_wherever_it_was_changed() {
    let redis = needs_redis!();
    let (log, _guard) = Log::of_this_thread();
    for (pond, step) in ponds(redis).await.into_iter().zip([9, 1]) {
        pond.scope(async {
            let bodies = AtomicU32::new(0);
            both(60, &bodies).await.unwrap();
            let sound = stored(&pond, "both:60").await.unwrap();
            assert!(sound.starts_with(GZIP_AES));
            let mut misses = 0;
            for at in (0..sound.len()).step_by(step) {
                let mut flipped = sound.clone().into_bytes();
                flipped[at] ^= 1;
                let flipped = String::from_utf8(flipped).unwrap();
                for changed in [flipped.as_str(), &sound[..at]] {
                    plant(&pond, "both:60", changed).await;
                    assert_eq!(both(60, &bodies).await.unwrap(), CONTENT.repeat(60));
                    misses += 1;
                    assert_eq!(count(&bodies), 1 + misses, "{at}: {changed}");
                    let again = stored(&pond, "both:60").await.unwrap();
                    assert!(again.starts_with(GZIP_AES) && again != sound);
                }
            }
            let failures = pond.stats().prefix("both").decode_failures;
            assert_eq!(failures, u64::from(misses));
        })
        .await;
    }
    let log = log.text();
    assert!(log.contains("cannot be read"), "{log}");
    assert!(log.contains("prefix=\"both\""), "{log}");
    keeps_secrets(&log);
}

#[tokio::test]
async fn a_changed_compressed_value_is_never_another_value() {
    let redis = needs_redis!();
    for (pond, step) in ponds(redis).await.into_iter().zip([11, 1]) {
        pond.scope(async {
            let bodies = AtomicU32::new(0);
            packed(50, &bodies).await;
            let sound = stored(&pond, "packed:50").await.unwrap();
            assert!(sound.starts_with(GZIP));
            for at in (0..sound.len()).step_by(step) {
                let mut flipped = sound.clone().into_bytes();
                flipped[at] ^= 1;
                let flipped = String::from_utf8(flipped).unwrap();
                plant(&pond, "packed:50", &flipped).await;
                assert_eq!(packed(50, &bodies).await, page(50));
                let before = count(&bodies);
                plant(&pond, "packed:50", &sound[..at]).await;
                assert_eq!(packed(50, &bodies).await, page(50));
                assert_eq!(count(&bodies), before + 1, "{at}");
            }
        })
        .await;
    }
}

#[tokio::test]
async fn an_encrypted_value_does_not_open_under_another_key() {
    let redis = needs_redis!();
    for pond in ponds(redis).await {
        pond.scope(async {
            let bodies = AtomicU32::new(0);
            secret(1, &bodies).await;
            let text = stored(&pond, "secret:1").await.unwrap();
            plant(&pond, "secret:2", &text).await;
            let error = secret::entry(2).get().await.unwrap_err();
            says(
                &error,
                ErrorKind::Decode,
                &["secret:2", "cannot be opened", "moved"],
            );
            assert_eq!(secret(2, &bodies).await, Some(page(2)));
            assert_eq!(count(&bodies), 2);
            // Nor under the same key of another namespace.
            let other = Millpond::builder()
                .namespace("live")
                .encryption_key(ID, KEY)
                .build()
                .unwrap();
            plant(&other, "live:secret:1", &text).await;
            says(
                &other.get::<super::Page>("secret:1").await.unwrap_err(),
                ErrorKind::Decode,
                &[],
            );
        })
        .await;
    }
}

#[tokio::test]
async fn what_somebody_planted_unencrypted_is_refused_where_values_are_encrypted() {
    let redis = needs_redis!();
    for pond in ponds(redis).await {
        pond.scope(async {
            let bodies = AtomicU32::new(0);
            let json = serde_json::to_string(&page(9)).unwrap();
            let planted = [
                json.clone(),
                "__NULL__".to_owned(),
                "null".to_owned(),
                envelope(&gzip(&json)),
            ];
            for (misses, text) in (1..).zip(&planted) {
                plant(&pond, "secret:1", text).await;
                let error = secret::entry(1).get().await.unwrap_err();
                says(&error, ErrorKind::Decode, &["not encrypted"]);
                assert_eq!(secret(1, &bodies).await, Some(page(1)), "{text}");
                assert_eq!(count(&bodies), misses);
                let again = stored(&pond, "secret:1").await.unwrap();
                assert!(again.starts_with(AES), "{again}");
            }
            let failures = pond.stats().prefix("secret").decode_failures;
            assert_eq!(failures, 2 * planted.len() as u64);
        })
        .await;
    }
}

#[tokio::test]
async fn a_load_on_top_of_garbage_respects_what_came_meanwhile() {
    #[cached(prefix = "slow", key = "<id>", encrypt, compress, skip(source))]
    async fn slow(id: u32, source: &Source<String>) -> String {
        source.answer().await
    }
    let redis = needs_redis!();
    for pond in ponds(redis).await {
        within_a_minute(async {
            let (source, mut bodies) = source();
            plant(&pond, "slow:1", "garbage").await;
            let call = pond.spawn(async move { slow(1, &source).await });
            let body = bodies.next().await;
            plant(&pond, "slow:1", "newer").await;
            body.answer("older".to_owned());
            assert_eq!(call.await.unwrap(), "older");
            assert_eq!(stored(&pond, "slow:1").await.unwrap(), "newer");
        })
        .await;
        assert_eq!(pond.stats().cache.refused, 1);
    }
}

#[tokio::test]
async fn no_more_is_unpacked_than_could_have_been_stored() {
    let redis = needs_redis!();
    let mut zeros = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..200 {
        zeros.write_all(&vec![b'0'; 1_000_000]).unwrap();
    }
    let bomb = envelope(&zeros.finish().unwrap());
    assert!(bomb.len() < 300_000, "{}", bomb.len());
    for pond in ponds(redis).await {
        pond.scope(async {
            let bodies = AtomicU32::new(0);
            plant(&pond, "packed:30", &bomb).await;
            let error = pond
                .get::<serde_json::Value>("packed:30")
                .await
                .unwrap_err();
            says(&error, ErrorKind::Decode, &["over 33554432 bytes"]);
            assert_eq!(packed(30, &bodies).await, page(30));
            assert_eq!(packed(30, &bodies).await, page(30));
            assert_eq!(count(&bodies), 1);
        })
        .await;
        assert_eq!(pond.stats().prefix("packed").decode_failures, 2);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nothing_that_stands_there_changes_what_a_function_returns(
        line in prop::sample::select(vec![GZIP, AES, GZIP_AES, "{\"millpond\":", ""]),
        text: String,
        payload in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let pond = with_key(Millpond::builder());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(pond.scope(async {
            let bodies = AtomicU32::new(0);
            for planted in [format!("{line}{text}"), format!("{line}{}", STANDARD.encode(&payload))] {
                plant(&pond, "secret:1", &planted).await;
                plant(&pond, "packed:1", &planted).await;
                assert_eq!(secret(1, &bodies).await, Some(page(1)));
                assert_eq!(packed(1, &bodies).await, page(1));
            }
            assert_eq!(count(&bodies), 4);
        }));
    }
}
