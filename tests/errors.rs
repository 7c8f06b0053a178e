//! What an error says about what to do: whether the call may be made again, and whether its change may have been made.
//! Each kind is met as a caller meets it, by a real fault where one is needed.

mod support;

use millpond::{Error, ErrorKind, Millpond, ttl};
use millpond_gateway::{Fault, Matcher, needs_redis};
use std::time::Duration;
use support::{builder, gateway};

/// What an error says: its kind, and the two answers.
fn says<T>(result: Result<T, Error>) -> (ErrorKind, bool, bool) {
    let error = result.err().expect("it fails");
    (error.kind(), error.is_retryable(), error.may_have_run())
}

/// The server knows the scripts, so that one command is one call.
#[cfg(feature = "upstash")]
async fn warm(pond: &Millpond) {
    pond.increment("warm", 1, None).await.unwrap();
    pond.expire("warm", ttl::LONG).await.unwrap();
}

const AGAIN: bool = true;
const PERHAPS: bool = true;

#[tokio::test]
async fn what_the_server_or_the_crate_refused_did_not_run_and_fails_again() {
    let pond = Millpond::builder().max_value_bytes(100).build().unwrap();
    let no = |kind| (kind, !AGAIN, !PERHAPS);
    pond.command(["RPUSH", "list", "job"]).await.unwrap();
    pond.set("text", "Ada", ttl::SHORT).await.unwrap();
    pond.command(["SET", "most", &i64::MAX.to_string()])
        .await
        .unwrap();
    assert_eq!(
        says(pond.get::<String>("list").await),
        no(ErrorKind::WrongType)
    );
    assert_eq!(says(pond.get::<u8>("text").await), no(ErrorKind::Decode));
    assert_eq!(
        says(pond.increment("text", 1, None).await),
        no(ErrorKind::NotANumber)
    );
    assert_eq!(
        says(pond.increment("most", 1, None).await),
        no(ErrorKind::Overflow)
    );
    assert_eq!(
        says(pond.set("", "Ada", ttl::SHORT).await),
        no(ErrorKind::InvalidKey)
    );
    assert_eq!(
        says(pond.set("text", "Ada", Duration::ZERO).await),
        no(ErrorKind::InvalidValue)
    );
    assert_eq!(
        says(pond.set("text", &"x".repeat(200), ttl::SHORT).await),
        no(ErrorKind::TooLarge)
    );
    assert_eq!(
        says(pond.command(["NONSENSE"]).await),
        no(ErrorKind::Unsupported)
    );
    assert_eq!(
        says(pond.command(["SET", "a", "b", "EX", "x"]).await),
        no(ErrorKind::Server)
    );
    assert_eq!(
        says(Millpond::builder().upstash("", "token").build()),
        no(ErrorKind::Config)
    );
    let reply = pond.command(["GET", "text"]).await.unwrap();
    assert_eq!(says(reply.parse::<Vec<String>>()), no(ErrorKind::Protocol));
}

#[tokio::test]
async fn a_lock_that_is_held_may_be_asked_for_again() {
    let pond = Millpond::memory();
    let _guard = pond.lock("lock:x", ttl::SHORT).await.unwrap();
    let second = pond.lock("lock:x", ttl::SHORT).wait(Duration::ZERO).await;
    assert_eq!(says(second), (ErrorKind::Locked, AGAIN, !PERHAPS));
}

#[tokio::test]
async fn what_never_left_may_be_made_again() {
    for pond in unreachable() {
        let unavailable = (ErrorKind::Unavailable, AGAIN, !PERHAPS);
        assert_eq!(says(pond.get::<String>("a").await), unavailable);
        assert_eq!(says(pond.expire("a", ttl::SHORT).await), unavailable);
        assert_eq!(says(pond.increment("a", 1, None).await), unavailable);
    }
}

fn unreachable() -> Vec<Millpond> {
    let ponds: Vec<Result<Millpond, Error>> = vec![
        #[cfg(feature = "upstash")]
        Millpond::builder()
            .upstash("http://127.0.0.1:9", "token")
            .retries(0)
            .build(),
        #[cfg(feature = "redis")]
        Millpond::builder()
            .redis("redis://127.0.0.1:9")
            .retries(0)
            .build(),
    ];
    ponds.into_iter().map(Result::unwrap).collect()
}

