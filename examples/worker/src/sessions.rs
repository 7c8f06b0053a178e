//! Sessions: their data is in Redis, under a hash of the id, which is in a cookie. (The guide's `createSession` and
//! `getSession`.)

use crate::answer::{self, Answer};
use millpond::{Error, SessionId, Sessions, current, ttl};
use serde::{Deserialize, Serialize};
use web_sys::Request;

#[derive(Serialize, Deserialize)]
struct Session {
    user: String,
}

fn sessions() -> Sessions<Session> {
    current().sessions(ttl::EXTENDED).hashed()
}

pub async fn log_in(user: String) -> Answer {
    match sessions().create(&Session { user }).await {
        Ok(id) => {
            let id = id.as_str();
            let cookie = format!("session={id}; HttpOnly; Secure; SameSite=Lax; Path=/");
            answer::with(200, "welcome", "text/plain", [("set-cookie", cookie)])
        }
        Err(error) => answer::failed(&error),
    }
}

pub async fn show(request: &Request) -> Answer {
    match user(request).await {
        Ok(Some(user)) => answer::text(200, &user),
        Ok(None) => answer::text(401, "log in first"),
        Err(error) => answer::failed(&error),
    }
}

/// Who is logged in.
pub async fn user(request: &Request) -> Result<Option<String>, Error> {
    let cookies = request.headers().get("cookie").ok().flatten();
    let id = cookies
        .as_deref()
        .unwrap_or_default()
        .split("; ")
        .find_map(|cookie| {
            // What is no id was not made here.
            cookie.strip_prefix("session=")?.parse::<SessionId>().ok()
        });
    let Some(id) = id else { return Ok(None) };
    let session = sessions().get(&id).await?;
    Ok(session.map(|session| session.user))
}
