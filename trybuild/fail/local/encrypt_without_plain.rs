use millpond::cached;

#[cached(prefix = "secret", encrypt, local = "5s")]
async fn secret(id: u64) -> u64 {
    id
}

fn main() {}
