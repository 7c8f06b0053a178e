//! A program of a document: a test that runs it in a process of its own, where nothing is configured.

use super::process::CONFIGURATION;
use std::fmt::Debug;
use std::process::Command;

/// Runs this `main` in a process of its own, which is this test binary with only the test of this name. Whoever runs the
/// tests may have a database of their own in the environment, with keys such as `user:42`.
pub(crate) fn alone<R: Succeeds>(test: &str, main: fn() -> R) {
    const INSIDE: &str = "MILLPOND_TEST_PROGRAM";
    if std::env::var_os(INSIDE).is_some() {
        main().succeeds();
        return;
    }
    let mut program = Command::new(std::env::current_exe().expect("a process knows its binary"));
    program.args([test, "--exact"]).env(INSIDE, "1");
    for name in CONFIGURATION {
        program.env_remove(name);
    }
    let output = program.output().expect("the test binary starts");
    let printed = String::from_utf8_lossy(&output.stdout);
    let ran = output.status.success() && printed.contains("1 passed");
    assert!(ran, "{printed}{}", String::from_utf8_lossy(&output.stderr));
}

/// What a `main` may return.
pub(crate) trait Succeeds {
    fn succeeds(self);
}

impl Succeeds for () {
    fn succeeds(self) {}
}

impl<E: Debug> Succeeds for Result<(), E> {
    fn succeeds(self) {
        self.expect("the program succeeds");
    }
}
