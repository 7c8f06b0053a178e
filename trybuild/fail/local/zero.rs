use millpond::cached;

#[cached(prefix = "user", local = "0s")]
async fn get_user(id: u64) -> u64 {
    id
}

fn main() {}
