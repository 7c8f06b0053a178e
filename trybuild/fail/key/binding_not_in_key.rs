use millpond::cached;

#[cached(prefix = "page", key = "<id>")]
async fn get_user((id, page): (u64, u64)) -> u64 {
    id + page
}

fn main() {}
