//! The keys that values are encrypted with: one that writes, and others that only open.

use crate::codec::cipher::Cipher;
use crate::error::{Error, ErrorKind};
use crate::secret::Secret;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Where the keys stand when the code gives none: `2026-11:<key>,2026-01:<key>`.
pub(crate) const VARIABLE: &str = "MILLPOND_ENCRYPTION_KEY";

/// A key as it was given. Its id is not printed either: the two may have been mixed up.
#[derive(Clone, Debug)]
pub(crate) struct GivenKey {
    pub(crate) id: Secret,
    pub(crate) key: Secret,
    pub(crate) writes: bool,
}

/// The keys of one `Millpond`.
#[derive(Clone, Default)]
pub(crate) struct Keyring(Arc<[Named]>);

struct Named {
    id: String,
    cipher: Cipher,
    writes: bool,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|key| &key.id))
            .finish()
    }
}

/// Whether a text can be the id of a key, which stands in the header of what it has encrypted.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// What to do where there is no key that writes.
pub(crate) fn no_key() -> Error {
    Error::new(
        ErrorKind::Config,
        format!(
            "there is no key to encrypt with; set {VARIABLE}, or call Builder::encryption_key, with \
             a key that `openssl rand -base64 32` has made"
        ),
    )
}

impl Keyring {
    /// The keys that the code gave, else those of the environment.
    pub(crate) fn new(
        given: &[GivenKey],
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        if given.iter().filter(|key| key.writes).count() > 1 {
            return Err(wrong(
                "Builder::encryption_key",
                "it is called twice, but only one key encrypts; give the others to decryption_key",
            ));
        }
        let mut keys = Vec::with_capacity(given.len());
        for key in given {
            let place = if key.writes {
                "Builder::encryption_key"
            } else {
                "Builder::decryption_key"
            };
            add(&mut keys, key, place)?;
        }
        // Without the feature nothing can ask for a key, and other programs may need the variable.
        if given.is_empty()
            && cfg!(feature = "encrypt")
            && let Some(text) = lookup(VARIABLE).map(Zeroizing::new)
        {
            for key in from_variable(&text)? {
                let place = format!("{VARIABLE}, key {}", keys.len() + 1);
                add(&mut keys, &key, &place)?;
            }
        }
        Ok(Self(keys.into()))
    }

    /// The key that writes, with its id.
    pub(crate) fn writer(&self) -> Option<(&str, &Cipher)> {
        let key = self.0.iter().find(|key| key.writes)?;
        Some((&key.id, &key.cipher))
    }

    /// The key of this id.
    pub(crate) fn find(&self, id: &str) -> Result<&Cipher, String> {
        if !cfg!(feature = "encrypt") {
            let what = "encrypted, and this build of millpond lacks the feature `encrypt`";
            return Err(what.to_owned());
        }
        let key = self.0.iter().find(|key| key.id == id);
        key.map(|key| &key.cipher).ok_or_else(|| {
            format!(
                "encrypted with the key `{id}`, which neither the builder nor {VARIABLE} has given"
            )
        })
    }
}

fn from_variable(text: &str) -> Result<Vec<GivenKey>, Error> {
    let parts = text.split(',').map(str::trim);
    let keys = parts.filter(|part| !part.is_empty()).enumerate();
    keys.map(|(at, part)| {
        let (id, key) = part.split_once(':').ok_or_else(|| {
            wrong(
                &format!("{VARIABLE}, key {}", at + 1),
                "there is no `:` between its id and the key; write 2026-11:<key>",
            )
        })?;
        Ok(GivenKey {
            id: Secret::new(id.trim()),
            key: Secret::new(key),
            writes: at == 0,
        })
    })
    .collect()
}

fn add(keys: &mut Vec<Named>, given: &GivenKey, place: &str) -> Result<(), Error> {
    let id = given.id.reveal();
    if !is_id(id) {
        return Err(wrong(
            place,
            "the id is not 1 to 64 characters of `A-Z a-z 0-9 - _ .`; write one such as 2026-11",
        ));
    }
    if keys.iter().any(|key| key.id == id) {
        return Err(wrong(
            place,
            "another key has the same id; give each its own",
        ));
    }
    let cipher = Cipher::from_text(given.key.reveal()).map_err(|what| wrong(place, what))?;
    keys.push(Named {
        id: id.to_owned(),
        cipher,
        writes: given.writes,
    });
    Ok(())
}

