//! `cargo run --example traces`: a request, the cached function, the load and the body in one trace of OpenTelemetry.
#![cfg(feature = "axum")]

#[allow(dead_code, reason = "its `main` prints")]
#[path = "../examples/traces.rs"]
mod example;
mod support;

use opentelemetry::trace::SpanId;
use opentelemetry_sdk::trace::SpanData;
use support::example::executable;

fn attribute(span: &SpanData, name: &str) -> Option<String> {
    let attributes = span.attributes.iter();
    let mut found = attributes.filter(|it| it.key.as_str() == name);
    found.next().map(|it| it.value.to_string())
}

#[tokio::test]
async fn a_request_that_loads_is_one_trace_down_to_the_query_and_one_that_hits_ends_at_the_function()
 {
    let spans = example::spans().await.unwrap();
    let requests: Vec<_> = spans.iter().filter(|span| span.name == "request").collect();
    let path = |request: &SpanData| {
        let (mut path, mut parent) = (Vec::new(), request);
        loop {
            let id = parent.span_context.span_id();
            let Some(child) = spans.iter().find(|span| span.parent_span_id == id) else {
                return path;
            };
            assert_eq!(
                child.span_context.trace_id(),
                request.span_context.trace_id()
            );
            // The one around it lasts as long, at least.
            assert!(parent.start_time <= child.start_time && child.end_time <= parent.end_time);
            path.push(child.name.to_string());
            parent = child;
        }
    };
    assert_eq!(requests.len(), 2);
    assert!(
        requests
            .iter()
            .all(|span| span.parent_span_id == SpanId::INVALID)
    );
    assert_eq!(path(requests[0]), ["get_user", "cache_load", "find_user"]);
    assert_eq!(path(requests[1]), ["get_user"]);
    let load = spans.iter().find(|span| span.name == "cache_load").unwrap();
    let told = ["prefix", "result", "tier", "id"].map(|name| attribute(load, name));
    let told = told.each_ref().map(Option::as_deref);
    assert_eq!(told, [Some("user"), Some("miss"), Some("body"), None]);
}

#[test]
fn the_example_prints_both_requests() {
    let output = std::process::Command::new(executable("traces"))
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let expected = "\
request path=/users/1
  get_user id=1
    cache_load prefix=user result=miss tier=body
      find_user id=1
request path=/users/1
  get_user id=1
";
    assert_eq!(printed, expected);
}
