use millpond::cached;

#[cached(local = "only", encrypt, compress, guard = false, shares = other)]
fn get_user(id: u64) -> u64 {
    id
}

fn main() {}
