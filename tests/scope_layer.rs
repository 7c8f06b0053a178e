//! `ScopeLayer` in a stack of tower's own layers, around axum and around any other service.

#![cfg(feature = "axum")]

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use millpond::{Millpond, RateLimited, ScopeLayer, cached, rate_limited};
use std::convert::Infallible;
use std::time::Duration;
use tower::util::{BoxCloneSyncService, service_fn};
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt};

#[cached(prefix = "user", key = "<id>")]
async fn get_user(id: u64) -> Result<String, Infallible> {
    tokio::task::yield_now().await;
    Ok(format!("user {id}"))
}

#[rate_limited(limit = 2, per = "1h")]
async fn export() -> Result<(), RateLimited> {
    Ok(())
}

async fn user(Path(id): Path<u64>) -> Result<String, StatusCode> {
    export().await.map_err(|_| StatusCode::TOO_MANY_REQUESTS)?;
    get_user(id).await.map_err(|never| match never {})
}

fn users() -> Router {
    Router::new().route("/users/{id}", get(user))
}

async fn status(router: &Router, path: &str) -> StatusCode {
    let request = Request::get(path).body(Body::empty()).unwrap();
    router.clone().oneshot(request).await.unwrap().status()
}

#[tokio::test]
async fn requests_use_the_cache_of_the_layer_around_their_route() {
    let [outer, inner] = [(); 2].map(|()| Millpond::memory());
    let router = Router::new()
        .nest("/inner", users().layer(ScopeLayer::new(inner.clone())))
        .merge(users())
        .layer(ScopeLayer::new(outer.clone()));
    for _ in 0..2 {
        assert_eq!(status(&router, "/users/7").await, StatusCode::OK);
        assert_eq!(status(&router, "/inner/users/7").await, StatusCode::OK);
    }
    for pond in [&outer, &inner] {
        let stats = pond.stats().prefix("user");
        assert_eq!((stats.loads, stats.hits), (1, 1));
    }
    // Limits are those of the cache as well: two units each.
    for path in ["/users/7", "/inner/users/7"] {
        assert_eq!(status(&router, path).await, StatusCode::TOO_MANY_REQUESTS);
    }
}

#[tokio::test]
async fn it_stands_anywhere_in_a_stack_and_around_any_service() {
    let pond = Millpond::memory();
    let service = service_fn(async |id: u64| Ok::<_, BoxError>(get_user(id).await?));
    let stack = ServiceBuilder::new()
        .load_shed()
        .layer(ScopeLayer::new(pond.clone()))
        .timeout(Duration::from_secs(60))
        .service(service);
    // Whoever spawns requests needs them to be `Send`, and whoever clones a service `Sync`.
    let stack = BoxCloneSyncService::new(stack);
    let calls: Vec<_> = (0..20)
        .map(|_| tokio::spawn(stack.clone().oneshot(7)))
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), "user 7");
    }
    assert_eq!(pond.stats().prefix("user").loads, 1);
}

#[tokio::test]
async fn what_a_service_does_before_its_future_is_in_the_scope_too() {
    let pond = Millpond::memory();
    let eager = service_fn(|id: u64| {
        let user = millpond::current().spawn(get_user(id));
        async move { Ok::<_, BoxError>(user.await??) }
    });
    let mut service = ScopeLayer::new(pond.clone()).layer(eager);
    let user = service.ready().await.unwrap().call(3).await.unwrap();
    assert_eq!(user, "user 3");
    assert_eq!(pond.stats().prefix("user").loads, 1);
}
