//! Two limits: by address, and by user. Both budgets are shared with every other process on the database.

use crate::answer::{self, Answer};
use crate::sessions;
use millpond::limit::{self, Limit};
use millpond::{RateLimited, current, rate_limited};
use std::net::IpAddr;
use std::time::Duration;
use web_sys::Request;

/// Five searches a minute for each address. (The guide's `checkRateLimit`.)
const SEARCH: Limit = Limit::sliding_window("SEARCH", 5, Duration::from_secs(60));

/// Cloudflare sets this header itself, so it cannot be forged.
fn address(request: &Request) -> Option<IpAddr> {
    request
        .headers()
        .get("cf-connecting-ip")
        .ok()??
        .parse()
        .ok()
}

pub async fn search(request: &Request) -> Answer {
    let caller = limit::identifier(None, address(request));
    let limiter = current().limiter(&SEARCH);
    match limiter.check(&caller).await {
        Ok(decision) if decision.is_allowed() => {
            answer::with_budget(answer::text(200, "found nothing"), &decision)
        }
        Ok(decision) => match decision.into_result() {
            Ok(_) => answer::text(200, "found nothing"),
            Err(refusal) => answer::refused(&refusal),
        },
        Err(error) => answer::failed(&error),
    }
}

/// Ten pictures a minute for each user, whatever their address.
#[rate_limited(kind = "GENERATION", id = user)]
async fn draw(user: &str) -> Result<&'static str, RateLimited> {
    Ok("a picture of a pond")
}

pub async fn picture(request: &Request) -> Answer {
    let user = match sessions::user(request).await {
        Ok(Some(user)) => user,
        Ok(None) => return answer::text(401, "log in first"),
        Err(error) => return answer::failed(&error),
    };
    match draw(&user).await {
        Ok(picture) => answer::text(200, picture),
        Err(refusal) => answer::refused(&refusal),
    }
}
