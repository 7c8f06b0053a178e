use millpond::{Millpond, Tag, cached, invalidates, updates};
use std::fmt::Display;

mod tags {
    use millpond::Tag;

    /// A documented tag.
    #[millpond::tag("org:<org_id>")]
    pub fn org(org_id: &str) -> Tag;

    #[millpond::tag("everything", crate = ::millpond)]
    pub(crate) fn everything() -> Tag;
}

use tags::{everything, org};

#[millpond::tag("any:<id>:<b>")]
fn any<T: Display>(id: T, b: impl Display) -> Tag;

#[derive(Clone)]
struct Id(String);

impl Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cached(prefix = "post", key = "<id>", tags(org(&id.0), tags::everything(), any(id.clone(), 1), "id:<id>", Tag::new("x")), all)]
async fn post(id: Id) -> Result<Option<String>, String> {
    Ok(Some(id.0))
}

struct Repo {
    pond: Millpond,
    org: String,
}

impl Repo {
    #[cached(prefix = "team", key = "<self.org>:<id>", on = self.pond, tags(org(&self.org), "team:<self.org>"), all)]
    async fn team(&self, id: u64) -> u64 {
        id
    }

    #[cached(prefix = "fixed", in_impl, all)]
    async fn fixed() -> Option<u64> {
        None
    }

    #[invalidates(self.team(..), self.team(id), Self::fixed(..), post(..), org(&self.org), everything())]
    async fn change(&self, id: u64) -> u64 {
        id
    }

    #[updates(self.team(id), org(&self.org))]
    async fn update(&self, id: u64) -> u64 {
        id
    }
}

#[cached(prefix = "on", key = "<id>", on = pond, skip(pond), all)]
async fn elsewhere(id: u64, pond: &Millpond) -> u64 {
    id
}

fn main() {
    fn is_send<T: Send>(_: T) {}
    let repo = Repo { pond: Millpond::memory(), org: "a".to_owned() };
    is_send(post(Id("1".to_owned())));
    is_send(post::invalidate_all());
    is_send(elsewhere::invalidate_all(&repo.pond));
    is_send(repo.change(1));
    is_send(repo.update(1));
    is_send(repo.team_all().invalidate());
    is_send(org::invalidate("a"));
    is_send(any::invalidate(1, "b"));
}
