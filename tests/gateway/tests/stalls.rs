//! The stalling proxy in front of both kinds of server.

mod http;

use http::{ask, gateway};
use millpond_gateway::{Connection, Database, Gateway, Reply, StallingProxy, needs_redis};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn command(text: &str) -> [Vec<bytes::Bytes>; 1] {
    [text
        .split(' ')
        .map(|word| bytes::Bytes::copy_from_slice(word.as_bytes()))
        .collect()]
}

async fn value(database: &Database) -> Option<String> {
    database.command(["GET", "k"]).await.unwrap().text()
}

async fn stalled(proxy: &StallingProxy, database: &Database) -> Connection {
    let mut client = proxy.connect(database).await.unwrap();
    // Past the connection's set-up, so that only what the test sends is stalled.
    let reply = client.call(&command("PING")[0]).await.unwrap();
    assert_eq!(reply, Reply::Status("PONG".to_owned()));
    client
}

#[tokio::test]
async fn a_stalled_command_arrives_after_its_client_left_and_later_ones_were_run() {
    let redis = needs_redis!();
    let database = redis.database();
    let proxy = StallingProxy::start(redis.port()).await.unwrap();
    let mut client = stalled(&proxy, &database).await;
    let stall = proxy.stall();
    assert_eq!(stall.held(), 0);
    client.send(&command("SET k old")).await.unwrap();
    stall.arrived().await;
    assert_eq!(stall.held(), 1);
    drop(client);
    let mut second = proxy.connect(&database).await.unwrap();
    second.call(&command("SET k new")[0]).await.unwrap();
    assert_eq!(value(&database).await.as_deref(), Some("new"));
    stall.release().await;
    assert_eq!(value(&database).await.as_deref(), Some("old"));
}

#[tokio::test]
async fn a_client_that_waits_gets_its_answer_when_the_stall_ends() {
    let redis = needs_redis!();
    let database = redis.database();
    let proxy = StallingProxy::start(redis.port()).await.unwrap();
    let mut client = stalled(&proxy, &database).await;
    let stall = proxy.stall();
    client.send(&command("SET k v")).await.unwrap();
    stall.arrived().await;
    assert_eq!(value(&database).await, None);
    drop(stall);
    let answer = client.receive().await.unwrap();
    assert_eq!(answer, Reply::Status("OK".to_owned()));
    assert_eq!(value(&database).await.as_deref(), Some("v"));
}

#[tokio::test]
async fn what_a_cut_stall_held_never_arrives() {
    let redis = needs_redis!();
    let database = redis.database();
    let proxy = StallingProxy::start(redis.port()).await.unwrap();
    let mut client = stalled(&proxy, &database).await;
    let stall = proxy.stall();
    client.send(&command("SET k v")).await.unwrap();
    stall.arrived().await;
    stall.cut();
    client.receive().await.unwrap_err();
    assert_eq!(value(&database).await, None);
    let mut client = stalled(&proxy, &database).await;
    proxy.cut();
    client.receive().await.unwrap_err();
}

#[tokio::test]
async fn answers_alone_can_be_stalled() {
    let redis = needs_redis!();
    let database = redis.database();
    let proxy = StallingProxy::start(redis.port()).await.unwrap();
    let mut client = stalled(&proxy, &database).await;
    let stall = proxy.stall_answers();
    client.send(&command("SET k v")).await.unwrap();
    stall.arrived().await;
    assert_eq!(value(&database).await.as_deref(), Some("v"));
    stall.cut();
    client.receive().await.unwrap_err();
}

#[tokio::test]
async fn a_stalled_request_runs_on_the_gateway_after_its_client_left() {
    let gateway = gateway(needs_redis!()).await;
    let proxy = StallingProxy::start(gateway.port()).await.unwrap();
    let mut client = TcpStream::connect(("127.0.0.1", proxy.port()))
        .await
        .unwrap();
    write(&mut client, &gateway, r#"["SET","k","first"]"#).await;
    let mut answer = [0; 12];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    let stall = proxy.stall();
    write(&mut client, &gateway, r#"["SET","k","old"]"#).await;
    stall.arrived().await;
    drop(client);
    assert_eq!(
        ask(&gateway, "/", r#"["SET","k","new"]"#).await,
        json!({"result": "OK"})
    );
    stall.release().await;
    gateway.idle().await;
    assert_eq!(value(gateway.database()).await.as_deref(), Some("old"));
}

async fn write(client: &mut TcpStream, gateway: &Gateway, body: &str) {
    let request = format!(
        "POST / HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{body}",
        gateway.token(),
        body.len()
    );
    client.write_all(request.as_bytes()).await.unwrap();
}
