use millpond::key;

pub fn key_of() -> millpond::Key {
    key!()
}

fn main() {}
