//! A Worker with millpond: cached reads, a write that invalidates, sessions, counters and two limits.
//!
//! `request → bindings → scope → route → response`, and what is still to be sent goes to `waitUntil`.
//! docs/edge.md says how to build it and what differs from a server.

mod ai;
mod answer;
mod bindings;
mod limits;
mod origin;
mod route;
mod sessions;
mod users;
mod views;

use answer::Answer;
use js_sys::Promise;
use std::pin::Pin;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;
use web_sys::Request;

#[wasm_bindgen]
extern "C" {
    /// The context of a request.
    pub type Context;

    /// Keeps the request alive until the promise is settled.
    #[wasm_bindgen(method, js_name = waitUntil)]
    fn wait_until(this: &Context, promise: &Promise);
}

/// What `worker.mjs` calls for each request.
#[wasm_bindgen]
pub async fn handle(request: Request, env: JsValue, context: Context) -> Answer {
    let pond = match bindings::pond(&env) {
        Ok(pond) => pond,
        Err(error) => return answer::text(500, &error.to_string()),
    };
    // One scope for each request: what is shared within it is never awaited by another one.
    let respond: Pin<Box<dyn Future<Output = Answer>>> = Box::pin(async move {
        let response = route::respond(&request, &env).await;
        // Invalidations that could not be delivered, analytics of limits, work in the background.
        let flush = pond.flush();
        context.wait_until(&future_to_promise(async {
            let flushed = flush.await.map(|()| JsValue::UNDEFINED);
            flushed.map_err(|error| JsValue::from_str(&error.to_string()))
        }));
        response
    });
    pond.scope(respond).await
}
