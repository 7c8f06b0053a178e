use super::*;
use crate::value;
use proptest::prelude::*;

const KEY: &[u8] = b"user:42";
const MOST: usize = 1 << 20;

fn keys() -> Keyring {
    let text = format!("2026-11:{},2026-01:{}", "0b".repeat(32), "0c".repeat(32));
    Keyring::new(&[], |_| Some(text.clone())).unwrap()
}

fn sealed(plain: &[u8], compress: bool, encrypt: bool) -> Bytes {
    let keys = keys();
    let with = keys.writer().filter(|_| encrypt);
    let plain = Bytes::copy_from_slice(plain);
    seal(KEY, plain, compress, with, &Members::default()).unwrap()
}

fn opened(stored: impl Into<Bytes>) -> Result<Bytes, String> {
    open(KEY, stored.into(), false, &keys(), MOST).map(|opened| opened.plain)
}

fn large() -> Vec<u8> {
    format!("\"{}\"", "abcde ".repeat(500)).into_bytes()
}

#[test]
fn only_what_was_changed_is_an_envelope() {
    let small = b"\"Ada\"";
    assert_eq!(sealed(small, true, false), small.as_slice());
    let large = large();
    assert_eq!(sealed(&large, false, false), large);
    for (plain, compress, encrypt, header) in [
        (
            &large[..],
            true,
            false,
            "{\"millpond\":1,\"gzip\":true}\nH4sI",
        ),
        (
            &large,
            true,
            true,
            "{\"millpond\":1,\"gzip\":true,\"aes256gcm\":\"2026-11\"}\n",
        ),
        (
            &large,
            false,
            true,
            "{\"millpond\":1,\"aes256gcm\":\"2026-11\"}\n",
        ),
        (
            small,
            true,
            true,
            "{\"millpond\":1,\"aes256gcm\":\"2026-11\"}\n",
        ),
    ] {
        let stored = sealed(plain, compress, encrypt);
        assert!(stored.starts_with(header.as_bytes()), "{stored:?}");
        assert_eq!(opened(stored).unwrap(), plain);
    }
}

#[test]
fn what_would_not_get_smaller_is_not_compressed() {
    // 3,000 characters of which every six bits differ: base64 takes back what gzip gains.
    let mut digit = 1_u32;
    let noise = std::iter::repeat_with(|| {
        digit = digit.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[(digit >> 26) as usize]
    });
    let noise: Vec<u8> = noise.take(3_000).collect();
    assert_eq!(sealed(&noise, true, false), noise);
    // Encrypted it is base64 anyway, and then it is a gain.
    assert!(sealed(&noise, true, true).len() < sealed(&noise, false, true).len());
}

#[test]
fn no_reader_takes_an_envelope_for_a_value() {
    for (compress, encrypt) in [(true, false), (false, true), (true, true)] {
        let stored = sealed(&large(), compress, encrypt);
        assert!(value::decode::<String>(&stored).is_err());
        assert!(value::decode::<serde_json::Value>(&stored).is_err());
    }
}

#[test]
fn no_value_is_taken_for_an_envelope() {
    let json = serde_json::json!({ "millpond": 1, "name": "Ada" });
    let plain = value::plain_form(&json).unwrap();
    assert!(!plain.starts_with(MARK));
    let back = opened(plain).unwrap();
    assert_eq!(value::decode::<serde_json::Value>(&back), Ok(json));
}

#[test]
fn a_header_is_read_to_the_letter() {
    for wrong in [
        "{\"millpond\":1}\n",
        "{\"millpond\":1,\"gzip\":false}\n",
        "{\"millpond\":1,\"gzip\":true}",
        "{\"millpond\":1,\"gzip\":1}\n",
        "{\"millpond\":1,\"gzip\":true\n",
        "{\"millpond\":1,\"gzip\":true} \u{e4}\n",
        "{\"millpond\":1,\"gzip\":true,\"gzip\":true}\n",
        "{\"millpond\":1,\"millpond\":1,\"gzip\":true}\n",
        "{\"millpond\":1,\"gzip\":true,\"zstd\":true}\n",
        "{\"millpond\":2,\"gzip\":true}\n",
        "{\"millpond\":10,\"gzip\":true}\n",
        "{\"millpond\":1,\"aes256gcm\":\"\"}\n",
        "{\"millpond\":1,\"aes256gcm\":\"a b\"}\n",
        "{\"millpond\":1,\"aes256gcm\":\"unknown\"}\n",
        "{\"millpond\":1,\"aes256gcm\":\"2026-11\",\"aes256gcm\":\"2026-01\"}\n",
    ] {
        let payload = &sealed(&large(), true, false);
        let payload = payload.splitn(2, |&byte| byte == b'\n').nth(1).unwrap();
        let stored = [wrong.as_bytes(), payload].concat();
        assert!(opened(stored).is_err(), "{wrong}");
    }
}

#[test]
fn an_encrypted_value_is_bound_to_its_key_and_its_header() {
    let stored = sealed(&large(), true, true);
    assert!(open(b"user:43", stored.clone(), true, &keys(), MOST).is_err());
    assert!(open(b"live:user:42", stored.clone(), true, &keys(), MOST).is_err());
    let text = String::from_utf8(stored.to_vec()).unwrap();
    for (from, to) in [("\"gzip\":true,", ""), ("2026-11", "2026-01"), (",", ", ")] {
        assert!(opened(text.replacen(from, to, 1)).is_err(), "{from}");
    }
}

