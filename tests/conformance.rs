//! One suite of commands, through the public face, over all three engines: the same lines get the
//! same replies and the same error texts.

mod support;

use millpond::{ErrorKind, ManualClock, Millpond, Reply};
use millpond_gateway::{RedisServer, needs_redis};
use std::collections::BTreeSet;
use std::time::Duration;
use support::{LONG, on_every_engine};

on_every_engine! {
    texts_and_counters_answer_alike
    hashes_answer_alike
    lists_and_sets_answer_alike
    sorted_sets_answer_alike
    a_value_of_another_kind_is_told_apart
    wrong_arguments_are_told_apart
    lifetimes_answer_alike
    a_key_goes_when_its_time_is_up
    a_walk_finds_every_key
    a_pattern_means_the_same
    a_failed_command_harms_no_neighbour
    any_text_comes_back_as_it_was
    a_hundred_kilobytes_and_a_nul_come_back_as_they_were
    values_and_their_guards_work_alike
    a_fill_stores_what_the_body_returned_once
}

/// A reply as `redis-cli` would print it, on one line; an error in parentheses.
fn show(reply: &Result<Reply, millpond::Error>) -> String {
    match reply {
        Ok(reply) => text(reply),
        Err(error) => format!("({error})"),
    }
}

fn text(reply: &Reply) -> String {
    match reply {
        Reply::Nil => "nil".into(),
        Reply::Int(number) => number.to_string(),
        Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Reply::Array(items) => {
            let items: Vec<String> = items.iter().map(text).collect();
            format!("[{}]", items.join(" "))
        }
        _ => "something new".into(),
    }
}

async fn run(pond: &Millpond, line: &str) -> Result<Reply, millpond::Error> {
    pond.command(line.split(' ').map(str::to_owned)).await
}

/// Each line is `command => reply`; `~>` for a reply whose order is free.
async fn transcript(pond: &Millpond, lines: &str) {
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some((command, expected)) = line.split_once(" ~> ") {
            let shown = show(&run(pond, command).await);
            let sorted = |text: &str| -> Vec<String> {
                let text = text.trim_start_matches('[').trim_end_matches(']');
                let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
                words.sort();
                words
            };
            assert_eq!(sorted(&shown), sorted(expected), "{command}");
        } else {
            let (command, expected) = line.split_once(" =>").expect("a line with an arrow");
            // An empty text is nothing behind the arrow.
            let expected = expected.trim_start();
            assert_eq!(show(&run(pond, command).await), expected, "{command}");
        }
    }
}

async fn texts_and_counters_answer_alike(pond: &Millpond) {
    transcript(
        pond,
        "GET a => nil
         set a 1 => OK
         SET a 2 NX => nil
         SET a 2 XX GET => 1
         SET a 3 NX GET => 2
         SETNX a 9 => 0
         SETNX b 9 => 1
         GETSET b 10 => 9
         GETDEL b => 10
         GETDEL b => nil
         MSET c 1 d 2 => OK
         MGET c missing d => [1 nil 2]
         APPEND c 23 => 3
         STRLEN c => 3
         STRLEN none => 0
         GETRANGE c 0 0 => 1
         GETRANGE c 1 -1 => 23
         GETRANGE c -2 100 => 23
         GETRANGE c -100 1 => 12
         GETRANGE c 2 1 =>
         GETRANGE c -1 -2 =>
         GETRANGE c 3 9 =>
         GETRANGE none 0 -1 =>
         INCR c => 124
         DECR c => 123
         INCRBY c -23 => 100
         DECRBY c 1 => 99
         DECR new => -1
         INCRBYFLOAT f 0.1 => 0.1
         INCRBYFLOAT f 0.2 => 0.3
         INCRBYFLOAT f -5.0e1 => -49.7
         INCRBYFLOAT f 49.7 => 0
         TYPE c => string
         TYPE none => none
         EXISTS a a b c => 3
         UNLINK a b c => 2
         DEL a b c => 0
         ECHO hello => hello
         PING => PONG
         PUBLISH nobody hears => 0
         DBSIZE => 3
         FLUSHDB => OK
         DBSIZE => 0",
    )
    .await;
}

