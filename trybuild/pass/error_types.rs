//! Errors that are borrowed, hidden behind an alias, or parameters of the `impl` around the function.
use millpond::{Limit, RateLimited, cached, rate_limited};
use std::{error::Error, sync::Arc, time::Duration};

#[derive(Clone, Debug)]
struct Refused<'a>(&'a str);

type Fetched<'a, T> = Result<T, Refused<'a>>;
type Parsed<'a> = Result<u64, Refused<'a>>;

#[cached(prefix = "fetched")]
async fn fetched(name: &str) -> Fetched<'_, u64> {
    name.parse().map_err(|_| Refused(name))
}

#[cached(prefix = "parsed")]
async fn parsed<'a>(name: &'a str) -> Parsed<'a> {
    name.parse().map_err(|_| Refused(name))
}

#[cached(prefix = "borrowed")]
async fn borrowed(name: &str) -> Result<u64, &str> {
    name.parse().map_err(|_| name)
}

#[cached(prefix = "shared")]
async fn shared(name: &str) -> Result<u64, Arc<dyn Error + Send + Sync>> {
    match name.parse::<u64>() {
        Ok(number) => Ok(number),
        Err(error) => Err(Arc::new(error)),
    }
}

struct Repo<Backend, Failure, const CALLS: u64> {
    name: &'static str,
    backend: Backend,
    failure: Option<Failure>,
}

trait Source {
    type Failure: Clone + Send;
    fn read(&self) -> Result<u64, Self::Failure>;
}

impl<Backend: Source + Sync, Failure: Clone + Send + Sync, const CALLS: u64> Repo<Backend, Failure, CALLS> {
    #[cached(prefix = "read", key = "<self.name>")]
    async fn read(&self) -> Result<u64, Backend::Failure> {
        self.backend.read()
    }

    #[cached(prefix = "failing", key = "<self.name>")]
    async fn failing(&self) -> Result<u64, Failure> {
        self.failure.clone().map_or(Ok(3), Err)
    }

    #[rate_limited(limit = CALLS, per = "1m")]
    async fn limited(&self) -> Result<(), RateLimited> {
        let _ = &self.backend;
        Ok(())
    }

    #[rate_limited(limit = CALLS, per = "1m")]
    async fn also_limited(this: &Self) -> Result<(), RateLimited> {
        let _ = &this.backend;
        Ok(())
    }
}

impl<Backend: Source, Failure> Plans for Repo<Backend, Failure, 3> {
    const PLAN: Limit = Limit::fixed_window("PLAN", 3, Duration::from_secs(60));
}

trait Plans {
    const PLAN: Limit;

    #[rate_limited(kind = Self::PLAN)]
    async fn planned(&self) -> Result<(), RateLimited> {
        Ok(())
    }
}

struct Table;

impl Source for Table {
    type Failure = String;

    fn read(&self) -> Result<u64, String> {
        Ok(3)
    }
}

fn main() {
    let repo = Repo::<_, String, 5> { name: "a", backend: Table, failure: None };
    drop((fetched(""), parsed(""), borrowed(""), shared("")));
    drop((repo.read(), repo.failing(), repo.limited(), Repo::also_limited(&repo)));
    drop(Repo::<_, String, 3> { name: "a", backend: Table, failure: None }.planned());
}