#[cfg(feature = "upstash")]
#[tokio::test]
async fn what_left_and_was_not_answered_may_have_run_if_it_changes_something() {
    let gateway = gateway(needs_redis!()).await;
    let pond = builder(&gateway).retries(0).build().unwrap();
    let database = gateway.database();
    database.command(["SET", "kept", "1"]).await.unwrap();

    warm(&pond).await;

    // The answer is lost; the command ran.
    for command in ["EVALSHA", "GET"] {
        gateway.inject(Matcher::command(command).always(), Fault::ResetAfter);
    }
    let expired = pond.expire("kept", ttl::LONG).await;
    assert_eq!(says(expired), (ErrorKind::OutcomeUnknown, !AGAIN, PERHAPS));
    let counted = pond.increment("views", 1, None).await;
    assert_eq!(says(counted), (ErrorKind::OutcomeUnknown, !AGAIN, PERHAPS));
    let read = pond.get::<u8>("other").await;
    assert_eq!(says(read), (ErrorKind::Unavailable, AGAIN, !PERHAPS));
    gateway.heal();
    assert_eq!(pond.get::<u8>("views").await.unwrap(), Some(1));
    assert!(pond.ttl("kept").await.unwrap().duration().is_some());
}

#[cfg(feature = "upstash")]
#[tokio::test]
async fn what_was_not_answered_in_time_may_have_run_if_it_changes_something() {
    let gateway = gateway(needs_redis!()).await;
    let pond = support::builder(&gateway)
        .budget(Duration::from_millis(50))
        .build()
        .unwrap();
    warm(&builder(&gateway).build().unwrap()).await;
    for (call, command, wanted) in [
        (
            "expire",
            "EVALSHA",
            (ErrorKind::OutcomeUnknown, !AGAIN, PERHAPS),
        ),
        (
            "increment",
            "EVALSHA",
            (ErrorKind::OutcomeUnknown, !AGAIN, PERHAPS),
        ),
        ("get", "GET", (ErrorKind::Timeout, AGAIN, !PERHAPS)),
    ] {
        let hold = gateway.hold_before(command);
        let says = match call {
            "expire" => says(pond.expire("kept", ttl::LONG).await),
            "increment" => says(pond.increment("views", 1, None).await),
            _ => says(pond.get::<u8>("other").await),
        };
        assert_eq!(says, wanted, "{call}");
        hold.release();
    }
}

#[cfg(feature = "upstash")]
#[tokio::test]
async fn an_answer_that_cannot_be_read_says_nothing_about_what_ran() {
    let gateway = gateway(needs_redis!()).await;
    let pond = builder(&gateway).retries(0).build().unwrap();
    for command in ["EVALSHA", "GET"] {
        gateway.inject(Matcher::command(command).always(), Fault::html());
    }
    let expired = pond.expire("kept", ttl::LONG).await;
    assert_eq!(says(expired), (ErrorKind::Protocol, !AGAIN, PERHAPS));
    let counted = pond.increment("views", 1, None).await;
    assert_eq!(says(counted), (ErrorKind::Protocol, !AGAIN, PERHAPS));
    let read = pond.get::<u8>("other").await;
    assert_eq!(says(read), (ErrorKind::Protocol, !AGAIN, !PERHAPS));
}

#[cfg(feature = "upstash")]
#[tokio::test]
async fn a_server_that_is_not_ready_ran_nothing_and_may_be_asked_again() {
    let gateway = gateway(needs_redis!()).await;
    let pond = builder(&gateway).retries(0).build().unwrap();
    for (text, again) in [
        ("LOADING Redis is loading the dataset in memory", AGAIN),
        (
            "OOM command not allowed when used memory > 'maxmemory'.",
            !AGAIN,
        ),
    ] {
        gateway.inject("EVALSHA", Fault::error(400, text));
        let counted = pond.increment("views", 1, None).await;
        assert_eq!(
            says(counted),
            (ErrorKind::Server, again, !PERHAPS),
            "{text}"
        );
    }
    gateway.inject(
        "EVALSHA",
        Fault::error(401, "WRONGPASS invalid or missing auth token"),
    );
    let counted = pond.increment("views", 1, None).await;
    assert_eq!(says(counted), (ErrorKind::Auth, !AGAIN, !PERHAPS));
}

#[test]
fn errors_of_one_kind_are_equal_whatever_they_say() {
    let error = |url: &str| {
        Millpond::builder()
            .upstash(url, "token")
            .build()
            .unwrap_err()
    };
    assert_ne!(error("").to_string(), error("ftp://x.y").to_string());
    assert_eq!(error(""), error("ftp://x.y"));
}
