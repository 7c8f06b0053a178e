//! What is sent again after which failure, and what each wrong answer means.

use super::server::{Fault, Server};
use super::*;
use tokio::net::TcpSocket;

#[tokio::test]
async fn a_refused_connection_is_retried_whatever_the_command_does() {
    // Bound, so that nobody else is given the port, and not listening.
    let nobody = TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    let (store, meter) = client(&url, |config| config.retries = 3);
    let error = one(&store, once("INCR a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(
        error.to_string().contains("could not connect to 127.0.0.1"),
        "{error}"
    );
    assert_eq!((meter.retries.get(), meter.requests.get()), (3, 0));
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_server_without_tls_gets_nothing_over_https() {
    let server = Server::start().await;
    let url = server.url.replace("http:", "https:");
    let (store, meter) = client(&url, |config| config.retries = 1);
    let error = one(&store, once("SET a private")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert_eq!((meter.retries.get(), meter.requests.get()), (1, 0));
}

#[tokio::test]
async fn after_sending_only_what_may_run_twice_is_sent_again() {
    for fault in [
        Fault::Close,
        Fault::RunAndClose,
        Fault::Truncate,
        Fault::Answer(503, "<html>busy</html>".into()),
        Fault::Answer(502, r#"{"error":"bad gateway"}"#.into()),
        Fault::Answer(429, String::new()),
    ] {
        let server = Server::start().await;
        let (store, meter) = client(&server.url, |_| {});
        server.fail_next([fault.clone()]);
        let error = one(&store, once("INCR a")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{fault:?}");
        assert_eq!(
            (meter.requests.get(), meter.retries.get()),
            (1, 0),
            "{fault:?}"
        );

        server.fail_next([fault.clone(), fault.clone()]);
        assert_eq!(
            one(&store, read("GET b")).await.unwrap(),
            Reply::Nil,
            "{fault:?}"
        );
        assert_eq!(
            (meter.requests.get(), meter.retries.get()),
            (4, 2),
            "{fault:?}"
        );
        server.fail_next([fault.clone()]);
        let repeatable = plain(Effect::Repeatable, "SET b 1");
        one(&store, repeatable).await.unwrap();
    }
}

#[tokio::test]
async fn a_command_that_must_not_run_twice_does_not_hold_back_its_neighbours() {
    let server = Server::start().await;
    let (store, _) = client(&server.url, |_| {});
    server.fail_next([Fault::RunAndClose]);
    let commands = [
        plain(Effect::Repeatable, "SET a 1"),
        once("INCR n"),
        read("GET a"),
    ];
    let replies = send(&store, LONG, commands).await;
    assert_eq!(replies[0].as_ref().unwrap(), &bulk("OK"));
    assert_eq!(
        replies[1].as_ref().unwrap_err().kind(),
        ErrorKind::OutcomeUnknown
    );
    assert_eq!(replies[2].as_ref().unwrap(), &bulk("1"));
    assert_eq!(server.log(), ["SET INCR GET", "SET GET"]);
    assert_eq!(one(&store, read("GET n")).await.unwrap(), bulk("1"));
}

#[tokio::test]
async fn a_connection_that_the_server_closes_after_each_answer_fails_no_read() {
    let server = Server::start().await;
    let (store, _) = client(&server.url, |_| {});
    for _ in 0..50 {
        server.fail_next([Fault::LastAnswer]);
        assert_eq!(one(&store, read("GET a")).await.unwrap(), Reply::Nil);
    }
}

#[tokio::test]
async fn an_idle_connection_that_the_server_closed_makes_nothing_unknown() {
    let server = Server::start().await;
    let (store, _) = client(&server.url, |config| config.retries = 0);
    for wanted in 1..=50 {
        server.fail_next([Fault::LastAnswer]);
        let count = one(&store, once("INCR n")).await;
        assert_eq!(count.unwrap(), Reply::Int(wanted));
        // Its end arrives in a turn of the scheduler.
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_server_that_rejects_writes_for_a_moment_is_asked_again() {
    let server = Server::start().await;
    let (store, meter) = client(&server.url, |_| {});
    let busy = r#"[{"error":"READONLY Writes are temporarily rejected due to server upgrade"}]"#;
    server.fail_next([Fault::Answer(200, busy.into())]);
    one(&store, plain(Effect::Repeatable, "SET a 1"))
        .await
        .unwrap();
    assert_eq!(meter.retries.get(), 1);
    server.fail_next([Fault::Answer(200, busy.into())]);
    // It did not run, so even what must not run twice is sent again.
    assert_eq!(one(&store, once("INCR a")).await.unwrap(), Reply::Int(2));
    assert_eq!(meter.retries.get(), 2);
    assert_eq!(server.log(), ["SET", "SET", "INCR", "INCR"]);
}

#[tokio::test]
async fn what_follows_a_rejected_write_in_its_batch_is_sent_again_after_it() {
    let server = Server::start().await;
    let (store, _) = client(&server.url, |_| {});
    let answers = |second: &str| {
        let busy = r#"{"error":"READONLY Writes are temporarily rejected"}"#;
        Fault::Answer(200, format!("[{busy},{second}]"))
    };
    let guard = || plain(Effect::Repeatable, "SET guard 1");
    server.fail_next([answers(r#"{"result":0}"#)]);
    let replies = send(&store, LONG, [guard(), plain(Effect::Repeatable, "DEL a")]).await;
    assert!(replies.iter().all(Result::is_ok), "{replies:?}");
    server.fail_next([answers(r#"{"result":1}"#)]);
    let replies = send(&store, LONG, [guard(), once("INCR n")]).await;
    assert_eq!(replies[0].as_ref().unwrap_err().kind(), ErrorKind::Server);
    assert_eq!(replies[1].as_ref().unwrap(), &Reply::Int(1));
    assert_eq!(server.log(), ["SET DEL", "SET DEL", "SET INCR"]);
}

#[tokio::test]
async fn a_result_of_an_unknown_shape_fails_no_neighbour() {
    let server = Server::start().await;
    let (store, _) = client(&server.url, |_| {});
    let odd = ["1.5", "true", r#"{"a":[1,{}]}"#, "18446744073709551615"];
    for odd in odd.into_iter().chain(["[1.5]"]) {
        let body = format!(r#"[{{"result":1}},{{"result":{odd}}},{{"result":"T0s="}}]"#);
        server.fail_next([Fault::Answer(200, body)]);
        let replies = send(&store, LONG, [once("A"), once("B"), once("C")]).await;
        assert_eq!(replies[0].as_ref().unwrap(), &Reply::Int(1), "{odd}");
        let kind = replies[1].as_ref().unwrap_err().kind();
        assert_eq!(kind, ErrorKind::Protocol, "{odd}");
        assert_eq!(replies[2].as_ref().unwrap(), &bulk("OK"), "{odd}");
    }
}

#[tokio::test]
async fn reads_whose_answer_is_too_large_together_are_sent_apart() {
    let server = Server::start().await;
    let (store, _) = client(&server.url, |config| config.largest_answer = 80);
    one(&store, once("SET small 1")).await.unwrap();
    let large = once(&format!("SET large {}", "x".repeat(100)));
    one(&store, large).await.unwrap();
    let reads = ["GET small", "GET large", "GET small"].map(read);
    let replies = send(&store, LONG, reads).await;
    assert_eq!(replies[0].as_ref().unwrap(), &bulk("1"));
    assert_eq!(replies[1].as_ref().unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(replies[2].as_ref().unwrap(), &bulk("1"));
    let both = [once("INCR n"), once("GET large")];
    let replies = send(&store, LONG, both).await;
    let error = replies[0].as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "it has run");
    assert!(error.to_string().contains("over 80 bytes"), "{error}");
    assert_eq!(one(&store, read("GET n")).await.unwrap(), bulk("1"));
}

#[tokio::test]
async fn each_wrong_answer_has_its_kind_and_says_what_to_do() {
    use ErrorKind::{Auth, Protocol, Server as Refused, TooLarge, WrongType};
    let cases = [
        (200, "", Protocol, "empty"),
        (
            200,
            "<html>hi</html>",
            Protocol,
            "does not look like an Upstash REST endpoint",
        ),
        (
            404,
            "<html>no</html>",
            Protocol,
            "check UPSTASH_REDIS_REST_URL",
        ),
        (302, "", Protocol, "redirect"),
        (200, "[]", Protocol, "0 answers came for 1 commands"),
        (
            200,
            r#"[{"result":1},{"result":2}]"#,
            Protocol,
            "2 answers came for 1 commands",
        ),
        (200, "[{}]", Protocol, "neither a result nor an error"),
        (200, r#"[{"result":1"#, Protocol, "cut short"),
        (200, r#"[{"result":{"a":1}}]"#, Protocol, "unknown shape"),
        (200, r#"[{"result":true}]"#, Protocol, "unknown shape"),
        (
            200,
            r#"[{"result":18446744073709551615}]"#,
            Protocol,
            "unknown shape",
        ),
        (200, r#"[{"result":"not base64!"}]"#, Protocol, "not base64"),
        (200, r#"[{"result":["YQ==","YQ"]}]"#, Protocol, "not base64"),
        (
            200,
            r#"{"result":"OK"}"#,
            Protocol,
            "not one of an Upstash REST endpoint",
        ),
        (
            200,
            r#"{"error":"ERR max request size exceeded. Limit: 10 bytes"}"#,
            TooLarge,
            "max request",
        ),
        (
            400,
            r#"{"error":"ERR null args are not supported"}"#,
            Refused,
            "null args",
        ),
        (
            401,
            r#"{"error":"WRONGPASS hunter2-token"}"#,
            Auth,
            "check UPSTASH_REDIS_REST_TOKEN",
        ),
        (403, "", Auth, "check UPSTASH_REDIS_REST_TOKEN"),
        (413, "", TooLarge, "too large"),
        (
            200,
            r#"[{"error":"WRONGTYPE Operation against"}]"#,
            WrongType,
            "WRONGTYPE",
        ),
        (
            200,
            r#"[{"error":"NOPERM hunter2-token may not"}]"#,
            Auth,
            "*** may not",
        ),
    ];
    for (status, body, kind, part) in cases {
        let server = Server::start().await;
        let (store, meter) = client(&server.url, |_| {});
        server.fail_next([Fault::Answer(status, body.into())]);
        let error = one(&store, once("SET key private")).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {body}: {error}");
        assert!(error.to_string().contains(part), "{status} {body}: {error}");
        let whole = format!("{error:?}");
        assert!(
            !whole.contains("hunter2") && !whole.contains("private"),
            "{whole}"
        );
        assert_eq!(meter.requests.get(), 1, "{status} {body}");
    }
}
