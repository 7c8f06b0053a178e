//! Page views. (The guide's `incrementPageView` and `getPageViews`.)

use crate::answer::{self, Answer};
use millpond::{Error, current, key, ttl};

pub async fn count(page: &str) -> Answer {
    shown(
        current()
            .increment(key!("views:<page>"), 1, ttl::WEEK)
            .await,
    )
}

pub async fn show(page: &str) -> Answer {
    let views = current().get::<i64>(key!("views:<page>")).await;
    shown(views.map(Option::unwrap_or_default))
}

fn shown(views: Result<i64, Error>) -> Answer {
    match views {
        Ok(views) => answer::text(200, &views.to_string()),
        Err(error) => answer::failed(&error),
    }
}
