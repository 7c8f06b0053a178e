use millpond::{cached, invalidates};

#[cached(local = "only", key = "<id>", encrypt)]
fn get_user(id: u64) -> u64 {
    id
}

#[invalidates(get_user(id))]
async fn rename(id: u64) {}

fn main() {
    get_user::invalidate(1);
}
