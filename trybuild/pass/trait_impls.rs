//! A trait's method cannot have a sibling, so it asks for none.
use millpond::cached;

trait Users {
    async fn name(&self, id: u64) -> Result<String, std::fmt::Error>;
    async fn total(team: &str) -> usize;

    #[cached(prefix = "provided", companion = false, skip(self))]
    async fn provided(&self, id: u64) -> u64 {
        id
    }
}

struct Db;

impl Users for Db {
    #[cached(prefix = "name", companion = false, skip(self))]
    async fn name(&self, id: u64) -> Result<String, std::fmt::Error> {
        Ok(id.to_string())
    }

    #[cached(prefix = "total", companion = false)]
    async fn total(team: &str) -> usize {
        team.len()
    }
}

struct Wrapped<T>(T);

impl<T: Users> Users for Wrapped<T> {
    #[cached(prefix = "wrapped", companion = false, skip(self))]
    async fn name(&self, id: u64) -> Result<String, std::fmt::Error> {
        self.0.name(id).await
    }

    #[cached(prefix = "wrapped_total", companion = false)]
    async fn total(team: &str) -> usize {
        T::total(team).await
    }
}

fn main() {
    let db = Wrapped(Db);
    drop((db.name(1), db.provided(2)));
    drop(Wrapped::<Db>::total("a"));
}
