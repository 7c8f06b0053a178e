//! Sessions: ids that nobody can guess and no log shows, and what becomes of them.

mod support;

use millpond::{Error, ErrorKind, ManualClock, Millpond, Reply, SessionId, Sessions, ttl};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::time::Duration;
use support::log::Log;
use support::on_every_engine;

on_every_engine! {
    a_session_is_created_read_changed_and_destroyed
    a_session_is_what_other_services_read
    a_session_gets_another_id_and_the_old_one_is_worth_nothing
    a_session_that_is_over_stays_so
    a_session_keeps_its_end_unless_it_slides
    the_longest_lifetime_ends_a_session_that_slides
    what_is_no_session_of_the_type_is_told_without_its_id
    keys_may_hold_a_hash_instead_of_the_id
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    user_id: String,
    created_at: u64,
}

fn session(user_id: &str) -> Session {
    Session {
        user_id: user_id.to_owned(),
        created_at: 1_767_225_600_000,
    }
}

fn sessions(pond: &Millpond) -> Sessions<Session> {
    pond.sessions(ttl::EXTENDED)
}

async fn a_session_is_created_read_changed_and_destroyed(pond: &Millpond) {
    let sessions = sessions(pond);
    let id = sessions.create(&session("ada")).await.unwrap();
    let other = sessions.create(&session("alan")).await.unwrap();
    assert_ne!(id, other);
    assert_eq!(sessions.get(&id).await.unwrap(), Some(session("ada")));
    assert!(sessions.update(&id, &session("grace")).await.unwrap());
    assert_eq!(sessions.get(&id).await.unwrap(), Some(session("grace")));
    assert_eq!(sessions.get(&other).await.unwrap(), Some(session("alan")));
    let left = sessions.ttl(&id).await.unwrap().duration().unwrap();
    assert!(left <= ttl::EXTENDED && left > ttl::LONG, "{left:?}");
    assert!(sessions.destroy(&id).await.unwrap());
    assert!(!sessions.destroy(&id).await.unwrap());
    assert_eq!(sessions.get(&id).await.unwrap(), None);
    let stats = pond.stats().prefix("session");
    assert_eq!((stats.hits, stats.misses), (3, 1));
}

async fn the_longest_lifetime_ends_a_session_that_slides(pond: &Millpond) {
    let longest = Duration::from_secs(90);
    let sliding = sessions(pond).sliding();
    let bounded = sliding.clone().absolute(longest);
    let id = bounded.create(&session("ada")).await.unwrap();
    // Every way to prolong a session, by whoever knows of the bound or not.
    for sessions in [&bounded, &sliding] {
        assert!(sessions.get(&id).await.unwrap().is_some());
        assert!(sessions.update(&id, &session("ada")).await.unwrap());
        assert!(sessions.touch(&id).await.unwrap());
        let left = sessions.ttl(&id).await.unwrap().duration().unwrap();
        assert!(left <= longest + Duration::from_secs(1), "{left:?}");
    }
    let rotated = bounded.rotate(&id).await.unwrap().unwrap();
    let end = |id: &SessionId| id.as_str().rsplit('_').next().unwrap().to_owned();
    assert_eq!(end(&rotated), end(&id));
    let left = bounded.ttl(&rotated).await.unwrap().duration().unwrap();
    assert!(left <= longest + Duration::from_secs(1), "{left:?}");

    // Another end is another session.
    let longer = format!("{}9", rotated.as_str());
    assert_eq!(bounded.get(&longer.parse().unwrap()).await.unwrap(), None);

    // Nobody knows when this one began.
    let foreign = sessions(pond).create(&session("alan")).await.unwrap();
    let short = pond.sessions::<Session>(ttl::SHORT);
    assert!(short.touch(&foreign).await.unwrap());
    assert!(bounded.get(&foreign).await.unwrap().is_some());
    assert!(bounded.touch(&foreign).await.unwrap());
    assert!(bounded.update(&foreign, &session("alan")).await.unwrap());
    let left = bounded.ttl(&foreign).await.unwrap().duration().unwrap();
    assert!(left <= ttl::SHORT, "{left:?}");
}

