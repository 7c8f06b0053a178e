//! Encryption of values: AES-256-GCM, a random nonce in front, the tag behind.

#[cfg(feature = "encrypt")]
pub(crate) use with_feature::Cipher;
#[cfg(not(feature = "encrypt"))]
pub(crate) use without_feature::Cipher;

#[cfg(feature = "encrypt")]
mod with_feature {
    use crate::error::{Error, ErrorKind};
    use aes_gcm::aead::AeadInOut;
    use aes_gcm::{Aes256Gcm, KeyInit};
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    use zeroize::Zeroizing;

    const NONCE: usize = 12;
    const TAG: usize = 16;
    const KEY: usize = 32;

    type Random = fn(&mut [u8]) -> Result<(), getrandom::Error>;

    /// A key, ready for use. It is wiped when it is dropped.
    pub(crate) struct Cipher(Aes256Gcm);

    impl Cipher {
        /// How many bytes longer an encrypted value is.
        pub(crate) const OVERHEAD: usize = NONCE + TAG;

        /// The key that this text means: 32 bytes in hex, or in base64 of either alphabet, padded
        /// or not.
        pub(crate) fn from_text(text: &str) -> Result<Self, &'static str> {
            const WRONG: &str = "the key is not 32 bytes in base64 or hex; write one that \
                                 `openssl rand -base64 32` has made";
            let text = text.trim();
            let key = from_hex(text).or_else(|| from_base64(text)).ok_or(WRONG)?;
            let cipher = Aes256Gcm::new_from_slice(key.as_slice()).map_err(|_| WRONG)?;
            Ok(Self(cipher))
        }

        /// The encrypted form, which opens only with the same associated data.
        pub(crate) fn seal(&self, plain: &[u8], bound_to: &[u8]) -> Result<Vec<u8>, Error> {
            self.seal_with(plain, bound_to, getrandom::fill)
        }

        fn seal_with(
            &self,
            plain: &[u8],
            bound_to: &[u8],
            random: Random,
        ) -> Result<Vec<u8>, Error> {
            let failed = |what| Error::new(ErrorKind::Unsupported, what);
            let mut nonce = [0; NONCE];
            // Two values under one nonce would open both, so nothing may stand in for randomness.
            random(&mut nonce)
                .map_err(|_| failed("the system has no random bytes; nothing is encrypted"))?;
            let mut sealed = Vec::with_capacity(plain.len() + Self::OVERHEAD);
            sealed.extend_from_slice(&nonce);
            sealed.extend_from_slice(plain);
            let text = sealed.get_mut(NONCE..).unwrap_or_default();
            let tag = self
                .0
                .encrypt_inout_detached(&nonce.into(), bound_to, text.into())
                .map_err(|_| failed("the value is too long to be encrypted"))?;
            sealed.extend_from_slice(&tag);
            Ok(sealed)
        }

