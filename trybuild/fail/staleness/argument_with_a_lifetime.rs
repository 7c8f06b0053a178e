use millpond::cached;
use std::borrow::Cow;

#[cached(prefix = "user", stale_while_revalidate = "1h")]
async fn get_user<'a>(name: Cow<'a, str>) -> String {
    name.into_owned()
}

#[cached(prefix = "team", skip(names), key = "<id>", refresh_ahead = 0.8)]
async fn get_team(id: u64, names: &[&str]) -> String {
    format!("{id} {}", names.len())
}

fn main() {}
