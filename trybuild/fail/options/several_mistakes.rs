use millpond::cached;

#[cached(prefx = "user", ttl = "5 minutes", flight = "on", key = "<usr_id>", skip(pol))]
async fn get_user(user_id: u64, pool: &u8) -> &str {
    let _ = (user_id, pool);
    ""
}

fn main() {}
