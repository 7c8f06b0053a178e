use millpond::cached;

#[cached(prefix = "page")]
async fn page<const SIZE: usize>(id: u64) -> Vec<u64> {
    vec![id; SIZE]
}

fn main() {}
