use millpond::{Tag, cached, invalidates};

#[millpond::tag("org:<org_id>")]
fn org(org_id: u64) -> Tag;

#[cached(prefix = "posts", key = "<id>")]
async fn posts(id: u64) -> u64 {
    id
}

#[invalidates(org("seven"), posts(..))]
async fn rename() {}

fn main() {}
