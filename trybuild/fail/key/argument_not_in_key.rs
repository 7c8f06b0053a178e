use millpond::cached;

#[cached(prefix = "page", key = "<id>")]
async fn get_user(id: u64, lang: &str) -> u64 {
    id + lang.len() as u64
}

fn main() {}
