//! TLS of both remote engines: the same authorities are trusted, and the same provider is chosen.
//!
//! The authorities are those of the system, or of `SSL_CERT_FILE` and `SSL_CERT_DIR`. Each engine would
//! load its own otherwise, and `redis` others as soon as some crate of the program turns on its feature
//! `tls-rustls-webpki-roots` or `tls-native-tls`. `redis` would also take the provider of the process and
//! panic where nobody has chosen one of two; handing the configuration over leaves that choice alone.

use crate::error::{Error, ErrorKind};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
#[cfg(feature = "redis")]
use std::sync::OnceLock;

/// A configuration for a client that hands it over itself. `verified` is `false` where nothing but plain
/// text is spoken: no certificate is ever looked at, and none is loaded.
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

/// The configuration of every connection over RESP; the authorities are read once.
#[cfg(feature = "redis")]
pub(crate) fn shared() -> Result<Arc<ClientConfig>, Error> {
    static SHARED: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = SHARED.get() {
        return Ok(Arc::clone(config));
    }
    let config = Arc::new(client(true)?);
    Ok(Arc::clone(SHARED.get_or_init(|| config)))
}

/// What the program has chosen, if it has.
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
