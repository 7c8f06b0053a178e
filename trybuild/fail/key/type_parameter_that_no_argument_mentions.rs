use millpond::cached;

trait Kind {
    const NAME: &'static str;
}

#[cached(prefix = "kind")]
async fn describe<K: Kind>(id: u64) -> String {
    format!("{} {id}", K::NAME)
}

fn main() {}