#[test]
fn what_is_not_encrypted_is_refused_where_it_must_be() {
    for stored in [
        Bytes::from_static(b"1"),
        Bytes::from_static(b"__NULL__"),
        sealed(&large(), true, false),
    ] {
        let what = open(KEY, stored, true, &keys(), MOST).unwrap_err();
        assert!(what.starts_with("not encrypted"), "{what}");
    }
}

#[test]
fn what_unpacks_to_too_much_is_refused() {
    let plain = vec![b'7'; MOST];
    assert_eq!(opened(sealed(&plain, true, false)).unwrap(), plain);
    let bomb = sealed(&vec![b'7'; MOST + 1], true, false);
    assert!(bomb.len() < 10_000);
    let what = opened(bomb).unwrap_err();
    assert!(what.contains("over 1048576 bytes"), "{what}");
}

#[test]
fn a_compressed_value_ends_where_it_ends() {
    let more = [gzip::pack(&large()).unwrap(), b"more".to_vec()].concat();
    let mut stored = header(true, None, &Members::default()) + "\n";
    push_text(&more, &mut stored);
    assert_eq!(opened(stored).unwrap_err(), "compressed, and damaged");
}

proptest! {
    #[test]
    fn every_plain_form_survives(
        plain in proptest::collection::vec(any::<u8>(), 0..3_000),
        compress: bool,
        encrypt: bool,
    ) {
        prop_assume!(!plain.starts_with(MARK));
        prop_assert_eq!(opened(sealed(&plain, compress, encrypt)).unwrap(), plain);
    }

    #[test]
    fn a_change_anywhere_never_gives_another_value(
        at: prop::sample::Index,
        flip in 1_u8..,
        compress: bool,
    ) {
        let plain = large();
        let mut stored = sealed(&plain, compress, true).to_vec();
        let at = at.index(stored.len());
        stored[at] ^= flip;
        prop_assert!(open(KEY, stored.into(), true, &keys(), MOST).is_err());
    }

    #[test]
    fn garbage_is_refused_and_no_more(
        line in ".{0,60}",
        payload in proptest::collection::vec(any::<u8>(), 0..100),
        as_text: bool,
        key in 0_usize..4,
    ) {
        let line = match key {
            0 => format!("{{\"millpond\":1,\"gzip\":true}}\n{line}"),
            1 => "{\"millpond\":1,\"aes256gcm\":\"2026-11\"}\n".to_owned(),
            2 => "{\"millpond\":1,\"gzip\":true,\"aes256gcm\":\"2026-11\"}\n".to_owned(),
            _ => format!("{{\"millpond\":{line}\n"),
        };
        let mut stored = line.into_bytes();
        if as_text {
            let mut text = String::new();
            push_text(&payload, &mut text);
            stored.extend(text.bytes());
        } else {
            stored.extend(payload);
        }
        prop_assert!(opened(stored).is_err());
    }
}

#[test]
fn tags_stand_in_the_header_and_the_value_behind_it() {
    let keys = keys();
    let tags = [("org:\"7\"", "n1"), ("team:1", "n2")];
    let tags = tags.map(|(name, nonce)| (name.to_owned(), nonce.to_owned()));
    let members = Members {
        tags: tags.into_iter().collect(),
        times: None,
    };
    for (compress, encrypt) in [(false, false), (true, false), (false, true), (true, true)] {
        for plain in [b"\"Ada\"".to_vec(), large()] {
            let with = keys.writer().filter(|_| encrypt);
            let stored = seal(KEY, plain.clone().into(), compress, with, &members).unwrap();
            if !compress && !encrypt {
                let header = br#"{"millpond":1,"tags":{"org:\"7\"":"n1","team:1":"n2"}}"#;
                let whole = [&header[..], b"\n", &plain].concat();
                assert_eq!(stored, whole);
            }
            let opened = open(KEY, stored, encrypt, &keys, MOST).unwrap();
            assert_eq!(opened.plain, plain);
            assert_eq!(opened.members.as_deref(), Some(&members));
        }
    }
}

#[test]
fn times_stand_in_the_header_of_a_plain_payload_and_come_back() {
    let members = Members {
        times: Some(super::Times {
            until: 1_767_225_660_000,
            from: Some(1_767_225_600_000),
            took: Some(12),
        }),
        ..Members::default()
    };
    let plain = Bytes::from_static(b"[1]");
    let stored = seal(b"k", plain.clone(), false, None, &members).unwrap();
    let expected =
        b"{\"millpond\":1,\"until\":1767225660000,\"from\":1767225600000,\"took\":12}\n[1]";
    assert_eq!(&stored[..], expected);
    let opened = super::open(
        b"k",
        stored,
        false,
        &crate::keyring::Keyring::default(),
        100,
    )
    .unwrap();
    assert_eq!(
        (opened.plain.clone(), opened.times()),
        (plain, members.times)
    );
}
