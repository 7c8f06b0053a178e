mod properties;
mod take;

use super::deadline::{Deadline, Now};
use super::*;
use crate::clock::ManualClock;
use crate::error::ErrorKind;
use crate::hex::sha1_hex;
use crate::store::command::{Command, Effect, Reply, Script};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::time::Duration;

const ROOMY: usize = 64 * 1024 * 1024;

fn memory(max_bytes: usize) -> (Memory, ManualClock) {
    let clock = ManualClock::new();
    let memory = Memory::new(Clock::Manual(clock.clone()), max_bytes, Arc::default());
    (memory, clock)
}

/// Runs the words of the line as one command.
fn run(memory: &Memory, line: &str) -> Result<Reply, Error> {
    let words: Vec<Bytes> = line
        .split(' ')
        .map(|word| Bytes::copy_from_slice(word.as_bytes()))
        .collect();
    call(memory, Command::new(Effect::Once, words))
}

fn call(memory: &Memory, command: Command) -> Result<Reply, Error> {
    let batch = Batch {
        commands: vec![command],
        within: Duration::from_secs(1),
    };
    memory.run(&batch).remove(0)
}

/// A reply as `redis-cli` would print it, on one line.
fn show(reply: &Result<Reply, Error>) -> String {
    fn text(reply: &Reply) -> String {
        match reply {
            Reply::Nil => "nil".into(),
            Reply::Int(n) => n.to_string(),
            Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Reply::Array(items) => {
                let items: Vec<String> = items.iter().map(text).collect();
                format!("[{}]", items.join(" "))
            }
            Reply::Error(error) => format!("({error})"),
        }
    }
    match reply {
        Ok(reply) => text(reply),
        Err(error) => format!("({error})"),
    }
}

/// Each line is `command => reply`.
fn transcript(memory: &Memory, lines: &str) {
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (command, expected) = line.split_once(" => ").expect("a line with =>");
        assert_eq!(show(&run(memory, command)), expected, "{command}");
    }
}

#[test]
fn texts_and_counters_answer_as_redis_does() {
    let (memory, _) = memory(ROOMY);
    transcript(
        &memory,
        "GET a => nil
         set a 1 => OK
         GeT a => 1
         SET a 2 NX => nil
         SET a 2 XX GET => 1
         SET a 3 NX XX => (ERR syntax error)
         SET a 3 EX 0 => (ERR invalid expire time in 'set' command)
         SET a 3 EX 9223372036854775807 => (ERR invalid expire time in 'set' command)
         SET a 3 EX ten => (ERR value is not an integer or out of range)
         SET a 3 EX 10 PX 10 => (ERR syntax error)
         SET a 3 EX 10 KEEPTTL => (ERR syntax error)
         SET a 3 WEIRD => (ERR syntax error)
         SETNX a 9 => 0
         SETNX b 9 => 1
         GETSET b 10 => 9
         GETDEL b => 10
         GETDEL b => nil
         MSET c 1 d 2 => OK
         MSET c 1 d => (ERR wrong number of arguments for 'mset' command)
         MGET c missing d => [1 nil 2]
         APPEND c 23 => 3
         STRLEN c => 3
         INCR c => 124
         DECR c => 123
         INCRBY c -23 => 100
         DECRBY c 1 => 99
         DECRBY c -9223372036854775808 => (ERR decrement would overflow)
         SET max 9223372036854775807 => OK
         INCR max => (ERR increment or decrement would overflow)
         SET word abc => OK
         INCR word => (ERR value is not an integer or out of range)
         INCRBYFLOAT word 1 => (ERR value is not a valid float)
         INCRBYFLOAT f 0.1 => 0.1
         INCRBYFLOAT f 0.2 => 0.3
         GET => (ERR wrong number of arguments for 'get' command)
         GET a b => (ERR wrong number of arguments for 'get' command)
         SETEX e 0 v => (ERR invalid expire time in 'setex' command)
         PSETEX e 10 v => OK
         NOSUCH x y => (ERR unknown command 'NOSUCH' (the embedded engine does not have it))
         EXISTS a a b c => 3
         UNLINK a b c => 2
         TYPE a => none
         TYPE d => string",
    );
}

