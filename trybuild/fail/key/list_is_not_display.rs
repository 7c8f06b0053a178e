use millpond::cached;

#[cached(prefix = "users")]
async fn get_user(ids: &[u64]) -> usize {
    ids.len()
}

fn main() {}