fn wrong(place: &str, what: &str) -> Error {
    Error::new(ErrorKind::Config, format!("{place}: {what}"))
}

#[cfg(all(test, feature = "encrypt"))]
mod tests {
    use super::*;

    const ONE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=";
    const TWO: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn given(id: &str, key: &str, writes: bool) -> GivenKey {
        GivenKey {
            id: Secret::new(id),
            key: Secret::new(key),
            writes,
        }
    }

    fn ids(keys: &Keyring) -> (Option<&str>, Vec<&str>) {
        let all = keys.0.iter().map(|key| key.id.as_str()).collect();
        (keys.writer().map(|(id, _)| id), all)
    }

    #[test]
    fn the_first_key_of_the_variable_writes_and_the_others_only_open() {
        let text = format!(" b:{ONE} , a:{TWO},");
        let keys = Keyring::new(&[], |name| {
            assert_eq!(name, "MILLPOND_ENCRYPTION_KEY");
            Some(text.clone())
        });
        assert_eq!(ids(&keys.unwrap()), (Some("b"), vec!["b", "a"]));
        for empty in ["", " ", ","] {
            let keys = Keyring::new(&[], |_| Some(empty.to_owned())).unwrap();
            assert_eq!(ids(&keys), (None, vec![]));
        }
    }

    #[test]
    fn keys_of_the_code_leave_the_variable_aside() {
        let of_the_code = [given("old", ONE, false), given("new", TWO, true)];
        let keys = Keyring::new(&of_the_code, |_| Some("nonsense".to_owned())).unwrap();
        assert_eq!(ids(&keys), (Some("new"), vec!["old", "new"]));
        let only_opens = Keyring::new(&of_the_code[..1], |_| None).unwrap();
        assert_eq!(ids(&only_opens), (None, vec!["old"]));
    }

    #[test]
    fn a_mistake_is_named_with_its_place_and_what_to_write_and_without_the_key() {
        let long = "x".repeat(65);
        for (keys, words) in [
            (vec![given(ONE, "a", true)], ["encryption_key", "2026-11"]),
            (vec![given(TWO, "a", true)], ["encryption_key", "openssl"]),
            (vec![given("", ONE, false)], ["decryption_key", "1 to 64"]),
            (vec![given(&long, ONE, true)], ["encryption_key", "1 to 64"]),
            (
                vec![given("a", "hunter2", true)],
                ["encryption_key", "openssl rand -base64 32"],
            ),
            (
                vec![given("a", ONE, true), given("a", TWO, false)],
                ["decryption_key", "same id"],
            ),
            (
                vec![given("a", ONE, true), given("b", TWO, true)],
                ["called twice", "decryption_key"],
            ),
        ] {
            let error = Keyring::new(&keys, |_| None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            says(&error, &words);
        }
        for (text, words) in [
            (ONE.to_owned(), ["key 1", "no `:`"]),
            (format!("a:{ONE},{TWO}"), ["key 2", "no `:`"]),
            (format!("a:{ONE},b:hunter2"), ["key 2", "openssl"]),
            (format!("a:{ONE},a:{TWO}"), ["key 2", "same id"]),
            (format!("{ONE}:a"), ["key 1", "1 to 64"]),
        ] {
            let error = Keyring::new(&[], |_| Some(text.clone())).unwrap_err();
            says(&error, &words);
            says(&error, &[VARIABLE]);
        }
    }

    #[track_caller]
    fn says(error: &Error, words: &[&str]) {
        let text = format!("{error} {error:?}");
        for word in words {
            assert!(text.contains(word), "`{word}` is not in: {text}");
        }
        for secret in [ONE, TWO, "hunter2"] {
            assert!(!text.contains(secret), "{text}");
        }
    }

    #[test]
    fn no_key_is_printed() {
        let given = [given("a", ONE, true)];
        let keys = Keyring::new(&given, |_| None).unwrap();
        let text = format!("{given:?} {keys:?}");
        assert!(!text.contains(ONE), "{text}");
        assert!(text.ends_with("[\"a\"]"), "{text}");
    }
}
