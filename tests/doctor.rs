//! `cargo run --example doctor`, as a reader runs it: what it finds, what it advises, how it ends.

#![cfg(feature = "upstash")]

mod support;

use millpond_gateway::{Fault, Gateway, Matcher, Reply, needs_redis};
use std::sync::LazyLock;
use std::time::Duration;
use support::example::executable;
use support::gateway;
use support::process::CONFIGURATION;
use tokio::process::Command;

const URL: &str = "UPSTASH_REDIS_REST_URL";
const TOKEN: &str = "UPSTASH_REDIS_REST_TOKEN";
const SECRET: &str = "t0ken-that-nobody-may-see";

static DOCTOR: LazyLock<String> = LazyLock::new(|| executable("doctor"));

/// What the doctor said, on one line, and whether it found nothing wrong.
struct Visit {
    said: String,
    well: bool,
}

impl Visit {
    /// Sends for the doctor with nothing but these variables set.
    async fn with(environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(&*DOCTOR);
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .kill_on_drop(true);
        for name in CONFIGURATION {
            command.env_remove(name);
        }
        let output = command.envs(environment.iter().copied()).output();
        let output = output.await.expect("the doctor starts");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).expect("the doctor speaks UTF-8");
        assert!(!text.contains(SECRET), "{text}");
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 1)), "{code:?}: {text}");
        Self {
            said: text.split_whitespace().collect::<Vec<_>>().join(" "),
            well: code == Some(0),
        }
    }

    async fn to(gateway: &Gateway) -> Self {
        Self::with(&[(URL, &gateway.url()), (TOKEN, gateway.token())]).await
    }

    #[track_caller]
    fn says(&self, well: bool, words: &[&str]) {
        for word in words {
            assert!(
                self.said.contains(word),
                "`{word}` is not in: {}",
                self.said
            );
        }
        let last = if well { "Nothing is wrong." } else { "wrong." };
        assert!(self.said.ends_with(last), "{}", self.said);
        assert_eq!(self.well, well, "{}", self.said);
    }
}

async fn assert_left_nothing_behind(gateway: &Gateway) {
    let keys = gateway.database().command(["KEYS", "*"]).await.unwrap();
    assert_eq!(keys, Reply::Array(Vec::new()));
}

