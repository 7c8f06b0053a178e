use millpond::rate_limited;

#[rate_limited(kind = "API")]
async fn export(user_id: u64) {
    let _ = user_id;
}

fn main() {}
