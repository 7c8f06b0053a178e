use millpond::key;

pub fn key_of(id: u64) -> millpond::Key {
    let _ = id;
    key!("user:<idd>")
}

fn main() {}
