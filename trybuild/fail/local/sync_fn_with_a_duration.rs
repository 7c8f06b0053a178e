use millpond::cached;

#[cached(prefix = "user", local = "5s")]
fn get_user(id: u64) -> u64 {
    id
}

fn main() {}
