//! The service behind the Worker, which has the data.

use crate::bindings::binding;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_name = fetch)]
    async fn fetch(url: &str, init: &JsValue) -> Result<JsValue, JsValue>;
}

/// What it answered that is of no use, or what JavaScript has thrown.
#[derive(Clone, Debug)]
pub struct OriginError(pub String);

impl From<JsValue> for OriginError {
    fn from(thrown: JsValue) -> Self {
        Self(format!("{thrown:?}"))
    }
}

/// Where it is.
#[derive(Clone)]
pub struct Origin(String);

impl Origin {
    pub fn of(env: &JsValue) -> Self {
        Self(binding(env, "ORIGIN").unwrap_or_default())
    }

    /// What is under this path; nothing where it says so.
    pub async fn get(&self, path: &str) -> Result<Option<String>, OriginError> {
        self.send("GET", path, None).await
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
    ) -> Result<Option<String>, OriginError> {
        let init = js_sys::Object::new();
        js_sys::Reflect::set(&init, &"method".into(), &method.into())?;
        if let Some(body) = body {
            js_sys::Reflect::set(&init, &"body".into(), &body.into())?;
        }
        let response = fetch(&format!("{}{path}", self.0), &init).await?;
        let response: Response = response.dyn_into()?;
        let text = JsFuture::from(response.text()?).await?.as_string();
        match response.status() {
            200 | 204 => Ok(Some(text.unwrap_or_default())),
            404 => Ok(None),
            status => Err(OriginError(format!("the origin answered {status}"))),
        }
    }
}
