use millpond::cached;

#[cached(prefix = "user", key = "{<a>}:{<b>}")]
async fn get_user(a: u64, b: u64) -> u64 {
    a + b
}

fn main() {}
