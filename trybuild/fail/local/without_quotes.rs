use millpond::cached;

#[cached(local = only)]
fn get_user(id: u64) -> u64 {
    id
}

fn main() {}
