use millpond::{RateLimited, rate_limited};

struct User;

#[rate_limited(kind = "API", id = user)]
async fn export(user: User) -> Result<(), RateLimited> {
    let _ = user;
    Ok(())
}

fn main() {}
