use millpond::{Tag, cached};

#[millpond::tag("org:<org_id>")]
fn org(org_id: u64) -> Tag;

#[cached(prefix = "posts", key = "<org_id>", tags(orgs(org_id)))]
async fn posts(org_id: u64) -> u64 {
    org_id
}

fn main() {}
