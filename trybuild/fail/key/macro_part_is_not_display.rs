use millpond::key;

pub struct UserId(pub u64);

pub fn key_of(id: UserId) -> millpond::Key {
    key!("user:<id>")
}

fn main() {}
