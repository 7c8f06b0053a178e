//! Which request is answered by what.

use crate::answer::{self, Answer};
use crate::origin::Origin;
use crate::{ai, limits, sessions, users, views};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Request, Url};

pub async fn respond(request: &Request, env: &JsValue) -> Answer {
    let origin = Origin::of(env);
    let url = Url::new(&request.url())?;
    let path = url.pathname();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match (request.method().as_str(), parts.as_slice()) {
        ("GET", ["users", id]) => match id.parse() {
            Ok(id) => users::show(&origin, id).await,
            Err(_) => answer::text(404, "no such user"),
        },
        ("PUT", ["users", id]) => match id.parse() {
            Ok(id) => users::rename(&origin, id, &body(request).await?).await,
            Err(_) => answer::text(404, "no such user"),
        },
        ("POST", ["ask"]) => ai::respond(&origin, &body(request).await?).await,
        ("POST", ["login"]) => sessions::log_in(body(request).await?).await,
        ("GET", ["me"]) => sessions::show(request).await,
        ("POST", ["views", page]) => views::count(page).await,
        ("GET", ["views", page]) => views::show(page).await,
        ("GET", ["search"]) => limits::search(request).await,
        ("POST", ["pictures"]) => limits::picture(request).await,
        _ => answer::text(404, "nothing here"),
    }
}

async fn body(request: &Request) -> Result<String, JsValue> {
    let text = JsFuture::from(request.text()?).await?;
    Ok(text.as_string().unwrap_or_default())
}
