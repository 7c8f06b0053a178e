//! The `URL` of JavaScript, under the names of the crate `url`, whose tables of Unicode weigh a third of a module.

/// An address that was parsed by the same rules.
pub(crate) struct Url {
    href: String,
    scheme: String,
    username: String,
    password: String,
    host: String,
    port: Option<u16>,
}

/// A text that is no address.
pub(crate) struct NoUrl;

impl Url {
    pub(crate) fn parse(text: &str) -> Result<Self, NoUrl> {
        let url = web_sys::Url::new(text).map_err(|_| NoUrl)?;
        Ok(Self {
            href: url.href(),
            scheme: url.protocol().trim_end_matches(':').to_owned(),
            username: url.username(),
            password: url.password(),
            host: url.hostname(),
            port: url.port().parse().ok(),
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.href
    }

    pub(crate) fn scheme(&self) -> &str {
        &self.scheme
    }

    pub(crate) fn username(&self) -> &str {
        &self.username
    }

    pub(crate) fn password(&self) -> Option<&str> {
        (!self.password.is_empty()).then_some(self.password.as_str())
    }

    pub(crate) fn host_str(&self) -> Option<&str> {
        (!self.host.is_empty()).then_some(self.host.as_str())
    }

    pub(crate) fn port(&self) -> Option<u16> {
        self.port
    }
}