#[tokio::test]
async fn with_nothing_set_it_says_what_would_happen_and_what_to_set() {
    let visit = Visit::with(&[]).await;
    visit.says(
        true,
        &[
            "Missing Upstash Redis credentials: neither UPSTASH_REDIS_REST_URL nor",
            "The embedded engine would be used",
            "export UPSTASH_REDIS_REST_URL=https://<name>.upstash.io",
            "export UPSTASH_REDIS_REST_TOKEN=<token>",
        ],
    );
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn a_redis_url_alone_is_used_and_asked() {
    let database = needs_redis!().database();
    let visit = Visit::with(&[("REDIS_URL", &database.url())]).await;
    visit.says(true, &["REDIS_URL is set, and that Redis answers"]);
    let visit = Visit::with(&[("REDIS_URL", "redis//x")]).await;
    visit.says(false, &["the Redis URL", "correct REDIS_URL"]);
}

#[tokio::test]
async fn a_name_that_is_nearly_right_is_pointed_out() {
    let visit = Visit::with(&[("UPSTASH_REDIS_REST_TOKN", SECRET)]).await;
    let words = [
        "UPSTASH_REDIS_REST_TOKN is set, and nobody reads it",
        "match exactly",
    ];
    visit.says(true, &words);
}

#[tokio::test]
async fn an_empty_variable_is_told_from_one_that_is_not_there() {
    let visit = Visit::with(&[(URL, "https://db.upstash.io"), (TOKEN, " ")]).await;
    let words = [
        "UPSTASH_REDIS_REST_URL is set but UPSTASH_REDIS_REST_TOKEN is not",
        "UPSTASH_REDIS_REST_TOKEN is there, and empty",
    ];
    visit.says(false, &words);
}

#[tokio::test]
async fn of_half_a_pair_the_missing_variable_is_named() {
    for (url, token) in [(URL, TOKEN), ("KV_REST_API_URL", "KV_REST_API_TOKEN")] {
        let visit = Visit::with(&[(url, "https://db.upstash.io")]).await;
        let missing =
            format!("WRONG Missing Upstash Redis credentials: {url} is set but {token} is not");
        visit.says(false, &[&missing]);
        let visit = Visit::with(&[(token, SECRET)]).await;
        let missing =
            format!("WRONG Missing Upstash Redis credentials: {token} is set but {url} is not");
        visit.says(false, &[&missing]);
    }
}

#[tokio::test]
async fn what_a_copy_brought_along_is_named_with_its_variable() {
    let wrong: [(&str, &str, &str); 6] = [
        (
            " https://db.upstash.io",
            SECRET,
            "UPSTASH_REDIS_REST_URL begins or ends with white space",
        ),
        (
            "\"https://db.upstash.io\"",
            SECRET,
            "UPSTASH_REDIS_REST_URL is in quotes",
        ),
        (
            "http://db.upstash.io",
            SECRET,
            "UPSTASH_REDIS_REST_URL begins with http",
        ),
        ("rediss://db.upstash.io:6379", SECRET, "take the REST URL"),
        (
            "https://db.upstash.io",
            "t0ken-that-nobody-may-see\n",
            "UPSTASH_REDIS_REST_TOKEN begins or ends",
        ),
        (
            "https://db.upstash.io",
            "'t0ken-that-nobody-may-see'",
            "UPSTASH_REDIS_REST_TOKEN is in quotes",
        ),
    ];
    for (url, token, words) in wrong {
        let visit = Visit::with(&[(URL, url), (TOKEN, token)]).await;
        visit.says(false, &[words, "One thing is wrong."]);
        assert!(!visit.said.contains("database"), "{}", visit.said);
    }
}

#[tokio::test]
async fn where_nobody_listens_it_says_where_to_look() {
    let nobody = millpond_gateway::ports::nobody().unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    let names = [
        ("KV_REST_API_URL", url.as_str()),
        ("KV_REST_API_TOKEN", SECRET),
    ];
    let visit = Visit::with(&names).await;
    let words = [
        "fine KV_REST_API_URL and KV_REST_API_TOKEN are set",
        "WRONG Upstash at 127.0.0.1",
        "a PING failed: could not connect to 127.0.0.1",
        "check KV_REST_API_URL, and whether this machine may connect there",
        "One thing is wrong.",
    ];
    visit.says(false, &words);
}

#[tokio::test]
async fn with_all_in_order_it_says_so_and_leaves_nothing_behind() {
    let gateway = gateway(needs_redis!()).await;
    let visit = Visit::to(&gateway).await;
    visit.says(
        true,
        &[
            "fine UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN are set",
            "fine it answers, and takes the token",
            "a round trip takes",
            "(the median of 9)",
            "fine this machine's clock is",
            "fine what is written is read back",
            "fine scripts run",
            "fine a limit of two allows two and refuses the third",
            "fine circuit breaker: commands are sent",
            "fine invalidations: none is waiting to be delivered",
        ],
    );
    assert!(!visit.said.contains(gateway.token()), "{}", visit.said);
    assert_left_nothing_behind(&gateway).await;
    assert!(gateway.commands().len() < 30, "{:?}", gateway.commands());
}

#[tokio::test]
async fn a_second_pair_that_nobody_looks_at_is_pointed_out() {
    let gateway = gateway(needs_redis!()).await;
    let both = [
        (URL, gateway.url()),
        (TOKEN, gateway.token().to_owned()),
        ("KV_REST_API_URL", "https://db.upstash.io".to_owned()),
    ];
    let both = both.each_ref().map(|(name, value)| (*name, value.as_str()));
    let words = ["KV_REST_API_URL or KV_REST_API_TOKEN is set, too it is not looked at"];
    Visit::with(&both).await.says(true, &words);
}

#[tokio::test]
async fn a_token_that_is_refused_is_named_and_not_shown() {
    let gateway = gateway(needs_redis!()).await;
    let visit = Visit::with(&[(URL, &gateway.url()), (TOKEN, SECRET)]).await;
    let words = [
        "a PING failed: the token was refused (WRONGPASS",
        "copy UPSTASH_REDIS_REST_TOKEN anew",
        "One thing is wrong.",
    ];
    visit.says(false, &words);
}

#[tokio::test]
async fn a_token_that_only_reads_is_told_from_a_wrong_one() {
    let gateway = gateway(needs_redis!()).await;
    let refused = r#"[{"error":"NOPERM this user has no permissions to run the 'set' command"}]"#;
    gateway.inject("SET", Fault::json(refused));
    let visit = Visit::to(&gateway).await;
    let words = [
        "fine it answers, and takes the token",
        "WRONG a write was refused: NOPERM",
        "UPSTASH_REDIS_REST_TOKEN may not do that: it is the read-only one",
    ];
    visit.says(false, &words);
    assert_left_nothing_behind(&gateway).await;
}

#[tokio::test]
async fn scripts_that_are_refused_are_two_things_wrong() {
    let gateway = gateway(needs_redis!()).await;
    let refused =
        r#"[{"error":"NOPERM this user has no permissions to run the 'evalsha' command"}]"#;
    gateway.inject(Matcher::command("EVALSHA").always(), Fault::json(refused));
    let visit = Visit::to(&gateway).await;
    let words = [
        "fine what is written is read back",
        "WRONG a script was refused: NOPERM",
        "need EVAL and EVALSHA",
        "WRONG a limit got no answer",
        "2 things are wrong.",
    ];
    visit.says(false, &words);
    assert_left_nothing_behind(&gateway).await;
}

#[tokio::test]
async fn what_answers_and_is_no_upstash_is_named_as_such() {
    let gateway = gateway(needs_redis!()).await;
    gateway.inject(Matcher::any().always(), Fault::html());
    let words = ["is no Upstash REST endpoint", "One thing is wrong."];
    Visit::to(&gateway).await.says(false, &words);
}

#[tokio::test]
async fn a_clock_that_is_off_is_worth_a_note() {
    let gateway = gateway(needs_redis!()).await;
    // 1700000000 and 0 in base64: a server that still lives in November 2023.
    let past = Fault::json(r#"[{"result":["MTcwMDAwMDAwMA==","MA=="]}]"#);
    gateway.inject(Matcher::command("TIME").always(), past);
    let visit = Visit::to(&gateway).await;
    let words = [
        "note this machine's clock is",
        "s ahead of the server's",
        "set it by NTP",
    ];
    visit.says(true, &words);
}

#[tokio::test]
async fn a_database_that_is_far_away_is_worth_a_note() {
    let gateway = gateway(needs_redis!()).await;
    let far = Fault::Slow(Duration::from_millis(60));
    gateway.inject(Matcher::command("PING").always(), far);
    let visit = Visit::to(&gateway).await;
    let words = ["note a round trip takes", "in the region of your servers"];
    visit.says(true, &words);
}
