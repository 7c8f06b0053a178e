use millpond::cached;

fn org(org_id: u64) -> u64 {
    org_id
}

#[cached(prefix = "posts", key = "<org_id>", tags(org(org_id)))]
async fn posts(org_id: u64) -> u64 {
    org_id
}

fn main() {}
