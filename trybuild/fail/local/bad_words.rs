use millpond::cached;

#[cached(prefix = "user", local = "onyl")]
async fn get_user(id: u64) -> u64 {
    id
}

#[cached(prefix = "post", local = 5)]
async fn get_post(id: u64) -> u64 {
    id
}

#[cached(prefix = "page", local)]
async fn get_page(id: u64) -> u64 {
    id
}

#[cached(prefix = "team", local = "true")]
async fn get_team(id: u64) -> u64 {
    id
}

fn main() {}