async fn a_session_is_what_other_services_read(pond: &Millpond) {
    let id = sessions(pond).create(&session("ada")).await.unwrap();
    let key = format!("session:{}", id.as_str());
    let stored = pond.command(["GET".to_owned(), key]).await.unwrap();
    let expected = r#"{"userId":"ada","createdAt":1767225600000}"#;
    assert_eq!(stored, Reply::Bulk(expected.into()));

    // `crypto.randomUUID()` and `redis.setex(…)` of the guide.
    let uuid = "7d9f1c1e-3f70-4d0c-8a65-0f4f3f5d3a11";
    let key = format!("session:{uuid}");
    pond.command(["SETEX", &key, "86400", expected].map(str::to_owned))
        .await
        .unwrap();
    let theirs: SessionId = uuid.parse().unwrap();
    assert_eq!(
        sessions(pond).get(&theirs).await.unwrap(),
        Some(session("ada"))
    );
    let admins = sessions(pond).prefix("admin");
    assert_eq!(admins.get(&theirs).await.unwrap(), None);
}

async fn a_session_gets_another_id_and_the_old_one_is_worth_nothing(pond: &Millpond) {
    let sessions = sessions(pond);
    let planted = sessions.create(&session("anonymous")).await.unwrap();
    let id = sessions.rotate(&planted).await.unwrap().unwrap();
    assert_ne!(id, planted);
    assert_eq!(sessions.get(&planted).await.unwrap(), None);
    assert_eq!(sessions.get(&id).await.unwrap(), Some(session("anonymous")));
    assert!(sessions.ttl(&id).await.unwrap().duration() > Some(ttl::LONG));
    assert!(
        !sessions
            .update(&planted, &session("mallory"))
            .await
            .unwrap()
    );
    assert!(!sessions.touch(&planted).await.unwrap());
    assert_eq!(sessions.rotate(&planted).await.unwrap(), None);
}

async fn a_session_that_is_over_stays_so(pond: &Millpond) {
    for sessions in [sessions(pond), sessions(pond).sliding()] {
        let id = sessions.create(&session("ada")).await.unwrap();
        sessions.destroy(&id).await.unwrap();
        assert!(!sessions.update(&id, &session("ada")).await.unwrap());
        assert!(!sessions.touch(&id).await.unwrap());
        assert_eq!(sessions.rotate(&id).await.unwrap(), None);
        assert_eq!(sessions.get(&id).await.unwrap(), None);
        assert_eq!(sessions.ttl(&id).await.unwrap().duration(), None);
    }
}

async fn a_session_keeps_its_end_unless_it_slides(pond: &Millpond) {
    let short = Duration::from_secs(60);
    for sliding in [false, true] {
        let fresh = pond.sessions::<Session>(ttl::EXTENDED);
        let fresh = if sliding { fresh.sliding() } else { fresh };
        let id = fresh.create(&session("ada")).await.unwrap();
        let shorten = async || {
            let sixty = pond.sessions::<Session>(short);
            assert!(sixty.touch(&id).await.unwrap());
        };
        let is_long = async || fresh.ttl(&id).await.unwrap().duration() > Some(short);
        shorten().await;
        assert!(!is_long().await);
        fresh.get(&id).await.unwrap();
        assert_eq!(is_long().await, sliding);
        shorten().await;
        fresh.update(&id, &session("alan")).await.unwrap();
        assert_eq!(is_long().await, sliding);
        shorten().await;
        assert!(fresh.touch(&id).await.unwrap());
        assert!(is_long().await);
    }
}

