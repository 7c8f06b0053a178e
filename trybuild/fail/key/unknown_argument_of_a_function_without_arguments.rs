use millpond::cached;

#[cached(prefix = "user", key = "<id>")]
async fn get_user() -> u64 {
    7
}

fn main() {}