async fn hashes_answer_alike(pond: &Millpond) {
    transcript(
        pond,
        "HSET h a 1 b 2 => 2
         HSET h a 3 c 4 => 1
         HGET h a => 3
         HGET h x => nil
         HMGET h a x b => [3 nil 2]
         HGETALL h ~> [a 3 b 2 c 4]
         HGETALL none => []
         HKEYS h ~> [a b c]
         HVALS h ~> [3 2 4]
         HSETNX h a 9 => 0
         HSETNX h d 9 => 1
         HLEN h => 4
         HEXISTS h c => 1
         HEXISTS h x => 0
         HINCRBY h a 4 => 7
         HINCRBYFLOAT h a 0.5 => 7.5
         HINCRBY h n 5 => 5
         HSCAN h 0 MATCH [a] COUNT 100 => [0 [a 7.5]]
         HSCAN none 0 => [0 []]
         HDEL h a b c d x => 4
         HDEL h n => 1
         EXISTS h => 0",
    )
    .await;
}

async fn lists_and_sets_answer_alike(pond: &Millpond) {
    transcript(
        pond,
        "RPUSH l a b c => 3
         RPUSH l d e => 5
         LRANGE l 0 -1 => [a b c d e]
         LRANGE l -2 100 => [d e]
         LRANGE l -100 1 => [a b]
         LRANGE l 5 9 => []
         LRANGE l 3 1 => []
         LLEN l => 5
         DEL l => 1
         LLEN l => 0
         LRANGE l 0 -1 => []
         SADD s a b a => 2
         SADD s c a => 1
         SCARD s => 3
         DEL s => 1
         SCARD s => 0",
    )
    .await;
}

async fn sorted_sets_answer_alike(pond: &Millpond) {
    transcript(
        pond,
        "ZADD z 2 b 1 a => 2
         ZADD z 2 aa 2 b => 1
         ZINCRBY z 5 a => 6
         ZINCRBY z 0.5 n => 0.5
         ZRANGE z 0 -1 => [n aa b a]
         ZRANGE z 0 -1 WITHSCORES => [n 0.5 aa 2 b 2 a 6]
         ZRANGE z 0 0 REV => [a]
         ZINCRBY z inf top => inf
         ZINCRBY z -inf top => (ERR resulting score is not a number (NaN))
         ZRANGE z -1 -1 WITHSCORES => [top inf]
         ZCARD z => 5
         ZCARD none => 0
         ZRANGE none 0 -1 => []",
    )
    .await;
}

async fn a_value_of_another_kind_is_told_apart(pond: &Millpond) {
    let wrong = "WRONGTYPE Operation against a key holding the wrong kind of value";
    run(pond, "RPUSH list item").await.unwrap();
    run(pond, "SET text value").await.unwrap();
    for command in [
        "GET list",
        "INCR list",
        "APPEND list x",
        "GETSET list x",
        "GETDEL list",
        "GETRANGE list 0 -1",
        "SET list x GET",
        "HGET list f",
        "HSET text f v",
        "HINCRBY text f 1",
        "HGETALL text",
        "RPUSH text x",
        "LLEN text",
        "LRANGE text 0 -1",
        "SADD text x",
        "ZADD text 1 x",
        "ZINCRBY text 1 x",
        "ZCARD text",
        "ZRANGE text 0 -1",
    ] {
        let error = run(pond, command).await.expect_err(command);
        assert_eq!(error.kind(), ErrorKind::WrongType, "{command}");
        assert_eq!(error.to_string(), wrong, "{command}");
    }
    transcript(
        pond,
        "MGET list text => [nil value]
         LRANGE list 0 -1 => [item]
         GET text => value
         SET list now-a-text => OK
         GET list => now-a-text",
    )
    .await;
}