async fn what_is_no_session_of_the_type_is_told_without_its_id(pond: &Millpond) {
    let (log, _guard) = Log::of_this_thread();
    let sessions = sessions(pond);
    let id = sessions.create(&session("ada")).await.unwrap();
    let key = format!("session:{}", id.as_str());
    let mut errors: Vec<Error> = Vec::new();

    pond.set(key.as_str(), &["hunter2"], ttl::SHORT)
        .await
        .unwrap();
    errors.push(sessions.get(&id).await.unwrap_err());
    assert_eq!(errors[0].kind(), ErrorKind::Decode);

    pond.command(["DEL", &key].map(str::to_owned))
        .await
        .unwrap();
    pond.command(["RPUSH", &key, "hunter2"].map(str::to_owned))
        .await
        .unwrap();
    errors.push(sessions.get(&id).await.unwrap_err());
    errors.push(sessions.clone().sliding().get(&id).await.unwrap_err());
    errors.push(sessions.rotate(&id).await.unwrap_err());
    for error in &errors[1..] {
        assert_eq!(error.kind(), ErrorKind::WrongType);
    }
    let numbers = pond.sessions::<Vec<f64>>(ttl::SHORT);
    errors.push(numbers.create(&vec![f64::NAN]).await.unwrap_err());
    errors.push(
        pond.sessions::<u8>(Duration::ZERO)
            .create(&1)
            .await
            .unwrap_err(),
    );
    errors.extend(
        [
            "",
            "short",
            "../../etc/passwd-and-more",
            "a b c d e f g h i j k",
            "ä".repeat(30).as_str(),
        ]
        .map(|text| text.parse::<SessionId>().unwrap_err()),
    );
    errors.push("x".repeat(129).parse::<SessionId>().unwrap_err());
    for error in &errors[6..] {
        assert_eq!(error.kind(), ErrorKind::InvalidKey);
        assert!(error.to_string().contains("no session id"), "{error}");
    }
    let told = format!("{errors:?} {id:?} {sessions:?} {pond:?} {}", log.text());
    for secret in [id.as_str(), "hunter2", "passwd"] {
        assert!(!told.contains(secret), "{told}");
    }
}

async fn keys_may_hold_a_hash_instead_of_the_id(pond: &Millpond) {
    let sessions = sessions(pond).hashed();
    let id = sessions.create(&session("ada")).await.unwrap();
    let id = sessions.rotate(&id).await.unwrap().unwrap();
    assert_eq!(sessions.get(&id).await.unwrap(), Some(session("ada")));
    let (_, keys): (String, Vec<String>) = pond
        .command(["SCAN", "0", "MATCH", "session:*", "COUNT", "1000"])
        .await
        .unwrap()
        .parse()
        .unwrap();
    let hash = sha256(id.as_str());
    assert_eq!(keys, [format!("session:{hash}")]);
}

