//! A request in a trace of OpenTelemetry: the handler, the cached function, the load of millpond, and what the body does.
//!
//! `cargo run --example traces` prints what is exported for two requests: the first loads, the second is a hit, which is not worth
//! a span. A service gives its provider another exporter, such as that of `opentelemetry-otlp`.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use millpond::cached;
use opentelemetry::trace::{SpanId, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tower::ServiceExt;
use tracing::level_filters::LevelFilter;
use tracing::{Instrument, info_span, instrument};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;

#[cached(prefix = "user", key = "<id>")]
#[instrument]
async fn get_user(id: u32) -> String {
    find_user(id).await
}

#[instrument]
async fn find_user(id: u32) -> String {
    format!("user {id}")
}

async fn traced(request: Request, next: Next) -> Response {
    let span = info_span!("request", path = request.uri().path());
    next.run(request).instrument(span).await
}

/// Two requests for one user, and what is exported of them.
pub(crate) async fn spans() -> Result<Vec<SpanData>, Box<dyn std::error::Error>> {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("traces"));
    // The spans of loads have a level and a target of their own, so that they come without what is said at that level.
    let wanted = Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("millpond::load", LevelFilter::DEBUG);
    let subscriber = tracing_subscriber::registry().with(wanted).with(layer);
    let _guard = tracing::subscriber::set_default(subscriber);

    let handler = async |Path(id): Path<u32>| get_user(id).await;
    let app = Router::new()
        .route("/users/{id}", get(handler))
        .layer(middleware::from_fn(traced));
    for _ in 0..2 {
        let request = Request::get("/users/1").body(Body::empty())?;
        app.clone().oneshot(request).await?;
    }
    Ok(exporter.get_finished_spans()?)
}

fn print(spans: &[SpanData], parent: SpanId, depth: usize) {
    let mut children: Vec<_> = spans
        .iter()
        .filter(|span| span.parent_span_id == parent)
        .collect();
    children.sort_by_key(|span| span.start_time);
    for span in children {
        print!("{:1$}{2}", "", 2 * depth, span.name);
        for key in ["path", "id", "prefix", "result", "tier"] {
            let attribute = span.attributes.iter().find(|it| it.key.as_str() == key);
            if let Some(attribute) = attribute {
                print!(" {key}={}", attribute.value);
            }
        }
        println!();
        print(spans, span.span_context.span_id(), depth + 1);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    print(&spans().await?, SpanId::INVALID, 0);
    Ok(())
}
