use millpond::cached;

#[cached(prefix = "posts", tags_of = "authors")]
async fn posts(id: u64) -> Vec<u64> {
    vec![id]
}

fn main() {}
