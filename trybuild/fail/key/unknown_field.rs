use millpond::cached;

pub struct Request {
    pub user: u64,
}

#[cached(prefix = "user", key = "<request.id>")]
async fn get_user(request: &Request) -> u64 {
    request.user
}

fn main() {}
