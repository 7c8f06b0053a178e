use millpond::cached;

#[cached(prefix = "user")]
async fn get_user<'a>(name: &'a str) -> Option<std::borrow::Cow<'a, str>> {
    Some(name.into())
}

fn main() {}
