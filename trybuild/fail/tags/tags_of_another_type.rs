use millpond::{Tag, cached};

fn authors(id: &u32) -> Vec<Tag> {
    vec![Tag::new(format!("~author:{id}"))]
}

#[cached(prefix = "posts", tags_of = authors)]
async fn posts(id: u64) -> Vec<u64> {
    vec![id]
}

fn main() {}
