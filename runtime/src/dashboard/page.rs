//! The page: one text, whose script and style its policy allows by their hashes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

pub(super) struct Page {
    pub(super) html: String,
    /// The `Content-Security-Policy`.
    pub(super) policy: String,
}

pub(super) static PAGE: LazyLock<Page> = LazyLock::new(|| {
    // A browser hashes what it parsed, where each line ends with one character, however a checkout wrote them.
    let plain = |text: &str| text.replace('\r', "");
    let html = plain(include_str!("page.html"));
    let style = plain(include_str!("page.css"));
    let script = [
        include_str!("gather.js"),
        include_str!("numbers.js"),
        include_str!("elements.js"),
        include_str!("functions.js"),
        include_str!("limits.js"),
        include_str!("map.js"),
        include_str!("page.js"),
    ]
    .concat();
    // One function around all of them, so that the page has no globals.
    let script = plain(&format!("\"use strict\";(() => {{\n{script}}})();\n"));
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    Page {
        policy: format!(
            "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            hash(&script),
            hash(&style)
        ),
        html: html
            .replacen("<style></style>", &format!("<style>{style}</style>"), 1)
            .replacen(
                "<script></script>",
                &format!("<script>{script}</script>"),
                1,
            ),
    }
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole_and_asks_for_nothing_else() {
        let html = &PAGE.html;
        assert!(html.contains("<style>:root {") && html.contains("<script>\"use strict\""));
        assert_eq!(html.matches("</script>").count(), 1);
        for other in [
            "http://",
            "https://",
            "src=",
            "@import",
            "url(",
            " style=\"",
            " onclick",
        ] {
            let found: Vec<_> = html.lines().filter(|line| line.contains(other)).collect();
            // The name of a namespace is no address.
            let found: Vec<_> = found
                .iter()
                .filter(|it| !it.contains("www.w3.org"))
                .collect();
            assert!(found.is_empty(), "{other}: {found:?}");
        }
    }

    #[test]
    fn no_script_makes_markup_of_text() {
        for forbidden in [
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "document.write",
            "eval(",
            "Function(",
        ] {
            assert!(!PAGE.html.contains(forbidden), "{forbidden}");
        }
    }
}
