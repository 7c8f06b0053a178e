use millpond::key;

pub fn key_of() -> millpond::Key {
    key!("user:")
}

fn main() {}
