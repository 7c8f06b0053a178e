use millpond::key;

pub fn key_of(id: u64) -> millpond::Key {
    key!("user<id>")
}

fn main() {}
