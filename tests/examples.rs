//! The examples that need no server of their own, run as a reader would run them.

mod support;

use support::example::executable;
use support::process::CONFIGURATION;
use tokio::process::Command;

/// What an example prints, on the embedded engine.
async fn run(example: &str) -> String {
    let mut command = Command::new(executable(example));
    // Whoever runs the tests may have a database of their own in the environment, by any name.
    for name in CONFIGURATION {
        command.env_remove(name);
    }
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_session_survives_reading_and_login_but_not_logout() {
    let printed = run("sessions").await;
    for line in [
        "Hello stranger. home was seen 1 times; you saw 1 pages.",
        "Hello stranger. prices was seen 1 times; you saw 2 pages.",
        "The id stays while the visitor reads: true",
        "At login the id changes: true",
        "Hello Ada. home was seen 2 times; you saw 3 pages.",
        "With the id from before the login: Hello stranger. home was seen 3 times; you saw 1 pages.",
        "Logged out: true",
        "Hello stranger. home was seen 4 times; you saw 1 pages.",
    ] {
        assert!(printed.contains(line), "{line}\n---\n{printed}");
    }
}

#[tokio::test]
async fn an_answer_of_the_model_is_paid_for_once() {
    let printed = run("ai_responses").await;
    for line in [
        "key: ai:",
        "the same answer: true",
        "tokens paid for: 1000\ntokens paid for: 2000",
        "not cached: the prompt is empty",
        "answered from the cache all the same: true",
        "compressed",
    ] {
        assert!(printed.contains(line), "{line}\n---\n{printed}");
    }
    // The example goes by the real clock: at the end of a minute the window slides under it.
    let refused = ["refused: 1 of 12", "refused: 2 of 12"];
    assert!(refused.iter().any(|it| printed.contains(it)), "{printed}");
}
