use millpond::cached;

struct Id(u64);

#[cached(prefix = "user", key = "<id>", stale_if_error = "1h")]
async fn get_user(Id(id): Id) -> u64 {
    id
}

fn main() {}
