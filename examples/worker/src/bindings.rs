//! The bindings of the Worker, and the cache that they describe.

use js_sys::{JsString, Reflect};
use millpond::{Builder, Error, Millpond};
use std::sync::OnceLock;
use std::time::Duration;
use wasm_bindgen::{JsCast, JsValue};

/// One for the isolate, made by its first request: the bindings are the same for all of them.
static POND: OnceLock<Millpond> = OnceLock::new();

/// The cache of this isolate.
pub fn pond(env: &JsValue) -> Result<&'static Millpond, Error> {
    if POND.get().is_none() {
        let mut builder = Builder::from_lookup(|name| binding(env, name))?;
        if let Some(ms) = binding(env, "MILLPOND_BUDGET_MS").and_then(|ms| ms.parse().ok()) {
            builder = builder.budget(Duration::from_millis(ms));
        }
        let pond = builder.build()?;
        // Nobody else was here meanwhile: there is one thread.
        let _ = POND.set(pond);
    }
    Ok(POND.get().expect("it was set just now"))
}

/// The text of a binding. What is no text, such as a KV namespace in place of a URL, is shown as what it is, so that the
/// error says which binding to change.
pub fn binding(env: &JsValue, name: &str) -> Option<String> {
    let value = Reflect::get(env, &name.into()).ok()?;
    if value.is_undefined() || value.is_null() {
        return None;
    }
    let text = value.as_string();
    Some(text.unwrap_or_else(|| {
        String::from(
            js_sys::Object::from(value)
                .to_string()
                .unchecked_into::<JsString>(),
        )
    }))
}
