//! The protocol, as a client on a socket sees it.

mod http;

use http::{ask, gateway, post, send};
use millpond_gateway::{Gateway, Options, Reply, needs_redis};
use serde_json::json;

const BEARER: &str = "authorization: Bearer test-token";
const BASE64: &str = "upstash-encoding: base64";

#[tokio::test]
async fn a_command_is_an_array_and_its_result_an_object() {
    let gateway = gateway(needs_redis!()).await;
    assert_eq!(
        ask(&gateway, "/", r#"["SET","k","v","EX",100]"#).await,
        json!({"result": "OK"})
    );
    assert_eq!(
        ask(&gateway, "/", r#"["GET","k"]"#).await,
        json!({"result": "v"})
    );
    assert_eq!(
        ask(&gateway, "/", r#"["GET","missing"]"#).await,
        json!({"result": null})
    );
    assert_eq!(
        ask(&gateway, "/", r#"["TTL","k"]"#).await,
        json!({"result": 100})
    );
    assert_eq!(
        ask(&gateway, "/", r#"["MGET","k","missing"]"#).await,
        json!({"result": ["v", null]})
    );
}

#[tokio::test]
async fn numbers_and_booleans_are_stored_as_they_were_written() {
    let gateway = gateway(needs_redis!()).await;
    for text in [
        "1",
        "-5",
        "1.5",
        "1.50",
        "1e+21",
        "12345678901234567890123",
        "true",
        "false",
    ] {
        assert_eq!(
            ask(&gateway, "/", &format!(r#"["SET","k",{text}]"#)).await,
            json!({"result": "OK"})
        );
        assert_eq!(
            ask(&gateway, "/", r#"["GET","k"]"#).await,
            json!({ "result": text })
        );
    }
}

#[tokio::test]
async fn an_argument_that_is_no_scalar_is_an_error() {
    let gateway = gateway(needs_redis!()).await;
    let answer = post(&gateway, "/", r#"["SET","k",null]"#).await.unwrap();
    assert_eq!(
        (answer.status, answer.json()),
        (400, json!({"error": "ERR null args are not supported"}))
    );
    let nested = ask(&gateway, "/", r#"["SET","k",["v"]]"#).await;
    assert_eq!(
        nested,
        json!({"error": "ERR unsupported arg type: \"[\": json.Delim"})
    );
    let nested = ask(&gateway, "/", r#"["SET","k",{"a":1}]"#).await;
    assert_eq!(
        nested,
        json!({"error": "ERR unsupported arg type: \"{\": json.Delim"})
    );
}

#[tokio::test]
async fn a_body_that_is_no_command_is_an_error() {
    let gateway = gateway(needs_redis!()).await;
    for (path, body, text) in [
        ("/", "", "EOF"),
        ("/", "{}", "expected JSON array"),
        ("/", "[]", "ERR empty command"),
        ("/", "[\"GET\"", "ERR failed to parse command"),
        ("/pipeline", "[]", "ERR empty pipeline request"),
        (
            "/pipeline",
            "nonsense",
            "ERR failed to parse pipeline request",
        ),
        ("/multi-exec", "[]", "ERR empty multi-exec request"),
    ] {
        let answer = post(&gateway, path, body).await.unwrap();
        assert_eq!(
            (answer.status, answer.json()),
            (400, json!({ "error": text })),
            "{path} {body}"
        );
    }
}

#[tokio::test]
async fn a_command_may_stand_in_the_path_with_body_and_query_behind_it() {
    let gateway = gateway(needs_redis!()).await;
    let set = send(
        &gateway,
        "PUT /set/a%2Fb%20%C3%BC?EX=100&NX",
        &[BEARER],
        b"body",
    )
    .await
    .unwrap();
    assert_eq!(set.json(), json!({"result": "OK"}));
    let get = send(&gateway, "GET /get/a%2Fb%20%C3%BC", &[BEARER], b"")
        .await
        .unwrap();
    assert_eq!(get.json(), json!({"result": "body"}));
    let expected = [
        vec!["set", "a/b ü", "body", "EX", "100", "NX"],
        vec!["get", "a/b ü"],
    ];
    assert_eq!(gateway.commands(), expected);
    let head = send(&gateway, "HEAD /get/a%2Fb%20%C3%BC", &[BEARER], b"")
        .await
        .unwrap();
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn the_token_may_stand_in_the_query_and_a_wrong_one_is_401() {
    let gateway = gateway(needs_redis!()).await;
    let refused = json!({"error": "WRONGPASS invalid or missing auth token"});
    for headers in [&[][..], &["authorization: Bearer wrong"][..]] {
        let answer = send(&gateway, "GET /echo/x", headers, b"").await.unwrap();
        assert_eq!((answer.status, answer.json()), (401, refused.clone()));
    }
    let wrong = ["authorization: Bearer wrong"];
    let answer = send(&gateway, "GET /echo/x?_token=test-token", &wrong, b"")
        .await
        .unwrap();
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({"result": "x"}))
    );
    assert_eq!(gateway.commands(), [["echo", "x"]]);
}

#[tokio::test]
async fn other_methods_are_405() {
    let gateway = gateway(needs_redis!()).await;
    let answer = send(&gateway, "DELETE /get/k", &[BEARER], b"")
        .await
        .unwrap();
    assert_eq!(answer.status, 405);
}

#[tokio::test]
async fn a_pipeline_answers_200_with_errors_beside_results() {
    let gateway = gateway(needs_redis!()).await;
    let body = r#"[["SET","k","v"],["INCR","k"],["WHATEVER"],["BLPOP","l",0],["GET","k"]]"#;
    let answer = post(&gateway, "/pipeline", body).await.unwrap();
    let unavailable = |name| {
        format!(
            "ERR Command is not available: '{name}'. See https://upstash.com/docs/redis/overall/rediscompatibility for details"
        )
    };
    let expected = json!([
        {"result": "OK"},
        {"error": "ERR value is not an integer or out of range"},
        {"error": unavailable("WHATEVER")},
        {"error": unavailable("BLPOP")},
        {"result": "v"},
    ]);
    assert_eq!((answer.status, answer.json()), (200, expected));
}

#[tokio::test]
async fn a_transaction_runs_as_a_whole_or_not_at_all() {
    let gateway = gateway(needs_redis!()).await;
    let body = r#"[["SET","k","v"],["INCR","k"],["INCR","n"]]"#;
    let expected = json!([{"result": "OK"}, {"error": "ERR value is not an integer or out of range"}, {"result": 1}]);
    assert_eq!(ask(&gateway, "/multi-exec", body).await, expected);

    let discarded = post(&gateway, "/multi-exec", r#"[["INCR","n"],["SET","k"]]"#)
        .await
        .unwrap();
    let reason = json!({"error": "ERR wrong number of arguments for 'set' command"});
    assert_eq!((discarded.status, discarded.json()), (400, reason));
    let discarded = post(
        &gateway,
        "/multi-exec",
        r#"[["INCR","n"],["SUBSCRIBE","c"]]"#,
    )
    .await
    .unwrap();
    let reason = json!({"error": "ERR Command \"SUBSCRIBE\" is not allowed in REST or it has a special context path"});
    assert_eq!((discarded.status, discarded.json()), (400, reason));
    assert_eq!(
        ask(&gateway, "/", r#"["GET","n"]"#).await,
        json!({"result": "1"})
    );
}

#[tokio::test]
async fn concurrent_transactions_do_not_mix() {
    let gateway = gateway(needs_redis!()).await;
    let body = r#"[["INCR","n"],["INCR","n"]]"#;
    let answers = tokio::join!(
        ask(&gateway, "/multi-exec", body),
        ask(&gateway, "/multi-exec", body),
        ask(&gateway, "/multi-exec", body),
    );
    for answer in [answers.0, answers.1, answers.2] {
        let first = answer[0]["result"].as_i64().unwrap();
        assert_eq!(answer[1]["result"].as_i64(), Some(first + 1));
    }
}

#[tokio::test]
async fn base64_covers_every_string_but_a_top_level_ok() {
    let gateway = gateway(needs_redis!()).await;
    let ask = async |path: &str, body: &str| {
        send(
            &gateway,
            &format!("POST {path}"),
            &[BEARER, BASE64],
            body.as_bytes(),
        )
        .await
        .unwrap()
        .json()
    };
    assert_eq!(
        ask("/", r#"["SET","k","OK"]"#).await,
        json!({"result": "OK"})
    );
    assert_eq!(ask("/", r#"["GET","k"]"#).await, json!({"result": "T0s="}));
    assert_eq!(ask("/", r#"["PING"]"#).await, json!({"result": "UE9ORw=="}));
    assert_eq!(
        ask("/", r#"["MGET","k","missing"]"#).await,
        json!({"result": ["T0s=", null]})
    );
    let nested = r#"["EVAL","return {redis.status_reply('OK'), 7, {'x'}}",0]"#;
    assert_eq!(
        ask("/", nested).await,
        json!({"result": ["T0s=", 7, ["eA=="]]})
    );
    let pipeline = r#"[["SET","k",""],["GET","k"],["INCR"]]"#;
    let error = "ERR wrong number of arguments for 'incr' command";
    let expected = json!([{"result": "OK"}, {"result": ""}, {"error": error}]);
    assert_eq!(ask("/pipeline", pipeline).await, expected);
    gateway
        .database()
        .command([&b"SET"[..], b"bin", b"\xff\x00"])
        .await
        .unwrap();
    assert_eq!(
        ask("/", r#"["GET","bin"]"#).await,
        json!({"result": "/wA="})
    );
}

#[tokio::test]
async fn resp2_is_what_redis_sent_byte_for_byte() {
    let gateway = gateway(needs_redis!()).await;
    let resp2 = "upstash-response-format: resp2";
    let body = br#"["EVAL","return {1,'a',redis.status_reply('OK'),false,{}}",0]"#;
    let answer = send(&gateway, "POST /", &[BEARER, resp2], body)
        .await
        .unwrap();
    assert_eq!(answer.body, b"*5\r\n:1\r\n$1\r\na\r\n+OK\r\n$-1\r\n*0\r\n");
    assert_eq!(
        answer.header("content-type"),
        Some("application/octet-stream")
    );
    let both = send(&gateway, "POST /", &[BEARER, resp2, BASE64], body)
        .await
        .unwrap();
    assert_eq!(both.status, 400);
    let transaction = send(
        &gateway,
        "POST /multi-exec",
        &[BEARER, resp2],
        br#"[["INCR","n"]]"#,
    )
    .await
    .unwrap();
    assert_eq!(transaction.status, 400);
    assert_eq!(
        ask(&gateway, "/", r#"["GET","n"]"#).await,
        json!({"result": null})
    );
    let other = send(
        &gateway,
        "POST /",
        &[BEARER, "upstash-response-format: xml"],
        body,
    )
    .await
    .unwrap();
    assert_eq!(other.status, 400);
}

#[tokio::test]
async fn the_sync_token_moves_with_writes_and_only_with_them() {
    let gateway = gateway(needs_redis!()).await;
    let token = async |body: &str| {
        let answer = post(&gateway, "/", body).await.unwrap();
        answer
            .header("upstash-sync-token")
            .expect("a sync token")
            .to_owned()
    };
    let first = token(r#"["SET","k","v"]"#).await;
    assert_eq!(token(r#"["GET","k"]"#).await, first);
    assert_ne!(token(r#"["DEL","k"]"#).await, first);
    let before = token(r#"["GET","k"]"#).await;
    assert_ne!(token(r#"["EVAL","return 1",0]"#).await, before);
}

#[tokio::test]
async fn a_script_with_the_flag_of_upstash_runs_and_keeps_its_own_sha() {
    // Scripts are the server's, so a server of its own is needed for NOSCRIPT.
    let shared = needs_redis!();
    let gateway = Gateway::start(&shared.database()).await.unwrap();
    let script =
        "#!lua flags=allow-key-locking\\nreturn redis.call('INCR', KEYS[1]) -- its own sha";
    let sha = "e1e1a2f12e6fbd1c1c5c1b7b0a1e1ce5dd3be1a3";
    let missing = ask(&gateway, "/", &format!(r#"["EVALSHA","{sha}",1,"n"]"#)).await;
    assert_eq!(
        missing,
        json!({"error": "NOSCRIPT No matching script. Please use EVAL."})
    );

    assert_eq!(
        ask(&gateway, "/", &format!(r#"["EVAL","{script}",1,"n"]"#)).await,
        json!({"result": 1})
    );
    let loaded = ask(&gateway, "/", &format!(r#"["SCRIPT","LOAD","{script}"]"#)).await;
    let sha = loaded["result"].as_str().unwrap();
    let text = script.replace("\\n", "\n");
    let Reply::Bulk(plain) = gateway
        .database()
        .command(["SCRIPT", "LOAD", "return 1"])
        .await
        .unwrap()
    else {
        panic!("a sha")
    };
    assert_ne!(sha.as_bytes(), plain);
    assert_eq!(sha, sha1_by_redis(&gateway, &text).await);
    assert_eq!(
        ask(&gateway, "/", &format!(r#"["EVALSHA","{sha}",1,"n"]"#)).await,
        json!({"result": 2})
    );
    assert_eq!(
        ask(&gateway, "/", &format!(r#"["SCRIPT","EXISTS","{sha}"]"#)).await,
        json!({"result": [1]})
    );
    let transaction = format!(r#"[["EVALSHA","{sha}",1,"n"],["EVAL","{script}",1,"n"]]"#);
    assert_eq!(
        ask(&gateway, "/multi-exec", &transaction).await,
        json!([{"result": 3}, {"result": 4}])
    );
}

#[tokio::test]
async fn a_script_with_the_flag_of_upstash_reaches_declared_keys_only() {
    let gateway = gateway(needs_redis!()).await;
    let run = async |flags: &str, body: &str| {
        let script = format!("#!lua flags={flags}\\n{body}");
        ask(&gateway, "/", &format!(r#"["EVAL","{script}",1,"a","b"]"#)).await
    };
    let dynamic = "Dynamic keys are not allowed in Lua scripts when 'allow-key-locking' flag is set. Key was: b";
    for body in [
        "return redis.call('SET', ARGV[1], 'v')",
        "return redis.call('mget', KEYS[1], 'b')",
        "return redis.call('DEL', KEYS[1], ARGV[1])",
        "local key = ARGV[1] return redis.pcall('INCR', key)",
    ] {
        let answer = run("allow-key-locking", body).await;
        let error = answer["error"].as_str();
        assert!(error.is_some_and(|it| it.contains(dynamic)), "{answer}");
        let locked_twice = run("no-writes,allow-key-locking", body).await;
        assert!(locked_twice["error"].is_string(), "{locked_twice}");
    }
    for body in [
        "return redis.call('FLUSHALL')",
        "redis.call('flushdb', 'ASYNC')",
    ] {
        let answer = run("allow-key-locking", body).await;
        assert!(answer["error"].is_string(), "{answer}");
    }
    assert_eq!(
        ask(&gateway, "/", r#"["DBSIZE"]"#).await,
        json!({"result": 0})
    );
    let declared = "redis.call('SET', KEYS[1], 'v') return {redis.call('GET', KEYS[1]), \
                    redis.pcall('INCR', KEYS[1]), redis.sha1hex('') ~= nil, redis.call('PING')}";
    let answer = run("allow-key-locking", declared).await;
    assert_eq!(answer["result"][0], "v", "{answer}");
    let undeclared = "return redis.call('SET', ARGV[1], 'v')";
    assert_eq!(run("allow-oom", undeclared).await, json!({"result": "OK"}));
    let transaction =
        r##"[["EVAL","#!lua flags=allow-key-locking\nreturn redis.call('DEL', 'b')",0]]"##;
    let answer = ask(&gateway, "/multi-exec", transaction).await;
    assert!(answer[0]["error"].is_string(), "{answer}");
    assert_eq!(
        ask(&gateway, "/", r#"["GET","b"]"#).await,
        json!({"result": "v"})
    );
}

#[tokio::test]
async fn a_key_over_32_kilobytes_is_an_error_and_a_value_is_not() {
    let gateway = gateway(needs_redis!()).await;
    let (fits, large) = ("k".repeat(32_768), "k".repeat(32_769));
    let error = json!({
        "error": "ERR max key size exceeded. Limit: 32768 bytes, Actual: 32769 bytes"
    });
    let answer = ask(&gateway, "/", &format!(r#"["SET","{fits}","{large}"]"#)).await;
    assert_eq!(answer, json!({"result": "OK"}));
    let body = format!(
        r#"[["SET","{large}","v"],["MGET","a","{large}"],["EVAL","return 1",1,"{large}"],["ECHO","{large}"],["GET","a"]]"#
    );
    let answer = ask(&gateway, "/pipeline", &body).await;
    for number in 0..3 {
        assert_eq!(answer[number], error, "command {number}");
    }
    assert_eq!(answer[3]["result"].as_str(), Some(large.as_str()));
    assert_eq!(answer[4], json!({"result": null}));
    let body = format!(r#"[["SET","a","v"],["GET","{large}"]]"#);
    assert_eq!(ask(&gateway, "/multi-exec", &body).await, error);
    assert_eq!(
        ask(&gateway, "/", r#"["EXISTS","a"]"#).await,
        json!({"result": 0})
    );
}

#[tokio::test]
async fn half_a_surrogate_pair_is_stored_as_the_replacement_character() {
    let gateway = gateway(needs_redis!()).await;
    for (json, stored) in [
        (r"a\ud800z", "a\u{fffd}z"),
        (r"\udfff", "\u{fffd}"),
        (r"\ud800\ud800", "\u{fffd}\u{fffd}"),
        (r"\ud83d\ude00\ude00ü", "\u{1f600}\u{fffd}ü"),
    ] {
        assert_eq!(
            ask(&gateway, "/", &format!(r#"["SET","k","{json}"]"#)).await,
            json!({"result": "OK"})
        );
        assert_eq!(
            ask(&gateway, "/", r#"["GET","k"]"#).await,
            json!({ "result": stored })
        );
    }
}

async fn sha1_by_redis(gateway: &Gateway, text: &str) -> String {
    let script = "return redis.sha1hex(ARGV[1])";
    gateway
        .database()
        .command(["EVAL", script, "0", text])
        .await
        .unwrap()
        .text()
        .unwrap()
}

#[tokio::test]
async fn commands_that_belong_to_a_connection_are_refused() {
    let gateway = gateway(needs_redis!()).await;
    for name in [
        "AUTH",
        "client",
        "HELLO",
        "MULTI",
        "SELECT",
        "SUBSCRIBE",
        "WATCH",
    ] {
        let answer = post(&gateway, "/", &format!(r#"["{name}","1"]"#))
            .await
            .unwrap();
        let name = name.to_uppercase();
        let text = format!(
            "ERR Command \"{name}\" is not allowed in REST or it has a special context path"
        );
        assert_eq!(
            (answer.status, answer.json()),
            (400, json!({ "error": text }))
        );
    }
    let blocking = ask(&gateway, "/", r#"["XREAD","BLOCK",0,"STREAMS","s","$"]"#).await;
    assert!(
        blocking["error"]
            .as_str()
            .unwrap()
            .starts_with("ERR Command is not available: 'XREAD'")
    );
    let reading = ask(&gateway, "/", r#"["XREAD","STREAMS","block","0"]"#).await;
    assert_eq!(reading, json!({"result": null}));
}

#[tokio::test]
async fn commands_and_answers_over_the_limit_are_errors() {
    let database = needs_redis!().database();
    let options = Options {
        max_request_bytes: 1000,
        ..Options::default()
    };
    let gateway = Gateway::start_with(&database, options).await.unwrap();
    let text = |actual| {
        format!(
            "ERR max request size exceeded. Limit: 1000 bytes, Actual: {actual} bytes. See https://upstash.com/docs/redis/troubleshooting/max_request_size_exceeded for details"
        )
    };
    let large = "x".repeat(998);
    let answer = ask(&gateway, "/", &format!(r#"["SET","k","{large}"]"#)).await;
    assert_eq!(answer, json!({ "error": text(1002) }));
    let fits = "x".repeat(600);
    let body =
        format!(r#"[["SET","a","{fits}"],["SET","b","{large}"],["MGET","a","a"],["STRLEN","a"]]"#);
    let expected =
        json!([{"result": "OK"}, {"error": text(1002)}, {"error": text(1200)}, {"result": 600}]);
    assert_eq!(ask(&gateway, "/pipeline", &body).await, expected);
}

#[tokio::test]
async fn a_large_value_makes_the_round_trip() {
    let gateway = gateway(needs_redis!()).await;
    let large = "ü".repeat(4 * 1024 * 1024);
    assert_eq!(
        ask(&gateway, "/", &format!(r#"["SET","k","{large}"]"#)).await,
        json!({"result": "OK"})
    );
    assert_eq!(
        ask(&gateway, "/", r#"["GET","k"]"#).await["result"].as_str(),
        Some(large.as_str())
    );
}
