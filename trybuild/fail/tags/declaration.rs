use millpond::Tag;

#[millpond::tag("org:<org_id>")]
fn with_body(org_id: u64) -> Tag {
    Tag::new("org")
}

#[millpond::tag("org:<org_id>")]
fn unused(org_id: u64, page: u32) -> Tag;

#[millpond::tag("org:<orgid>")]
fn misspelt(org_id: u64) -> Tag;

#[millpond::tag("org:<org_id>")]
async fn later(org_id: u64) -> Tag;

#[millpond::tag("org:<org_id>")]
fn nothing(org_id: u64);

#[millpond::tag]
fn without_template(org_id: u64) -> Tag;

#[millpond::tag("org:<org_id>")]
struct Org;

fn main() {}
