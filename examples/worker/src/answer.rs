//! Responses.

use millpond::limit::Decision;
use millpond::{Error, ErrorKind, RateLimited};
use wasm_bindgen::JsValue;
use web_sys::{Headers, Response, ResponseInit};

pub type Answer = Result<Response, JsValue>;

pub fn text(status: u16, text: &str) -> Answer {
    with(status, text, "text/plain; charset=utf-8", [])
}

/// What went wrong between here and the database.
pub fn failed(error: &Error) -> Answer {
    let status = match error.kind() {
        ErrorKind::TooLarge => 413,
        _ => 503,
    };
    text(status, &error.to_string())
}

/// A refusal, with the same status, body and header fields as under axum.
pub fn refused(refusal: &RateLimited) -> Answer {
    let fields = refusal.decision().headers();
    with(
        refusal.status(),
        &refusal.body(),
        "application/json",
        fields,
    )
}

/// Tells the client of its budget.
pub fn with_budget(answer: Answer, decision: &Decision) -> Answer {
    let answer = answer?;
    for (name, value) in decision.headers() {
        answer.headers().set(name, &value)?;
    }
    Ok(answer)
}

pub fn with(
    status: u16,
    body: &str,
    content_type: &str,
    fields: impl IntoIterator<Item = (&'static str, String)>,
) -> Answer {
    let headers = Headers::new()?;
    headers.set("content-type", content_type)?;
    for (name, value) in fields {
        headers.set(name, &value)?;
    }
    let init = ResponseInit::new();
    init.set_status(status);
    init.set_headers(&headers);
    // A status without a body must not have one.
    let body = (status != 204).then_some(body);
    Response::new_with_opt_str_and_init(body, &init)
}