#[test]
fn collections_answer_as_redis_does() {
    let (memory, _) = memory(ROOMY);
    transcript(
        &memory,
        "HSET h a 1 b 2 => 2
         HSET h a 3 c 4 => 1
         HSET h a => (ERR wrong number of arguments for 'hset' command)
         HSET h a 1 b => (ERR wrong number of arguments for 'hset' command)
         HGET h a => 3
         HMGET h a x b => [3 nil 2]
         HGETALL h => [a 3 b 2 c 4]
         HKEYS h => [a b c]
         HVALS h => [3 2 4]
         HSETNX h a 9 => 0
         HLEN h => 3
         HEXISTS h c => 1
         HINCRBY h a 4 => 7
         HSET h w word => 1
         HINCRBY h w 1 => (ERR hash value is not an integer)
         HINCRBY h a x => (ERR value is not an integer or out of range)
         HINCRBYFLOAT h a 0.5 => 7.5
         HINCRBYFLOAT h w 0.5 => (ERR hash value is not a float)
         HSCAN h 0 MATCH [ab] COUNT 100 => [0 [b 2 a 7.5]]
         HDEL h a b c w x => 4
         EXISTS h => 0
         RPUSH l a b c => 3
         LRANGE l 0 -1 => [a b c]
         LRANGE l -2 100 => [b c]
         LRANGE l 5 9 => []
         LLEN l => 3
         DEL l => 1
         SADD s a b a => 2
         SCARD s => 2
         DEL s => 1
         ZADD z 9 b 1 a => 2
         ZINCRBY z 5 a => 6
         ZINCRBY z 1 c => 1
         ZRANGE z 0 -1 WITHSCORES => [c 1 a 6 b 9]
         ZRANGE z 0 0 REV => [b]
         ZADD z one a => (ERR value is not a valid float)
         ZINCRBY z one a => (ERR value is not a valid float)
         ZCARD z => 3
         GET z => (WRONGTYPE Operation against a key holding the wrong kind of value)
         INCR z => (WRONGTYPE Operation against a key holding the wrong kind of value)
         HGET z a => (WRONGTYPE Operation against a key holding the wrong kind of value)
         RPUSH z a => (WRONGTYPE Operation against a key holding the wrong kind of value)
         MGET z nothing => [nil nil]
         TYPE z => zset
         SET z text => OK
         ECHO hi => hi
         PING => PONG
         PUBLISH channel message => 0
         TIME => [1767225600 0]
         DBSIZE => 1
         FLUSHALL => OK
         DBSIZE => 0",
    );
    assert_eq!(
        run(&memory, "SADD z m")
            .and_then(|_| run(&memory, "GET z"))
            .unwrap_err()
            .kind(),
        ErrorKind::WrongType
    );
}

#[test]
fn a_key_lives_exactly_as_long_as_it_was_told() {
    let (memory, clock) = memory(ROOMY);
    transcript(
        &memory,
        "SET a 1 EX 10 => OK
         TTL a => 10
         PTTL a => 10000
         TTL none => -2
         PERSIST a => 1
         PERSIST a => 0
         TTL a => -1
         PEXPIRE a 1500 => 1
         EXPIRE a 1 GT => 0
         EXPIRE a 1 LT => 1
         EXPIRE a 5 NX => 0
         EXPIRE a 5 XX => 1
         EXPIRE a 5 NX XX => (ERR NX and XX, GT or LT options at the same time are not compatible)
         EXPIRE a 5 GT LT => (ERR GT and LT options at the same time are not compatible)
         EXPIRE a 9223372036854775807 => (ERR invalid expire time in 'expire' command)
         EXPIREAT a 1767225602 => 1
         PTTL a => 2000
         SET a 2 KEEPTTL => OK
         INCR a => 3
         APPEND a 0 => 2
         PTTL a => 2000
         GETEX a PERSIST => 30
         TTL a => -1
         GETEX a PX 2000 => 30
         SET forever 1 => OK
         EXPIRE forever 1 GT => 0
         HSET h f v => 1
         PEXPIRE h 2000 => 1",
    );
    clock.advance(Duration::from_millis(1_999));
    transcript(&memory, "GET a => 30\nHGET h f => v");
    clock.advance(Duration::from_millis(1));
    transcript(
        &memory,
        "GET a => nil
         EXISTS a h => 0
         DEL a => 0
         SET a 1 NX => OK
         TTL a => -1
         DBSIZE => 2
         EXPIRE a -1 => 1
         EXISTS a => 0",
    );
}

