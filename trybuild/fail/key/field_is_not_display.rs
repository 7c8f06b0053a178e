use millpond::cached;

pub struct UserId(u64);

pub struct Request {
    pub user: UserId,
}

#[cached(prefix = "user", key = "<request.user>")]
async fn get_user(request: &Request) -> u64 {
    request.user.0
}

fn main() {}
