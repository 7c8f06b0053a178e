//! TLS of both remote engines: the same authorities are trusted, and the same provider is chosen.
//!
//! The authorities are those of the system, or of `SSL_CERT_FILE` and `SSL_CERT_DIR`. Each engine would
//! load its own otherwise, and `redis` others as soon as some crate of the program turns on its feature
//! `tls-rustls-webpki-roots` or `tls-native-tls`.

use crate::error::{Error, ErrorKind};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// A configuration for a client that hands it over itself. `verified` is `false` where nothing but plain
/// text is spoken: no certificate is ever looked at, and none is loaded.
#[cfg(feature = "upstash")]
pub(crate) fn client(verified: bool) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    if verified {
        roots.add_parsable_certificates(authorities()?);
    }
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::with_source(ErrorKind::Config, "TLS could not be set up", error))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The authorities as `redis` takes them.
#[cfg(feature = "redis")]
pub(crate) fn pem() -> Result<Vec<u8>, Error> {
    use base64::Engine as _;
    let mut pem = String::new();
    for authority in authorities()? {
        let text = base64::engine::general_purpose::STANDARD.encode(authority);
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        pem.push_str(&text);
        pem.push_str("\n-----END CERTIFICATE-----\n");
    }
    Ok(pem.into_bytes())
}

/// Sees to it that the process has a provider. `redis` takes that one and no other, and panics where
/// nobody has chosen between two.
#[cfg(feature = "redis")]
pub(crate) fn provide() {
    if CryptoProvider::get_default().is_none() {
        // Another thread may be faster: then there is one, which is all that matters.
        let _ = CryptoProvider::install_default(ours());
    }
}

/// What the program has chosen, if it has.
#[cfg(feature = "upstash")]
fn provider() -> Arc<CryptoProvider> {
    CryptoProvider::get_default()
        .cloned()
        .unwrap_or_else(|| Arc::new(ours()))
}

fn ours() -> CryptoProvider {
    #[cfg(feature = "tls")]
    return rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "tls"))]
    return rustls::crypto::ring::default_provider();
}

/// The authorities that can be read; one that cannot is no reason to trust none.
fn authorities() -> Result<Vec<CertificateDer<'static>>, Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let mut usable = found.certs;
    usable.retain(|authority| roots.add(authority.clone()).is_ok());
    if !usable.is_empty() {
        return Ok(usable);
    }
    let message = "no certificate authorities were found on this system, so TLS can trust nobody; install \
                   them (`ca-certificates`) or name a file of them in SSL_CERT_FILE";
    Err(match found.errors.into_iter().next() {
        Some(error) => Error::with_source(ErrorKind::Config, message, error),
        None => Error::new(ErrorKind::Config, message),
    })
}
