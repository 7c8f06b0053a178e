use millpond::cached;

#[cached(prefix = "user", ttl = "short", local = "61s")]
async fn get_user(id: u64) -> u64 {
    id
}

#[cached(prefix = "post", local = "1h")]
async fn get_post(id: u64) -> u64 {
    id
}

fn main() {}
