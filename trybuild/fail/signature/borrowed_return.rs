use millpond::cached;

#[cached(prefix = "user")]
async fn get_user(name: &str) -> &str {
    name
}

fn main() {}
