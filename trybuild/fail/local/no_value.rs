use millpond::cached;

#[cached(prefix = "user", local)]
async fn get_user(id: u64) -> u64 {
    id
}

fn main() {}
