//! Every fault does what it says, and a hold orders events without any sleeping.

mod http;

use http::{ask, gateway, open, post};
use millpond_gateway::{Fault, Gateway, Matcher, Reply, needs_redis};
use serde_json::json;
use std::io::ErrorKind;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

const INCR: &str = r#"["INCR","n"]"#;

async fn counter(gateway: &Gateway) -> Reply {
    gateway
        .database()
        .command(["GET", "n"])
        .await
        .expect("redis answers")
}

fn bulk(text: &'static str) -> Reply {
    Reply::Bulk(text.into())
}

#[tokio::test]
async fn a_reset_before_runs_nothing() {
    let gateway = gateway(needs_redis!()).await;
    gateway.inject("INCR", Fault::ResetBefore);
    assert_eq!(
        post(&gateway, "/", INCR).await.unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    assert_eq!(counter(&gateway).await, Reply::Nil);
    assert_eq!(ask(&gateway, "/", INCR).await, json!({"result": 1}));
    assert_eq!(gateway.commands().len(), 2);
}

#[tokio::test]
async fn a_reset_after_loses_the_answer_and_not_the_work() {
    let gateway = gateway(needs_redis!()).await;
    gateway.inject("INCR", Fault::ResetAfter);
    assert_eq!(
        post(&gateway, "/", INCR).await.unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    assert_eq!(counter(&gateway).await, bulk("1"));
}

#[tokio::test]
async fn a_truncated_body_ends_in_the_middle_of_what_was_promised() {
    let gateway = gateway(needs_redis!()).await;
    gateway.inject("INCR", Fault::Truncated);
    let answer = post(&gateway, "/", INCR).await.unwrap();
    assert_eq!(
        (answer.status, answer.promised()),
        (200, r#"{"result":1}"#.len())
    );
    assert_eq!(answer.body, br#"{"resu"#);
    assert_eq!(counter(&gateway).await, bulk("1"));
}

#[tokio::test]
async fn made_up_answers_come_back_and_nothing_runs() {
    let gateway = gateway(needs_redis!()).await;
    gateway.inject("INCR", Fault::html());
    gateway.inject("INCR", Fault::json("[]"));
    gateway.inject(
        "INCR",
        Fault::error(200, "ERR max daily request limit exceeded"),
    );
    gateway.inject("INCR", Fault::status(503));
    let html = post(&gateway, "/", INCR).await.unwrap();
    assert_eq!(
        (html.status, html.header("content-type")),
        (200, Some("text/html"))
    );
    assert_eq!(ask(&gateway, "/", INCR).await, json!([]));
    let error = post(&gateway, "/", INCR).await.unwrap();
    let expected = json!({"error": "ERR max daily request limit exceeded"});
    assert_eq!((error.status, error.json()), (200, expected));
    assert_eq!(post(&gateway, "/", INCR).await.unwrap().status, 503);
    assert_eq!(ask(&gateway, "/", INCR).await, json!({"result": 1}));
}

#[tokio::test]
async fn a_slow_answer_is_late() {
    let gateway = gateway(needs_redis!()).await;
    let late = Duration::from_millis(50);
    gateway.inject("INCR", Fault::Slow(late));
    let start = Instant::now();
    assert_eq!(ask(&gateway, "/", INCR).await, json!({"result": 1}));
    assert!(start.elapsed() >= late);
}

#[tokio::test]
async fn a_fault_meets_only_the_requests_it_is_for() {
    let gateway = gateway(needs_redis!()).await;
    let second_and_third = Matcher::command("incr").after(1).times(2);
    gateway.inject(second_and_third, Fault::status(500));
    let mut statuses = Vec::new();
    for body in [r#"["GET","n"]"#, INCR, INCR, r#"["GET","n"]"#, INCR, INCR] {
        statuses.push(post(&gateway, "/", body).await.unwrap().status);
    }
    assert_eq!(statuses, [200, 200, 500, 200, 500, 200]);

    gateway.inject(Matcher::argument("m").always(), Fault::status(429));
    assert_eq!(
        post(&gateway, "/pipeline", r#"[["GET","n"],["GET","m"]]"#)
            .await
            .unwrap()
            .status,
        429
    );
    assert_eq!(
        post(&gateway, "/pipeline", r#"[["GET","n"]]"#)
            .await
            .unwrap()
            .status,
        200
    );
    gateway.heal();
    assert_eq!(
        post(&gateway, "/", r#"["GET","m"]"#).await.unwrap().status,
        200
    );
}

#[tokio::test]
async fn a_hold_withholds_the_answer_of_work_that_is_done() {
    let gateway = gateway(needs_redis!()).await;
    let hold = gateway.hold("INCR");
    let first = post(&gateway, "/", INCR);
    let rest = async {
        hold.arrived().await;
        assert_eq!(counter(&gateway).await, bulk("1"));
        assert_eq!(ask(&gateway, "/", INCR).await, json!({"result": 2}));
        hold.release();
    };
    let (first, ()) = tokio::join!(first, rest);
    assert_eq!(first.unwrap().json(), json!({"result": 1}));
}

#[tokio::test]
async fn a_hold_before_withholds_the_work() {
    let gateway = gateway(needs_redis!()).await;
    let hold = gateway.hold_before("INCR");
    let first = post(&gateway, "/", INCR);
    let rest = async {
        hold.arrived().await;
        assert_eq!(counter(&gateway).await, Reply::Nil);
        assert_eq!(ask(&gateway, "/", INCR).await, json!({"result": 1}));
        hold.release();
    };
    let (first, ()) = tokio::join!(first, rest);
    assert_eq!(first.unwrap().json(), json!({"result": 2}));
}

#[tokio::test]
async fn held_work_goes_on_when_its_client_has_left() {
    let gateway = gateway(needs_redis!()).await;
    let hold = gateway.hold_before("INCR");
    let bearer = ["authorization: Bearer test-token"];
    let client = open(&gateway, "POST /", &bearer, INCR.as_bytes())
        .await
        .unwrap();
    hold.arrived().await;
    drop(client);
    hold.release();
    gateway.idle().await;
    assert_eq!(counter(&gateway).await, bulk("1"));
}

#[tokio::test]
async fn a_held_request_can_be_made_to_fail() {
    let gateway = gateway(needs_redis!()).await;
    let hold = gateway.hold(Matcher::command("INCR").times(2));
    let both = async { tokio::join!(post(&gateway, "/", INCR), post(&gateway, "/", INCR)) };
    let fail = async {
        hold.arrivals(2).await;
        hold.fail(Fault::ResetAfter);
    };
    let ((first, second), ()) = tokio::join!(both, fail);
    assert_eq!(first.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(second.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(counter(&gateway).await, bulk("2"));
}

#[tokio::test]
async fn a_gateway_that_refuses_can_accept_again_on_its_port() {
    let gateway = gateway(needs_redis!()).await;
    let address = gateway.url().trim_start_matches("http://").to_owned();
    let mut open = TcpStream::connect(&address).await.unwrap();
    assert_eq!(ask(&gateway, "/", INCR).await, json!({"result": 1}));
    gateway.refuse().await;
    assert_eq!(
        post(&gateway, "/", INCR).await.unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
    assert_eq!(
        open.read(&mut [0]).await.unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    gateway.accept().await;
    assert_eq!(ask(&gateway, "/", INCR).await, json!({"result": 2}));
}

#[tokio::test]
async fn the_log_wakes_who_waits_for_a_request() {
    let gateway = gateway(needs_redis!()).await;
    let ((), answer) = tokio::join!(
        gateway.wait_for(|requests| requests.iter().any(|request| request.has_command("incr"))),
        ask(&gateway, "/", INCR),
    );
    assert_eq!(answer, json!({"result": 1}));
    let request = gateway.requests().pop().unwrap();
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", "/")
    );
    assert_eq!(request.header("authorization"), Some("Bearer test-token"));
    gateway.clear();
    assert_eq!(gateway.requests(), []);
}

// A test's paused clock would otherwise jump past every time-out of the gateway.
#[tokio::test(start_paused = true)]
async fn a_gateway_serves_a_test_whose_clock_is_paused() {
    let gateway = gateway(needs_redis!()).await;
    assert_eq!(ask(&gateway, "/", INCR).await, json!({"result": 1}));
}
