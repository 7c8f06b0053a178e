use millpond::{Tag, cached};

#[millpond::tag("")]
fn org() -> Tag;

#[cached(prefix = "posts", key = "<id>", tags(""))]
async fn posts(id: u64) -> u64 {
    id
}

#[cached(prefix = "posts", key = "x:<id>", tags())]
async fn others(id: u64) -> u64 {
    id
}

#[cached(prefix = "posts", key = "y:<id>", tags = ["org:<id>"])]
async fn more(id: u64) -> u64 {
    id
}

fn main() {}
