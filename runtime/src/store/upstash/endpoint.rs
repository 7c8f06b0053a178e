//! Where to send and with which token: checked once, before anything leaves.

#[cfg(target_arch = "wasm32")]
use super::js_url::Url;
use crate::error::{Error, ErrorKind};
use crate::secret::Secret;
use crate::store::this_machine::is_this_machine;
use http::header::HeaderValue;
#[cfg(not(target_arch = "wasm32"))]
use url::Url;

/// Where requests go, for error texts.
pub(crate) struct Place {
    pub(crate) host: String,
    /// What the address is called where it was found.
    pub(crate) variable: &'static str,
}

/// The address of one of the protocol's paths; a path in front of it is kept.
///
/// `plain_http`: whether it may be plain http to another machine.
pub(crate) fn url(text: &str, path: &str, plain_http: bool) -> Result<Url, Error> {
    check_text("URL", text)?;
    let base = text.strip_suffix('/').unwrap_or(text);
    let url = Url::parse(&format!("{base}/{path}")).map_err(|_| {
        config("the Upstash URL is not a URL; it looks like https://<name>.upstash.io")
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(config(
            "the Upstash URL holds a user name or password; leave them out and give the token apart",
        ));
    }
    if text.contains(['?', '#']) {
        return Err(config(
            "the Upstash URL holds a `?` or `#`; leave out everything from there on",
        ));
    }
    match url.scheme() {
        #[cfg(not(any(feature = "tls", feature = "tls-ring", target_arch = "wasm32")))]
        "https" => return Err(crate::store::missing_tls("https")),
        #[cfg(any(feature = "tls", feature = "tls-ring", target_arch = "wasm32"))]
        "https" => {}
        "http" if plain_http || is_loopback(&url) => {}
        "http" => {
            return Err(config(
                "the Upstash URL is plain http to another machine, which would show the token to \
                 the network; write https, or allow it with Builder::allow_plain_http(true) or \
                 MILLPOND_ALLOW_PLAIN_HTTP=1",
            ));
        }
        "redis" | "rediss" => {
            return Err(config(
                "the Upstash URL is the one for TCP clients; take the REST URL, which begins with \
                 https, or configure it as a Redis",
            ));
        }
        _ => return Err(config("the Upstash URL does not begin with https")),
    }
    Ok(url)
}

/// The token as a header.
pub(crate) fn authorization(token: &Secret) -> Result<HeaderValue, Error> {
    let text = token.reveal();
    check_text("token", text)?;
    if text.starts_with("Bearer ") {
        return Err(config(
            "the Upstash token begins with `Bearer`; leave that word out",
        ));
    }
    let mut header = HeaderValue::try_from(format!("Bearer {text}")).map_err(|_| {
        config("the Upstash token holds characters that a header cannot; copy it anew")
    })?;
    header.set_sensitive(true);
    Ok(header)
}

fn check_text(what: &str, text: &str) -> Result<(), Error> {
    if text.is_empty() {
        return Err(config(format!("the Upstash {what} is empty")));
    }
    if text.trim() != text {
        return Err(config(format!(
            "the Upstash {what} begins or ends with white space; remove it"
        )));
    }
    if text.starts_with(['"', '\'']) || text.ends_with(['"', '\'']) {
        return Err(config(format!(
            "the Upstash {what} is in quotes; remove them"
        )));
    }
    Ok(())
}

/// Whether what is sent there can be read on the way.
pub(crate) fn is_exposed(url: &Url) -> bool {
    url.scheme() == "http" && !is_loopback(url)
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(is_this_machine)
}

fn config(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_is_kept_and_one_slash_is_not() {
        let url = |text| super::url(text, "pipeline", false).unwrap().to_string();
        assert_eq!(url("https://x.upstash.io"), "https://x.upstash.io/pipeline");
        assert_eq!(
            url("https://x.upstash.io/"),
            "https://x.upstash.io/pipeline"
        );
        assert_eq!(
            url("http://127.0.0.1:80/a/b/"),
            "http://127.0.0.1/a/b/pipeline"
        );
        assert_eq!(url("http://[::1]:9/"), "http://[::1]:9/pipeline");
        assert_eq!(url("http://localhost:9"), "http://localhost:9/pipeline");
    }

    #[test]
    fn each_wrong_url_says_what_is_wrong_with_it() {
        let wrong = [
            ("", "empty"),
            (" https://x.upstash.io", "white space"),
            ("https://x.upstash.io\n", "white space"),
            ("\"https://x.upstash.io\"", "quotes"),
            ("x.upstash.io", "not a URL"),
            ("http://x.upstash.io", "write https"),
            ("http://127.0.0.1.evil.example", "write https"),
            (
                "rediss://default:pw@x.upstash.io:6379",
                "user name or password",
            ),
            ("rediss://x.upstash.io:6379", "REST URL"),
            ("ftp://x.upstash.io", "begin with https"),
            ("https://x.upstash.io?_token=abc", "`?`"),
            ("https://user:hunter2@x.upstash.io", "user name or password"),
        ];
        for (text, part) in wrong {
            let error = super::url(text, "pipeline", false).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{text}");
            assert!(error.to_string().contains(part), "{text}: {error}");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn each_wrong_token_says_what_is_wrong_with_it_and_is_not_shown() {
        let wrong = [
            ("", "empty"),
            ("hunter2 ", "white space"),
            ("hunter2\r\nX-Evil: 1", "cannot"),
            ("Bearer hunter2", "Bearer"),
            ("'hunter2'", "quotes"),
        ];
        for (text, part) in wrong {
            let error = authorization(&Secret::new(text)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{text}");
            assert!(error.to_string().contains(part), "{text}: {error}");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
        let header = authorization(&Secret::new("hunter2")).unwrap();
        assert!(!format!("{header:?}").contains("hunter2"));
    }
}