        /// The bytes that were encrypted.
        pub(crate) fn open(&self, mut sealed: Vec<u8>, bound_to: &[u8]) -> Result<Vec<u8>, String> {
            let damaged = || {
                "encrypted, and damaged, moved from another key, or written with another key of \
                 the same id"
                    .to_owned()
            };
            let (nonce, text) = sealed.split_first_chunk_mut().ok_or_else(damaged)?;
            let (text, tag) = text.split_last_chunk_mut::<TAG>().ok_or_else(damaged)?;
            let (nonce, tag): ([u8; NONCE], _) = (*nonce, *tag);
            self.0
                .decrypt_inout_detached(&nonce.into(), bound_to, text.into(), &tag.into())
                .map_err(|_| damaged())?;
            sealed.truncate(sealed.len() - TAG);
            sealed.drain(..NONCE);
            Ok(sealed)
        }
    }

    /// The bytes of a key, overwritten when they are dropped.
    type KeyBytes = Zeroizing<[u8; KEY]>;

    fn from_hex(text: &str) -> Option<KeyBytes> {
        let (pairs, []) = text.as_bytes().as_chunks() else {
            return None;
        };
        let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16)?).ok();
        let mut key = KeyBytes::default();
        if pairs.len() != KEY {
            return None;
        }
        for (byte, [high, low]) in key.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(key)
    }

    fn from_base64(text: &str) -> Option<KeyBytes> {
        let digits = text.trim_end_matches('=');
        let padding = text.len() - digits.len();
        let digits = Zeroizing::new(digits.replace('-', "+"));
        let digits = Zeroizing::new(digits.replace('_', "/"));
        // Groups of four digits are three bytes, and `decode_slice` asks for room for whole ones.
        let mut bytes = Zeroizing::new([0; KEY.next_multiple_of(3)]);
        let length = STANDARD_NO_PAD.decode_slice(digits.as_bytes(), bytes.as_mut_slice());
        let mut key = KeyBytes::default();
        if length.ok()? != KEY || padding > 1 {
            return None;
        }
        key.copy_from_slice(bytes.get(..KEY)?);
        Some(key)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1EFF";
        const BASE64: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=";

        fn cipher() -> Cipher {
            Cipher::from_text(HEX).unwrap()
        }

        #[test]
        fn a_key_may_be_hex_or_base64_of_either_alphabet() {
            let url_safe = BASE64.replace('/', "_");
            let forms = [
                HEX.to_owned(),
                HEX.to_lowercase(),
                BASE64.to_owned(),
                BASE64.trim_end_matches('=').to_owned(),
                url_safe.trim_end_matches('=').to_owned(),
                url_safe,
                format!(" {BASE64}\n"),
            ];
            for form in forms {
                let sealed = cipher().seal(b"text", b"").unwrap();
                let same = Cipher::from_text(&form).unwrap();
                assert_eq!(same.open(sealed, b"").unwrap(), b"text", "{form}");
            }
        }

        #[test]
        fn a_key_of_another_length_is_refused_without_being_quoted() {
            let long = format!("{HEX}00");
            let padded = format!("{BASE64}=");
            for wrong in [
                "",
                "hunter2",
                &HEX[2..],
                &HEX[1..],
                &long,
                &BASE64[4..],
                &padded,
                "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv9=",
                "ä",
            ] {
                let what = Cipher::from_text(wrong).err().unwrap();
                assert!(what.contains("openssl rand -base64 32"));
                assert!(wrong.is_empty() || !what.contains(wrong), "{what}");
            }
        }

        #[test]
        fn without_randomness_nothing_is_encrypted() {
            let error = cipher()
                .seal_with(b"text", b"", |_| Err(getrandom::Error::UNSUPPORTED))
                .unwrap_err();
            assert!(error.to_string().contains("no random bytes"), "{error}");
        }

        #[test]
        fn the_same_value_is_never_encrypted_to_the_same_bytes() {
            let cipher = cipher();
            assert_ne!(
                cipher.seal(b"text", b"").unwrap(),
                cipher.seal(b"text", b"").unwrap()
            );
        }

        /// Source: NIST, `gcmEncryptExtIV256.rsp`, 128 bits of text and of associated data, count 0.
        #[test]
        fn it_is_the_aes_gcm_of_everybody_else() {
            let hex = |text: &str| -> Vec<u8> {
                let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
                (0..text.len()).step_by(2).map(byte).collect()
            };
            let key = "92e11dcdaa866f5ce790fd24501f92509aacf4cb8b1339d50c9c1240935dd08b";
            let sealed = hex(concat!(
                "ac93a1a6145299bde902f21a",
                "8995ae2e6df3dbf96fac7b7137bae67f",
                "eca5aa77d51d4a0a14d9c51e1da474ab",
            ));
            let bound_to = hex("1e0889016f67601c8ebea4943bc23ad6");
            let cipher = Cipher::from_text(key).unwrap();
            assert_eq!(
                cipher.open(sealed, &bound_to).unwrap(),
                hex("2d71bcfa914e4ac045b2aa60955fad24")
            );
        }
    }
}

#[cfg(not(feature = "encrypt"))]
mod without_feature {
    use crate::error::Error;

    /// There is none in this build.
    pub(crate) enum Cipher {}

    impl Cipher {
        pub(crate) const OVERHEAD: usize = 0;

        pub(crate) fn from_text(_text: &str) -> Result<Self, &'static str> {
            Err("this build of millpond lacks the feature `encrypt`; add it in Cargo.toml")
        }

        pub(crate) fn seal(&self, _plain: &[u8], _bound_to: &[u8]) -> Result<Vec<u8>, Error> {
            match *self {}
        }

        pub(crate) fn open(&self, _sealed: Vec<u8>, _bound_to: &[u8]) -> Result<Vec<u8>, String> {
            match *self {}
        }
    }
}
