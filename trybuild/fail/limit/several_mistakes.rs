use millpond::rate_limited;

#[rate_limited(limt = 5, per = "1 hour", algorithm = "bucket", cost = 0, id = "", on_outage = "alow")]
async fn export(user_id: u64) {
    let _ = user_id;
}

fn main() {}
