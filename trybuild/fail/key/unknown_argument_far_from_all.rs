use millpond::cached;

#[cached(prefix = "user", key = "<tenant>")]
async fn get_user(id: u64, page: u32) -> u64 {
    id + u64::from(page)
}

fn main() {}
