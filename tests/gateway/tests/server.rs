//! The Redis that tests start: it is there at once, it is empty, and it never outlives them.

use millpond_gateway::{Gateway, RedisServer, Reply, needs_redis, program};
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::process::{Command, Stdio};

#[tokio::test]
async fn a_server_answers_when_it_has_started_and_is_gone_when_dropped() {
    needs_redis!();
    let server = RedisServer::start().unwrap();
    let database = server.database();
    assert_eq!(database.command(["DBSIZE"]).await.unwrap(), Reply::Int(0));
    let saves = database.command(["CONFIG", "GET", "save"]).await.unwrap();
    assert_eq!(
        saves,
        Reply::Array(vec![Reply::Bulk("save".into()), Reply::Bulk("".into())])
    );
    let folder = database.command(["CONFIG", "GET", "dir"]).await.unwrap();
    let Reply::Array(folder) = folder else {
        panic!("a folder")
    };
    let folder = folder[1].text().unwrap();
    assert!(std::fs::metadata(&folder).is_ok());
    drop(server);
    assert!(database.command(["PING"]).await.is_err());
    assert!(std::fs::metadata(&folder).is_err());
}

#[tokio::test]
async fn databases_of_one_server_do_not_see_each_other() {
    let server = needs_redis!();
    let (one, other) = (server.database(), server.database());
    one.command(["SET", "k", "v"]).await.unwrap();
    assert_eq!(other.command(["GET", "k"]).await.unwrap(), Reply::Nil);
    assert_ne!(one.url(), other.url());
}

#[tokio::test]
async fn a_server_can_be_stopped_and_started_again_behind_a_gateway() {
    needs_redis!();
    let server = RedisServer::start().unwrap();
    let gateway = Gateway::start(&server.database()).await.unwrap();
    gateway.database().command(["SET", "k", "v"]).await.unwrap();
    server.stop();
    assert!(gateway.database().command(["GET", "k"]).await.is_err());
    server.restart().unwrap();
    assert_eq!(
        gateway.database().command(["GET", "k"]).await.unwrap(),
        Reply::Nil
    );
}

// The process that started the server is killed, so nothing of ours gets a chance to clean up.
#[test]
fn a_server_does_not_outlive_a_process_that_is_killed() {
    needs_redis!();
    let mut owner = Command::new(env!("CARGO_BIN_EXE_millpond-gateway"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let url = lines
        .find_map(|line| Some(line.unwrap().split_once("redis://127.0.0.1:")?.1.to_owned()))
        .unwrap();
    let port: u16 = url.split('/').next().unwrap().parse().unwrap();
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    owner.kill().unwrap();
    owner.wait().unwrap();
    // It ends when the server closes it, which a running server never does by itself.
    let _ = connection.read_to_end(&mut Vec::new());
}

#[test]
fn a_program_that_is_not_on_the_path_is_not_found() {
    assert!(program::found("sh"));
    assert!(!program::found("no-such-program-anywhere"));
}
