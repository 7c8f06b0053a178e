use millpond::cached;

#[cached(prefix = "user", local = "5s", local_plain)]
async fn get_user(id: u64) -> u64 {
    id
}

#[cached(prefix = "secret", encrypt, local_plain)]
async fn secret(id: u64) -> u64 {
    id
}

#[cached(local = "only", local_plain)]
async fn answer() -> u64 {
    42
}

fn main() {}