fn sha256(text: &str) -> String {
    use sha2::Digest;
    use std::fmt::Write;
    let digest = sha2::Sha256::digest(text);
    digest.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

#[tokio::test]
async fn ids_are_safe_in_urls_and_never_the_same() {
    let sessions = Millpond::memory().sessions::<u32>(ttl::LONG);
    let mut seen = HashSet::new();
    let mut letters = HashSet::new();
    for n in 0..1_000 {
        let id = sessions.create(&n).await.unwrap();
        assert_eq!(id.as_str().len(), 32);
        assert!(
            id.as_str()
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        );
        assert_eq!(id.as_str().parse::<SessionId>().unwrap(), id);
        letters.extend(id.as_str().bytes());
        assert!(seen.insert(id));
    }
    // 32,000 letters: if one of the 64 were never drawn, ids would have fewer bits than they seem.
    assert_eq!(letters.len(), 64);
}

#[tokio::test]
async fn a_session_ends_when_its_life_is_over() {
    let clock = ManualClock::new();
    let builder = Millpond::builder().memory().clock(clock.clone());
    let pond = builder.build().unwrap();
    let minute = Duration::from_secs(60);
    let (fixed, sliding) = (
        pond.sessions::<u32>(minute),
        pond.sessions(minute).sliding(),
    );
    let (one, other) = (
        fixed.create(&1).await.unwrap(),
        sliding.create(&2).await.unwrap(),
    );
    clock.advance(minute / 2);
    assert_eq!(fixed.get(&one).await.unwrap(), Some(1));
    assert_eq!(sliding.get(&other).await.unwrap(), Some(2));
    clock.advance(minute / 2);
    assert_eq!(fixed.get(&one).await.unwrap(), None);
    assert_eq!(sliding.get(&other).await.unwrap(), Some(2));
    clock.advance(minute);
    assert_eq!(sliding.get(&other).await.unwrap(), None);
}

#[cfg(feature = "upstash")]
mod over_http {
    use super::*;
    use millpond_gateway::{Fault, needs_redis};
    use support::{gateway, needs_npm, node, pond};

    #[tokio::test]
    async fn a_lost_answer_loses_no_session() {
        let gateway = gateway(needs_redis!()).await;
        let pond = pond(&gateway);
        let sessions = sessions(&pond);
        gateway.inject("SET", Fault::ResetAfter);
        let id = sessions.create(&session("ada")).await.unwrap();
        let id = sessions.rotate(&id).await.unwrap().unwrap();
        gateway.inject("EVALSHA", Fault::ResetAfter);
        let id = sessions.rotate(&id).await.unwrap().unwrap();
        assert_eq!(sessions.get(&id).await.unwrap(), Some(session("ada")));
    }

    #[tokio::test]
    async fn sessions_are_shared_with_node() {
        let redis = needs_redis!();
        needs_npm!();
        let gateway = gateway(redis).await;
        let pond = pond(&gateway);
        let sessions = sessions(&pond);
        let ours = sessions.create(&session("ada")).await.unwrap();
        let said = node("sessions.mjs", &[ours.as_str()], &gateway).await;
        let theirs: SessionId = said.trim().parse().unwrap();
        let grace = sessions.get(&theirs).await.unwrap().unwrap();
        assert_eq!(grace.user_id, "grace");
        assert!(sessions.ttl(&theirs).await.unwrap().duration() > Some(ttl::LONG));
    }
}

#[cfg(feature = "encrypt")]
mod encrypted {
    use super::*;
    use millpond::Builder;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=";

    fn pond(builder: Builder) -> Millpond {
        builder.encryption_key("2026-11", KEY).build().unwrap()
    }

    async fn holds(pond: &Millpond, id: &SessionId) -> String {
        let get = ["GET".to_owned(), format!("session:{}", id.as_str())];
        pond.command(get).await.unwrap().parse().unwrap()
    }

    #[tokio::test]
    async fn what_a_session_holds_is_encrypted_and_bound_to_it() {
        let pond = pond(Millpond::builder());
        let sessions = super::sessions(&pond).encrypted();
        let id = sessions.create(&session("ada")).await.unwrap();
        assert!(!holds(&pond, &id).await.contains("ada"));
        sessions.update(&id, &session("grace")).await.unwrap();
        assert!(!holds(&pond, &id).await.contains("grace"));
        let id = sessions.rotate(&id).await.unwrap().unwrap();
        assert_eq!(sessions.get(&id).await.unwrap(), Some(session("grace")));

        // Moved to the session of somebody else, or planted, it does not open.
        let other = sessions.create(&session("mallory")).await.unwrap();
        let planted = [
            holds(&pond, &id).await,
            r#"{"userId":"ada","createdAt":1}"#.to_owned(),
        ];
        for value in planted {
            let key = format!("session:{}", other.as_str());
            pond.command(["SET".to_owned(), key, value]).await.unwrap();
            let error = sessions.get(&other).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode);
            assert!(!error.to_string().contains(other.as_str()), "{error}");
        }
    }

    #[tokio::test]
    async fn without_a_key_no_session_begins() {
        let pond = Millpond::memory();
        let (sessions, ada) = (super::sessions(&pond).encrypted(), session("ada"));
        let error = sessions.create(&ada).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            error.to_string().contains("MILLPOND_ENCRYPTION_KEY"),
            "{error}"
        );
        assert_eq!(pond.command(["DBSIZE"]).await.unwrap(), Reply::Int(0));
    }
}
