use millpond::cached;

#[cached(prefix = "user", key = "<id>", skip(why), stale_if_error = "1h")]
async fn get_user<'a>(id: u64, why: &'a str) -> Result<u64, &'a str> {
    if id == 0 { Err(why) } else { Ok(id) }
}

fn main() {}
