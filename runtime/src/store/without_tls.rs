//! What to say where this build has no TLS.

use crate::error::{Error, ErrorKind};

pub(crate) fn missing_tls(scheme: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!(
            "this build of millpond lacks TLS, which {scheme} asks for; add the feature `tls` in \
             Cargo.toml (or `tls-ring`, where the program's rustls has ring alone)"
        ),
    )
}