async fn wrong_arguments_are_told_apart(pond: &Millpond) {
    transcript(
        pond,
        "GET => (ERR wrong number of arguments for 'get' command)
         GET a b => (ERR wrong number of arguments for 'get' command)
         HSET h f => (ERR wrong number of arguments for 'hset' command)
         HSET h f v g => (ERR wrong number of arguments for 'hset' command)
         MSET a 1 b => (ERR wrong number of arguments for 'mset' command)
         SET a 1 NX XX => (ERR syntax error)
         SET a 1 EX => (ERR syntax error)
         SET a 1 WEIRD => (ERR syntax error)
         SET a 1 EX 10 PX 10 => (ERR syntax error)
         SET a 1 EX 10 KEEPTTL => (ERR syntax error)
         SET a 1 EX 0 => (ERR invalid expire time in 'set' command)
         SET a 1 PX -5 => (ERR invalid expire time in 'set' command)
         SET a 1 EX 9223372036854775807 => (ERR invalid expire time in 'set' command)
         SET a 1 EX ten => (ERR value is not an integer or out of range)
         SETEX a 0 v => (ERR invalid expire time in 'setex' command)
         EXISTS a => 0
         SET a 9223372036854775807 => OK
         INCR a => (ERR increment or decrement would overflow)
         DECRBY a -9223372036854775808 => (ERR decrement would overflow)
         INCRBY a 1.5 => (ERR value is not an integer or out of range)
         SET w word => OK
         INCR w => (ERR value is not an integer or out of range)
         INCRBYFLOAT w 1 => (ERR value is not a valid float)
         INCRBYFLOAT a x => (ERR value is not a valid float)
         HSET h w word => 1
         HINCRBY h w 1 => (ERR hash value is not an integer)
         HINCRBY h n x => (ERR value is not an integer or out of range)
         HINCRBYFLOAT h w 1 => (ERR hash value is not a float)
         LRANGE l a b => (ERR value is not an integer or out of range)
         ZADD z one a => (ERR value is not a valid float)
         ZADD z 1 => (ERR wrong number of arguments for 'zadd' command)
         ZINCRBY z one a => (ERR value is not a valid float)
         ZINCRBY z 1 => (ERR wrong number of arguments for 'zincrby' command)
         GETRANGE a 0 => (ERR wrong number of arguments for 'getrange' command)
         GETRANGE a 0 x => (ERR value is not an integer or out of range)
         EXPIRE a 5 NX XX => (ERR NX and XX, GT or LT options at the same time are not compatible)
         EXPIRE a 5 GT LT => (ERR GT and LT options at the same time are not compatible)
         EXPIRE a 9223372036854775807 => (ERR invalid expire time in 'expire' command)
         SCAN abc => (ERR invalid cursor)
         SCAN 0 COUNT 0 => (ERR syntax error)
         SCAN 0 MATCH => (ERR syntax error)",
    )
    .await;
    for command in ["NOSUCH private", "FROBNICATE"] {
        let error = run(pond, command).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(!error.to_string().contains("private"), "{error}");
    }
}

async fn lifetimes_answer_alike(pond: &Millpond) {
    transcript(
        pond,
        "TTL none => -2
         PTTL none => -2
         EXPIRE none 5 => 0
         PERSIST none => 0
         SET a 1 => OK
         TTL a => -1
         PERSIST a => 0
         EXPIRE a 1000 XX => 0
         EXPIRE a 1000 GT => 0
         EXPIRE a 1000 LT => 1
         EXPIRE a 1000 NX => 0
         EXPIRE a 2000 LT => 0
         EXPIRE a 2000 GT => 1
         TTL a => 2000
         SET a 2 KEEPTTL => OK
         INCR a => 3
         APPEND a 0 => 2
         TTL a => 2000
         GETEX a => 30
         GETEX a PERSIST => 30
         TTL a => -1
         GETEX a EX 500 => 30
         TTL a => 500
         GETSET a 31 => 30
         TTL a => -1
         SETEX a 300 v => OK
         TTL a => 300
         SET a w => OK
         TTL a => -1
         HSET h f v => 1
         EXPIRE h 100 => 1
         HSET h g w => 1
         TTL h => 100
         PEXPIREAT h 1 => 1
         EXISTS h => 0
         EXPIRE a -1 => 1
         EXISTS a => 0",
    )
    .await;
}

async fn a_key_goes_when_its_time_is_up(pond: &Millpond) {
    run(pond, "SET a 1 PX 20").await.unwrap();
    run(pond, "HSET h f v").await.unwrap();
    run(pond, "PEXPIRE h 20").await.unwrap();
    let gone = async {
        while run(pond, "EXISTS a h").await.unwrap() != Reply::Int(0) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, gone).await.expect("both go");
    transcript(
        pond,
        "GET a => nil\nHGETALL h => []\nSET a 2 NX => OK\nTTL a => -1",
    )
    .await;
}