#[test]
fn a_clock_that_steps_back_does_not_bring_keys_back() {
    let (memory, clock) = memory(ROOMY);
    transcript(&memory, "SET a 1 PX 100 => OK");
    clock.advance(Duration::from_millis(100));
    transcript(&memory, "GET a => nil");
    clock.set_unix_ms(1_000);
    transcript(&memory, "GET a => nil\nSET a 2 PX 5 => OK\nPTTL a => 5");
}

#[test]
fn a_walk_returns_every_key_that_was_there_throughout() {
    let (memory, _) = memory(ROOMY);
    for n in 0..200 {
        run(&memory, &format!("SET stay:{n} 1")).unwrap();
        run(&memory, &format!("SET go:{n} 1")).unwrap();
    }
    let (mut cursor, mut seen, mut turn) = (String::from("0"), BTreeSet::new(), 0);
    loop {
        let page = run(&memory, &format!("SCAN {cursor} MATCH stay:* COUNT 7")).unwrap();
        let Reply::Array(parts) = page else {
            panic!("no page")
        };
        let [Reply::Bulk(next), Reply::Array(keys)] = &parts[..] else {
            panic!("no page")
        };
        seen.extend(keys.iter().map(|key| show(&Ok(key.clone()))));
        run(
            &memory,
            &format!("DEL go:{} go:{}", turn * 3, turn * 5 % 200),
        )
        .unwrap();
        run(&memory, &format!("SET new:{turn} 1")).unwrap();
        turn += 1;
        cursor = String::from_utf8(next.to_vec()).unwrap();
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(seen.len(), 200);
    transcript(
        &memory,
        "SCAN abc => (ERR invalid cursor)
         SCAN 0 COUNT 0 => (ERR syntax error)
         SCAN 0 MATCH => (ERR syntax error)
         SCAN 0 COUNT 9999 TYPE hash => [0 []]",
    );
}

#[test]
fn what_was_not_used_for_long_goes_first() {
    let (memory, _) = memory(100_000);
    for n in 0..1_000 {
        run(&memory, &format!("SET key:{n} {}", "v".repeat(500))).unwrap();
        run(&memory, "GET key:0").unwrap();
        let keyspace = memory.keyspace.lock().unwrap();
        assert!(keyspace.weigh().0 <= 100_000);
    }
    transcript(&memory, &format!("GET key:0 => {}", "v".repeat(500)));
    transcript(&memory, &format!("GET key:999 => {}", "v".repeat(500)));
    transcript(&memory, "EXISTS key:1 key:2 key:3 key:4 => 0");
}

#[test]
fn expired_keys_make_room_before_live_ones() {
    let (memory, clock) = memory(100_000);
    transcript(&memory, "SET live 1 => OK");
    for n in 0..100 {
        run(&memory, &format!("SET short:{n} {} PX 10", "v".repeat(500))).unwrap();
    }
    clock.advance(Duration::from_millis(10));
    for n in 0..100 {
        run(&memory, &format!("SET long:{n} {}", "v".repeat(500))).unwrap();
    }
    transcript(&memory, "GET live => 1\nDBSIZE => 101");
}

#[test]
fn a_value_over_the_bound_is_an_error_and_changes_nothing() {
    let (memory, _) = memory(10_000);
    let big = "v".repeat(20_000);
    transcript(
        &memory,
        "SET a old => OK\nRPUSH l item => 1\nHSET h f v => 1",
    );
    for line in [
        format!("SET a {big}"),
        format!("APPEND a {big}"),
        format!("RPUSH l {big}"),
        format!("HSET h f {big}"),
        format!("MSET a {big} b 1"),
    ] {
        let error = run(&memory, &line).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{}", &line[..10]);
        assert!(!error.to_string().contains("vvv"));
    }
    transcript(
        &memory,
        "GET a => old\nLLEN l => 1\nHGET h f => v\nEXISTS b => 0",
    );
}

#[test]
fn a_list_that_grows_item_by_item_is_bounded_too() {
    let (memory, _) = memory(10_000);
    let refused = (0..1_000).find_map(|_| run(&memory, "RPUSH l item").err());
    assert_eq!(refused.map(|error| error.kind()), Some(ErrorKind::TooLarge));
}

#[test]
fn deadlines_of_a_key_that_is_written_for_ever_do_not_pile_up() {
    let (memory, _) = memory(ROOMY);
    for _ in 0..10_000 {
        run(&memory, "SET a 1 EX 100").unwrap();
    }
    assert!(memory.keyspace.lock().unwrap().deadlines() < 100);
}

#[test]
fn a_failed_command_leaves_its_neighbours_alone() {
    let (memory, _) = memory(ROOMY);
    let commands = ["SET a 1", "HGET a f", "INCR a", "NOPE", "GET a"];
    let batch = Batch {
        commands: commands
            .map(|line| Command::new(Effect::Once, line.split(' ').map(str::to_owned)))
            .into(),
        within: Duration::from_secs(1),
    };
    let replies: Vec<String> = memory.run(&batch).iter().map(show).collect();
    assert_eq!(replies[0], "OK");
    assert!(replies[1].contains("WRONGTYPE"));
    assert_eq!(replies[2], "2");
    assert!(replies[3].contains("unknown command"));
    assert_eq!(replies[4], "2");
    assert_eq!(memory.meter.commands.get(), 5);
}

fn script(memory: &Memory, script: Script, keys: &[&str], args: &[&str]) -> String {
    let bytes = |texts: &[&str]| -> Vec<Bytes> {
        texts
            .iter()
            .map(|text| Bytes::copy_from_slice(text.as_bytes()))
            .collect()
    };
    show(&call(
        memory,
        Command::script(script, Effect::Repeatable, bytes(keys), bytes(args)),
    ))
}

#[test]
fn a_fill_stores_only_over_what_the_read_saw() {
    let (memory, _) = memory(ROOMY);
    let keys = ["k", "{k}:guard"];
    let fill = |seen: &[&str]| script(&memory, Script::Fill, &keys, seen);
    assert_eq!(fill(&["", "", "v1", "1000"]), "1");
    transcript(&memory, "GET k => v1\nPTTL k => 1000");
    assert_eq!(fill(&["", "", "v2", "1000"]), "0");
    assert_eq!(fill(&["", &sha1_hex(b"v1"), "v2", "1000"]), "1");
    transcript(&memory, "SET {k}:guard nonce => OK");
    assert_eq!(fill(&["", &sha1_hex(b"v2"), "v3", "1000"]), "0");
    assert_eq!(fill(&["nonce", &sha1_hex(b"v2"), "v3", "1000"]), "1");
    assert_eq!(
        fill(&["nonce", &sha1_hex(b"v3"), "v4", "0"]),
        "(ERR invalid expire time in 'set' command)"
    );
    transcript(&memory, "GET k => v3\nDEL k => 1\nRPUSH k item => 1");
    assert!(fill(&["nonce", "", "v4", "1000"]).contains("WRONGTYPE"));
}

#[test]
fn a_put_moves_the_guard_and_stores() {
    let (memory, _) = memory(ROOMY);
    let put = |keys: &[&str], args: &[&str]| script(&memory, Script::Put, keys, args);
    let (one, two) = (["k", "g", "d"], ["k", "g", "d", "l", "h", "e"]);
    assert_eq!(put(&one, &["p", "1", "500", "1000", "v", ""]), "1");
    transcript(
        &memory,
        "GET g => p.1\nPTTL g => 500\nGET k => v\nPTTL k => 1000\nEXISTS d => 0",
    );
    assert_eq!(
        put(&two, &["p", "2", "500", "1000", "w", "", "x", "1"]),
        "1"
    );
    transcript(
        &memory,
        "GET g => p.2\nGET h => p.2\nGET k => w\nGET l => x\nPTTL l => 1000\nEXISTS d => 0\nPTTL e => 500",
    );
    // One of two was given up: neither is stored. Another process's numbers are its own.
    assert_eq!(put(&two, &["p", "1", "500", "1000", "y", "", "y", ""]), "0");
    transcript(&memory, "GET k => w\nGET l => x");
    assert_eq!(put(&two, &["q", "1", "500", "1000", "y", "", "y", ""]), "1");
    assert!(put(&["k"], &[]).contains("wrong number"));
}

#[test]
fn what_was_given_up_is_refused_and_removed_once() {
    let (memory, _) = memory(ROOMY);
    let keys = ["k", "g", "d"];
    let put = |number: &str| {
        let args = ["p", number, "500", "1000", number, ""];
        script(&memory, Script::Put, &keys, &args)
    };
    let give_up = |number: &str, removes: &str| {
        let args = ["p", number, removes, "word", "500"];
        script(&memory, Script::GiveUp, &keys, &args)
    };
    assert_eq!(put("1"), "1");
    assert_eq!(give_up("2", "1"), "1");
    transcript(&memory, "GET g => word\nEXISTS k => 0\nPTTL d => 500");
    assert_eq!((put("2").as_str(), put("3").as_str()), ("0", "1"));
    // Copies that arrive late find that it is done, or that a later value is there.
    assert_eq!(give_up("2", "1"), "0");
    transcript(&memory, "DEL d => 1");
    assert_eq!(give_up("2", "1"), "0");
    transcript(&memory, "GET k => 3\nGET g => p.3");
    assert_eq!(give_up("4", "0"), "0");
    transcript(&memory, "GET k => 3");
    let change = |number: &str, words: &[&str]| {
        let args = [&["p", number], words].concat();
        script(&memory, Script::Change, &["n", "d"], &args)
    };
    assert_eq!(
        change("4", &["", "INCRBY", "7"]),
        change("3", &["", "INCRBY", "7"])
    );
    transcript(&memory, "EXISTS n => 0");
    assert!(change("5", &["1000", "INCRBY", "7"]).contains('7'));
    transcript(&memory, "GET n => 7\nPTTL n => 1000");
}

#[test]
fn a_peek_says_what_a_command_would_or_nothing() {
    let (memory, clock) = memory(ROOMY);
    let peek = |key: &str| memory.peek(key.as_bytes()).map(String::from);
    transcript(
        &memory,
        "SET text ä PX 100 => OK
         SET forever x => OK
         INCR number => 1
         RPUSH list x => 1",
    );
    let binary = [b"SET".as_slice(), b"binary", b"\xff"].map(Bytes::from_static);
    call(&memory, Command::new(Effect::Once, binary.to_vec())).unwrap();
    for _ in 0..2 {
        assert_eq!(peek("text").as_deref(), Some("ä"));
        assert_eq!(peek("forever").as_deref(), Some("x"));
        for key in ["number", "list", "binary", "missing"] {
            assert_eq!(peek(key), None, "{key}");
        }
        transcript(&memory, "GET text => ä");
    }
    transcript(&memory, "APPEND text b => 3");
    assert_eq!(peek("text").as_deref(), Some("äb"));
    clock.advance(Duration::from_millis(99));
    assert_eq!(peek("text").as_deref(), Some("äb"));
    clock.advance(Duration::from_millis(1));
    assert_eq!(peek("text"), None);
    transcript(&memory, "GET text => nil");
}

#[test]
fn what_may_be_over_by_finer_clocks_is_not_peeked_at() {
    let mut keyspace = Keyspace::new(ROOMY);
    let now = Now::default();
    keyspace.set_text(
        &Bytes::from_static(b"key"),
        b"x",
        Some(Deadline::after(now, 11)),
    );
    let mut peek = |lag| keyspace.peek(b"key", now, lag).is_some();
    assert_eq!([0, 10, 11].map(&mut peek), [true, true, false]);
}
