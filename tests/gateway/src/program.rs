//! Programs that tests need and a machine may lack.

use std::path::Path;

/// Whether a program of this name is on the `PATH`.
pub fn found(name: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| is_file(&folder.join(name))))
}

/// Whether a missing program fails the tests that need it, as in CI and under `tests/run`.
pub fn required() -> bool {
    ["CI", "MILLPOND_TEST_REQUIRE"].iter().any(|name| {
        std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "false")
    })
}

/// Whether a program is there; a test that needs it is left out otherwise.
///
/// # Panics
///
/// When it is missing although it is [`required`].
pub fn present_or_required(name: &str) -> bool {
    let found = found(name);
    assert!(
        found || !required(),
        "{name} is missing; tests/run installs it"
    );
    found
}

fn is_file(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
}
