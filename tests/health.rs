//! What `Millpond::health` says, and what a probe finds out.

mod support;

use millpond::{ErrorKind, HealthState, Millpond};
use support::on_every_engine;

on_every_engine! {
    a_cache_that_works_is_up_and_a_probe_is_one_command
}

async fn a_cache_that_works_is_up_and_a_probe_is_one_command(pond: &Millpond) {
    let before = pond.stats().commands;
    let health = pond.health();
    assert_eq!(health.state(), HealthState::Up, "{health}");
    assert_eq!(pond.stats().commands, before, "nothing was sent");
    let health = health.probe().await;
    assert_eq!(health.state(), HealthState::Up, "{health}");
    assert_eq!(pond.stats().commands, before + 1);
    let engine = health.engine().sentence();
    assert!(engine.contains("it answered in "), "{engine}");
    let lines: Vec<_> = health.to_string().lines().map(str::to_owned).collect();
    assert_eq!(
        lines[1..],
        [
            "circuit up: commands are sent",
            "invalidations up: none is waiting to be delivered",
            "backplane up: not needed: this process keeps no values (`local`)",
        ]
    );
}

#[cfg(feature = "upstash")]
mod over_http {
    use super::*;
    use millpond::ManualClock;
    use millpond_gateway::{Fault, Matcher, needs_redis};
    use support::{builder, gateway};

    #[tokio::test]
    async fn a_server_that_is_away_is_found_out_by_a_probe() {
        let gateway = gateway(needs_redis!()).await;
        let pond = builder(&gateway).retries(0).build().unwrap();
        gateway.refuse().await;
        assert_eq!(pond.health().state(), HealthState::Up, "nobody has asked");
        let health = pond.health().probe().await;
        assert_eq!(health.state(), HealthState::Down);
        assert_eq!(health.engine().state(), HealthState::Down);
        let engine = health.engine().sentence();
        assert!(engine.contains("a PING failed: "), "{engine}");
    }

    #[cfg(feature = "axum")]
    #[tokio::test]
    async fn a_readiness_probe_is_answered_by_the_state_and_told_why() {
        use axum::Router;
        use axum::body::{Body, to_bytes};
        use axum::http::{Request, StatusCode};
        use axum::routing::get;
        use tower::ServiceExt;

        let gateway = gateway(needs_redis!()).await;
        let clock = ManualClock::new();
        let pond = builder(&gateway).retries(0).clock(clock.clone());
        let pond = pond.build().unwrap();
        let app = Router::new().route("/ready", get(millpond::readiness));
        let app = app.layer(millpond::ScopeLayer::new(pond.clone()));
        let ask = async || {
            let request = Request::get("/ready").body(Body::empty()).unwrap();
            let (head, body) = app.clone().oneshot(request).await.unwrap().into_parts();
            let body = to_bytes(body, 10_000).await.unwrap();
            assert_eq!(head.headers["cache-control"], "no-store");
            (head.status, String::from_utf8(body.to_vec()).unwrap())
        };
        let (status, text) = ask().await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(text.lines().count(), 4, "{text}");

        // The first is the caller's, those after it come from the background.
        let courier = gateway.hold_before(Matcher::command("EVALSHA").always());
        gateway.inject("SET", Fault::ResetAfter);
        pond.delete("user:1").await.unwrap_err();
        let (status, text) = ask().await;
        assert_eq!(status, StatusCode::OK, "{text}");
        assert!(text.contains("invalidations degraded: 1 waiting"), "{text}");
        courier.release();

        gateway.refuse().await;
        let (status, text) = ask().await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{text}");
        assert!(text.starts_with("engine down: "), "{text}");
        assert!(!text.contains(gateway.token()), "{text}");
        gateway.accept().await;
        clock.advance(std::time::Duration::from_secs(60));
        assert_eq!(ask().await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn what_failed_is_told_by_its_kind() {
        let gateway = gateway(needs_redis!()).await;
        let url = gateway.url();
        let pond = millpond::Millpond::builder().upstash(&url, "not the token");
        let health = pond.build().unwrap().health().probe().await;
        assert_eq!(
            health.engine().error_kind(),
            Some(ErrorKind::Auth),
            "{health}"
        );
        assert_eq!(health.circuit().error_kind(), None, "{health}");
    }

    #[tokio::test]
    async fn an_open_circuit_is_down_with_its_reason_and_no_probe_gets_through() {
        let gateway = gateway(needs_redis!()).await;
        let pond = builder(&gateway).clock(ManualClock::new()).build().unwrap();
        gateway.inject(Matcher::any().always(), Fault::try_later(429, "30"));
        let error = pond.command(["GET", "n"]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        let sent = gateway.requests().len();
        for health in [pond.health(), pond.health().probe().await] {
            assert_eq!(health.circuit().state(), HealthState::Down, "{health}");
            let why = health.circuit().sentence();
            assert!(why.contains("status 429"), "{why}");
            assert!(why.contains("next try in 30000 ms"), "{why}");
        }
        assert_eq!(gateway.requests().len(), sent);
    }

    #[tokio::test]
    async fn an_undelivered_invalidation_degrades_until_it_is_through() {
        let gateway = gateway(needs_redis!()).await;
        let pond = builder(&gateway).retries(0).build().unwrap();
        let courier = gateway.hold_before(Matcher::command("EVALSHA").always());
        gateway.inject("SET", Fault::ResetAfter);
        pond.delete("user:1").await.unwrap_err();
        let health = pond.health();
        assert_eq!(health.invalidations().state(), HealthState::Degraded);
        assert_eq!(health.state(), HealthState::Degraded, "{health}");
        let why = health.invalidations().sentence();
        assert!(why.starts_with("1 waiting to be delivered"), "{why}");
        courier.release();
        pond.flush().await.unwrap();
        assert_eq!(pond.health().state(), HealthState::Up);
    }

    #[tokio::test]
    async fn what_it_says_holds_no_token() {
        let gateway = gateway(needs_redis!()).await;
        let pond = builder(&gateway).build().unwrap();
        let health = pond.health().probe().await;
        let said = format!("{health} {health:?}");
        assert!(!said.contains(gateway.token()), "{said}");
    }
}
