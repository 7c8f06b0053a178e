use millpond::cached;

#[cached(prefix = "page", key = "<page>")]
async fn get_user(page: Option<u32>) -> u32 {
    page.unwrap_or(1)
}

fn main() {}
