use millpond::cached;

#[cached(prefix = "user")]
pub struct User {
    pub id: u64,
}

fn main() {}
