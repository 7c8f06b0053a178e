//! Sessions and page views: an anonymous visitor who logs in, goes on reading, and logs out.
//!
//! `cargo run --example sessions` uses the embedded engine. With `UPSTASH_REDIS_REST_URL` and
//! `UPSTASH_REDIS_REST_TOKEN` set it runs against that database.

use millpond::{Error, Millpond, SessionId, Sessions, key, ttl};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Visit {
    user: Option<String>,
    pages: Vec<String>,
}

/// What a web framework would keep in its state.
struct Site {
    pond: Millpond,
    sessions: Sessions<Visit>,
}

impl Site {
    fn new(pond: Millpond) -> Self {
        // A day after the last request a session is over. The database holds hashes of the ids.
        let sessions = pond
            .sessions(ttl::EXTENDED)
            .hashed()
            .sliding()
            .absolute(ttl::WEEK);
        Self { pond, sessions }
    }

    /// The session that the cookie names, or a new one.
    async fn visit(&self, cookie: Option<&str>) -> Result<(SessionId, Visit), Error> {
        let known = cookie.and_then(|cookie| cookie.parse::<SessionId>().ok());
        if let Some(id) = known
            && let Some(visit) = self.sessions.get(&id).await?
        {
            return Ok((id, visit));
        }
        let visit = Visit::default();
        Ok((self.sessions.create(&visit).await?, visit))
    }

    /// Shows a page: the cookie to set, and what the visitor sees.
    async fn show(&self, cookie: Option<&str>, page: &str) -> Result<(String, String), Error> {
        let (id, mut visit) = self.visit(cookie).await?;
        // Counters of a page expire a week after its first view, so none of them stays for ever.
        let views = self
            .pond
            .increment(key!("views:<page>"), 1, ttl::WEEK)
            .await?;
        visit.pages.push(page.to_owned());
        self.sessions.update(&id, &visit).await?;
        let name = visit.user.as_deref().unwrap_or("stranger");
        let seen = visit.pages.len();
        let text = format!("Hello {name}. {page} was seen {views} times; you saw {seen} pages.");
        Ok((id.as_str().to_owned(), text))
    }

    /// Logs in: the session goes on under another id.
    async fn log_in(&self, cookie: &str, user: &str) -> Result<String, Error> {
        let (id, visit) = self.visit(Some(cookie)).await?;
        let id = match self.sessions.rotate(&id).await? {
            Some(id) => id,
            // It ended a moment ago.
            None => self.sessions.create(&visit).await?,
        };
        let user = Some(user.to_owned());
        self.sessions.update(&id, &Visit { user, ..visit }).await?;
        Ok(id.as_str().to_owned())
    }

    async fn log_out(&self, cookie: &str) -> Result<bool, Error> {
        match cookie.parse() {
            Ok(id) => self.sessions.destroy(&id).await,
            Err(_) => Ok(false),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let site = Site::new(Millpond::from_env()?);

    let (first, text) = site.show(None, "home").await?;
    println!("{text}");
    let (same, text) = site.show(Some(&first), "prices").await?;
    println!("{text}");
    println!("The id stays while the visitor reads: {}", first == same);

    let cookie = site.log_in(&first, "Ada").await?;
    println!("At login the id changes: {}", first != cookie);
    let (_, text) = site.show(Some(&cookie), "home").await?;
    println!("{text}");
    let (_, text) = site.show(Some(&first), "home").await?;
    println!("With the id from before the login: {text}");

    println!("Logged out: {}", site.log_out(&cookie).await?);
    let (_, text) = site.show(Some(&cookie), "home").await?;
    println!("{text}");
    println!("In all: {} commands.", site.pond.stats().commands);
    Ok(())
}