async fn a_walk_finds_every_key(pond: &Millpond) {
    let mut there = BTreeSet::new();
    for number in 0..150 {
        run(pond, &format!("SET walk:{number} 1")).await.unwrap();
        there.insert(format!("walk:{number}"));
    }
    run(pond, "SADD walk:set m").await.unwrap();
    run(pond, "SET other 1").await.unwrap();
    let (mut cursor, mut seen) = (String::from("0"), BTreeSet::new());
    loop {
        let line = format!("SCAN {cursor} MATCH walk:* COUNT 20 TYPE string");
        let Reply::Array(page) = run(pond, &line).await.unwrap() else {
            panic!("SCAN answers with an array");
        };
        let [next, Reply::Array(keys)] = &page[..] else {
            panic!("SCAN answers with a cursor and keys");
        };
        seen.extend(keys.iter().map(text));
        cursor = text(next);
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(seen, there);
}

async fn a_pattern_means_the_same(pond: &Millpond) {
    for key in [
        "hello",
        "hallo",
        "hxllo",
        "heello",
        "h*llo",
        "h]llo",
        "user:42:posts",
    ] {
        run(pond, &format!("SET {key} 1")).await.unwrap();
    }
    for (pattern, found) in [
        ("h?llo", "h*llo h]llo hallo hello hxllo"),
        ("h[ae]llo", "hallo hello"),
        ("h[^e]llo", "h*llo h]llo hallo hxllo"),
        ("h[a-e]llo", "hallo hello"),
        ("h[e-a]llo", "hallo hello"),
        (r"h\*llo", "h*llo"),
        (r"h[\]]llo", "h]llo"),
        ("h*o", "h*llo h]llo hallo heello hello hxllo"),
        ("user:*:posts", "user:42:posts"),
        ("hello?", ""),
        ("**", "h*llo h]llo hallo heello hello hxllo user:42:posts"),
    ] {
        let line = format!("SCAN 0 MATCH {pattern} COUNT 1000");
        let Reply::Array(page) = run(pond, &line).await.unwrap() else {
            panic!("SCAN answers with an array");
        };
        let Reply::Array(keys) = &page[1] else {
            panic!("SCAN answers with keys");
        };
        let mut keys: Vec<String> = keys.iter().map(text).collect();
        keys.sort();
        assert_eq!(keys.join(" "), found, "{pattern}");
    }
}

async fn a_failed_command_harms_no_neighbour(pond: &Millpond) {
    let replies = pond
        .pipeline()
        .command(["SET", "a", "1"])
        .command(["HGET", "a", "f"])
        .command(["INCR", "a"])
        .command(["NOSUCH"])
        .command(["GET", "a"])
        .send()
        .await;
    let kinds: Vec<_> = replies
        .iter()
        .map(|reply| reply.as_ref().map(text).map_err(millpond::Error::kind))
        .collect();
    assert_eq!(
        kinds,
        [
            Ok("OK".into()),
            Err(ErrorKind::WrongType),
            Ok("2".into()),
            Err(ErrorKind::Unsupported),
            Ok("2".into()),
        ]
    );
}

async fn any_text_comes_back_as_it_was(pond: &Millpond) {
    for value in [
        "",
        " ",
        "OK",
        "null",
        "T0s=",
        "\"quoted\\\"",
        "line\r\nbreak",
        "\u{0}\u{1f}\u{7f}",
        "ünï©ödé 🦀 \u{202e}",
        "{\"a\":[1,2.5e-7,null]}",
    ] {
        pond.command(["SET", value, value]).await.unwrap();
        let back = pond.command(["GET", value]).await.unwrap();
        assert_eq!(back, Reply::Bulk(value.to_owned().into()), "{value:?}");
        let both = pond.command(["MGET", value, "none"]).await.unwrap();
        assert_eq!(both, Reply::Array(vec![back, Reply::Nil]), "{value:?}");
    }
}

async fn a_hundred_kilobytes_and_a_nul_come_back_as_they_were(pond: &Millpond) {
    let value = "é\0".repeat(50_000);
    pond.command(["SET".to_owned(), "big".to_owned(), value.clone()])
        .await
        .unwrap();
    let back = pond.command(["GET", "big"]).await.unwrap();
    assert_eq!(back, Reply::Bulk(value.into()));
}

async fn values_and_their_guards_work_alike(pond: &Millpond) {
    let minute = Duration::from_secs(60);
    assert_eq!(pond.get::<Vec<u8>>("v").await.unwrap(), None);
    pond.set("v", &vec![1, 2, 3], minute).await.unwrap();
    assert_eq!(pond.get("v").await.unwrap(), Some(vec![1, 2, 3]));
    assert!(!pond.set_if_absent("v", &vec![4], minute).await.unwrap());
    assert!(pond.exists("v").await.unwrap());
    assert!(pond.expire("v", minute * 5).await.unwrap());
    assert!(pond.delete("v").await.unwrap());
    assert!(!pond.delete("v").await.unwrap());
    assert!(!pond.exists("v").await.unwrap());
}

async fn a_fill_stores_what_the_body_returned_once(pond: &Millpond) {
    let minute = Duration::from_secs(60);
    let loaded = |value: u32| async move { Ok::<_, std::io::Error>(value) };
    let first = pond.get_or_set("k", minute, || loaded(1)).await.unwrap();
    let second = pond.get_or_set("k", minute, || loaded(2)).await.unwrap();
    assert_eq!((first, second), (1, 1));
    pond.delete("k").await.unwrap();
    let third = pond.get_or_set("k", minute, || loaded(3)).await.unwrap();
    assert_eq!((third, pond.get("k").await.unwrap()), (3, Some(3)));
}

#[tokio::test]
async fn a_manual_clock_decides_when_an_embedded_key_goes() {
    let clock = ManualClock::new();
    let pond = Millpond::builder()
        .memory()
        .clock(clock.clone())
        .build()
        .unwrap();
    transcript(&pond, "SET a 1 PX 1000 => OK").await;
    clock.advance(Duration::from_millis(999));
    transcript(&pond, "PTTL a => 1").await;
    clock.advance(Duration::from_millis(1));
    transcript(&pond, "GET a => nil\nDBSIZE => 0").await;
}

#[cfg(feature = "upstash")]
#[tokio::test]
async fn over_http_a_script_that_the_server_forgot_is_sent_again_in_full() {
    let _ = needs_redis!();
    // Scripts are the server's, so this test flushes those of a server of its own.
    let server = RedisServer::start().unwrap();
    let gateway = support::gateway(&server).await;
    let pond = support::pond(&gateway);
    for value in 1..4 {
        run(&pond, "SCRIPT FLUSH").await.unwrap();
        gateway.clear();
        pond.set("k", &value, Duration::from_secs(60))
            .await
            .unwrap();
        assert_eq!(pond.get("k").await.unwrap(), Some(value));
        let names: Vec<String> = gateway
            .commands()
            .into_iter()
            .map(|mut command| command.remove(0))
            .collect();
        assert_eq!(names[..2], ["EVALSHA", "EVAL"]);
    }
    gateway.clear();
    pond.set("k", &9, Duration::from_secs(60)).await.unwrap();
    assert_eq!(gateway.commands().len(), 1);
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn over_resp_a_script_that_the_server_forgot_is_sent_again_in_full() {
    let _ = needs_redis!();
    let server = RedisServer::start().unwrap();
    let pond = Millpond::builder().redis(server.database().url());
    let pond = pond.budget(LONG).build().unwrap();
    for value in 1..4 {
        run(&pond, "SCRIPT FLUSH").await.unwrap();
        pond.set("k", &value, Duration::from_secs(60))
            .await
            .unwrap();
        assert_eq!(pond.get("k").await.unwrap(), Some(value));
    }
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn over_resp_bytes_need_not_be_text() {
    use bytes::Bytes;
    let database = needs_redis!().database();
    let pond = Millpond::builder().redis(database.url());
    let pond = pond.budget(LONG).build().unwrap();
    let bytes = Bytes::from_static(b"\xff\0\r\n\xfe");
    let set = [Bytes::from_static(b"SET"), bytes.clone(), bytes.clone()];
    pond.command(set).await.unwrap();
    let get = [Bytes::from_static(b"GET"), bytes.clone()];
    assert_eq!(pond.command(get).await.unwrap(), Reply::Bulk(bytes));
}
